"""Compression: a float network and a recipe in, an integer graph out.

Everything but `tune` and `trained` is numpy alone; torch is imported where a step trains.
"""
