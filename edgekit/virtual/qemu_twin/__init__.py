# SPDX-License-Identifier: GPL-2.0-or-later
"""The twin of a board that QEMU emulates: a process that runs the board's own firmware image.

Run as `python -m edgekit.virtual.qemu_twin CONFIG.json`. It serves the same ports as the twin
around Unicorn, whose sockets and faults it uses, so its files carry that twin's licence.
"""
