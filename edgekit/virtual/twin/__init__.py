# SPDX-License-Identifier: GPL-2.0-or-later
"""The twin of a microcontroller board: a process that runs the board's own firmware image.

Run as `python -m edgekit.virtual.twin CONFIG.json`. It links Unicorn (GPL-2.0), therefore these
files carry that licence, import nothing of edgekit outside this package, and the SDK talks to the
process through sockets only.
"""
