# SPDX-License-Identifier: GPL-2.0-or-later
"""How every twin's process begins and ends: `python -m MODULE CONFIG.json`."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, Protocol

from edgekit.errors import EdgekitError

from .config import TwinError
from .control import Served, serve
from .server import LinkServer, exit_with_parent


class Runs(Served, Protocol):
    """A board that simulates until its process ends."""

    def run(self) -> None:
        """Simulate for ever."""
        ...


def start(module: str, make: Callable[[Path, LinkServer], tuple[Runs, int]]) -> NoReturn:
    """Run what `make` makes of the configuration that the command line names.

    `make` returns the board and into pieces of how many bytes its link splits what it sends. Prints
    one JSON line with the ports, then runs until standard input closes or SIGTERM arrives. Ends
    with status 2 and a sentence where there is no such board.
    """
    status = _run(module, make)
    sys.stdout.flush()
    os._exit(status)  # threads that wait on sockets would hold the process


def _run(module: str, make: Callable[[Path, LinkServer], tuple[Runs, int]]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    if len(sys.argv) != 2:
        sys.stderr.write(f"usage: python -m {module} CONFIG.json\n")
        return 2
    exit_with_parent()
    link = LinkServer()
    try:
        board, piece_bytes = make(Path(sys.argv[1]), link)
    except (TwinError, EdgekitError, OSError) as exc:
        sys.stderr.write(f"{exc}\n")
        return 2
    serve(board, link, piece_bytes)
    board.run()
    return 0
