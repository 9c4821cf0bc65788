# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the twin of an FPGA board: `python -m edgekit.virtual.fpga CONFIG.json`.

Prints one JSON line with its ports, then runs until standard input closes or SIGTERM arrives.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from edgekit.virtual.fpga import config as configuration
from edgekit.virtual.fpga.machine import FpgaMachine
from edgekit.virtual.twin.config import TwinError
from edgekit.virtual.twin.control import serve
from edgekit.virtual.twin.server import LinkServer, exit_with_parent


def main(argv: list[str]) -> int:
    """Run the board that the file `argv[1]` describes."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    if len(argv) != 2:
        sys.stderr.write("usage: python -m edgekit.virtual.fpga CONFIG.json\n")
        return 2
    exit_with_parent()
    link = LinkServer()
    try:
        config = configuration.load(Path(argv[1]))
        machine = FpgaMachine(config, link)
    except (TwinError, OSError) as exc:
        sys.stderr.write(f"{exc}\n")
        return 2
    serve(machine, link, config.faults.split_bytes)
    machine.run()
    return 0


if __name__ == "__main__":
    status = main(sys.argv)
    sys.stdout.flush()
    os._exit(status)  # threads that wait on sockets would hold the process
