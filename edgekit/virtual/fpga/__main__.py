# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the twin of an FPGA board: `python -m edgekit.virtual.fpga CONFIG.json`."""

from __future__ import annotations

from pathlib import Path

from edgekit.virtual.fpga import config as configuration
from edgekit.virtual.fpga.machine import FpgaMachine
from edgekit.virtual.twin.server import LinkServer
from edgekit.virtual.twin.start import start


def _make(path: Path, link: LinkServer) -> tuple[FpgaMachine, int]:
    config = configuration.load(path)
    return FpgaMachine(config, link), config.faults.split_bytes


if __name__ == "__main__":
    start("edgekit.virtual.fpga", _make)
