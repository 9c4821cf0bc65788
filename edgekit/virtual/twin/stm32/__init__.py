# SPDX-License-Identifier: GPL-2.0-or-later
"""Peripherals of the STM32 families, one file each."""
