# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a QEMU board: `python -m edgekit.virtual.qemu_twin CONFIG.json`."""

from __future__ import annotations

import hashlib
from pathlib import Path

from edgekit.virtual.machines import MACHINES
from edgekit.virtual.twin import config as configuration
from edgekit.virtual.twin.server import LinkServer
from edgekit.virtual.twin.start import start

from .board import EmulatedBoard
from .counting import symbols


def _configured(path: Path) -> configuration.TwinConfig:
    config = configuration.load(path)
    if config.soc not in MACHINES:
        raise configuration.TwinError(f"soc: {config.soc!r} is none of {', '.join(MACHINES)}")
    if "model_run" not in symbols(config.elf):
        raise configuration.TwinError(f"elf: {config.elf} has no symbol model_run")
    if config.faults.clock_drift_ppm:
        raise configuration.TwinError("clock_drift_ppm: QEMU's clocks do not drift")
    return config


def _make(path: Path, link: LinkServer) -> tuple[EmulatedBoard, int]:
    config = _configured(path)
    digest = hashlib.sha256(config.elf.read_bytes()).hexdigest()
    board = EmulatedBoard(config, MACHINES[config.soc], digest, link)
    board.power_on()
    return board, config.faults.split_bytes


if __name__ == "__main__":
    start("edgekit.virtual.qemu_twin", _make)
