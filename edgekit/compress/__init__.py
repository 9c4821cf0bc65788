"""Compression: a float network and a recipe in, an integer graph out.

Everything but `tune` is numpy alone; torch is imported where a step trains.
"""
