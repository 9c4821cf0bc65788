# SPDX-License-Identifier: GPL-2.0-or-later
"""Peripherals of the nRF52 family, one file each. Tasks and events as its product specification."""
