# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a twin: `python -m edgekit.virtual.twin CONFIG.json`.

Prints one JSON line with its ports, then runs until standard input closes or SIGTERM arrives.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from . import config as configuration
from . import image, soc
from .control import serve
from .machine import Machine
from .server import LinkServer, exit_with_parent


def main(argv: list[str]) -> int:
    """Run the twin that the file `argv[1]` describes."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    if len(argv) != 2:
        sys.stderr.write("usage: python -m edgekit.virtual.twin CONFIG.json\n")
        return 2
    try:
        config = configuration.load(Path(argv[1]))
        chip = soc.find(config.soc)
        program = image.load(config.elf, config.ram_base, config.ram_bytes)
    except configuration.TwinError as exc:
        sys.stderr.write(f"{exc}\n")
        return 2
    exit_with_parent()
    link = LinkServer()
    machine = Machine(config, chip, program, link)
    serve(machine, link, config.faults.split_bytes)
    machine.run()
    return 0


if __name__ == "__main__":
    status = main(sys.argv)
    sys.stdout.flush()
    os._exit(status)  # threads that wait on sockets would hold the process
