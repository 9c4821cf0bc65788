# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a QEMU board: `python -m edgekit.virtual.qemu_twin CONFIG.json`.

Prints one JSON line with its ports, then runs until standard input closes or SIGTERM arrives.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from pathlib import Path

from edgekit.errors import EdgekitError
from edgekit.virtual.machines import MACHINES
from edgekit.virtual.twin import config as configuration
from edgekit.virtual.twin.control import serve
from edgekit.virtual.twin.server import LinkServer, exit_with_parent

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


def main(argv: list[str]) -> int:
    """Run the board that the file `argv[1]` describes."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    if len(argv) != 2:
        sys.stderr.write("usage: python -m edgekit.virtual.qemu_twin CONFIG.json\n")
        return 2
    exit_with_parent()
    link = LinkServer()
    try:
        config = _configured(Path(argv[1]))
        digest = hashlib.sha256(config.elf.read_bytes()).hexdigest()
        board = EmulatedBoard(config, MACHINES[config.soc], digest, link)
        board.power_on()
    except (configuration.TwinError, EdgekitError, OSError) as exc:
        sys.stderr.write(f"{exc}\n")
        return 2
    serve(board, link, config.faults.split_bytes)
    board.run()
    return 0


if __name__ == "__main__":
    status = main(sys.argv)
    sys.stdout.flush()
    os._exit(status)  # threads that wait on sockets would hold the process
