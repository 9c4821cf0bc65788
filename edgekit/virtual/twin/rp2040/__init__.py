# SPDX-License-Identifier: GPL-2.0-or-later
"""Peripherals of the RP2040, one file each. Names as in its data sheet."""
