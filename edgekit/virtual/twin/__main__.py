# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a twin: `python -m edgekit.virtual.twin CONFIG.json`."""

from __future__ import annotations

from pathlib import Path

from . import config as configuration
from . import image, soc
from .machine import Machine
from .server import LinkServer
from .start import start


def _make(path: Path, link: LinkServer) -> tuple[Machine, int]:
    config = configuration.load(path)
    chip = soc.find(config.soc)
    program = image.load(config.elf, config.ram_base, config.ram_bytes)
    return Machine(config, chip, program, link), config.faults.split_bytes


if __name__ == "__main__":
    start("edgekit.virtual.twin", _make)
