# SPDX-License-Identifier: GPL-2.0-or-later
"""What every kind of twin serves: the link, its states, and what the host may do to the board."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from .faults import LinkFaults
from .server import ControlServer, LinkServer, StateServer
from .state import StateLog

ACTIONS = ("reset", "brown_out", "unplug", "plug", "stuck")
_FELT_S = 10.0


class Request:
    """Something the host does to the board; done when the board has felt it."""

    def __init__(self, name: str, value: float) -> None:
        self.name, self.value = name, value
        self.done = threading.Event()
        self.lock = threading.Lock()


class Served(Protocol):
    """A board that runs, whatever runs it."""

    faults: LinkFaults
    log: StateLog
    write_state: Callable[[bytes], None]

    def post(self, name: str, value: float = 0.0) -> Request:
        """Ask for one of ACTIONS; any thread."""
        ...

    def stats(self) -> Mapping[str, Any]:
        """Return what is known of the run so far."""
        ...

    def counts_dict(self) -> Mapping[str, Any] | None:
        """Return the counts of one inference, None before the first."""
        ...


def nowhere(_line: bytes) -> None:
    """Lose a line of the state log: nobody listens yet."""


def serve(board: Served, link: LinkServer, piece_bytes: int) -> None:
    """Open the sockets of `board` beside its link, and print their ports as one line of JSON."""
    link.damage = board.faults.damage
    link.piece_bytes = piece_bytes
    state = StateServer(board.log.line)
    board.write_state = state.write
    link.before_send = state.settle
    control = ControlServer(lambda command: _handle(board, command))
    ports = {"link_port": link.port, "state_port": state.port, "control_port": control.port}
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()


def _handle(board: Served, command: Mapping[str, Any]) -> dict[str, Any]:
    op = command["op"]
    if op == "stats":
        return dict(board.stats())
    if op == "counts":
        counts = board.counts_dict()
        return {"counts": None if counts is None else dict(counts)}
    if op in ACTIONS:
        return {"done": board.post(op, float(command.get("off_ms", 0))).done.wait(_FELT_S)}
    if op == "rates":
        board.faults.set_rates(float(command.get("drop", 0)), float(command.get("flip", 0)))
        return {"done": True}
    raise ValueError(f"unknown op {op!r}; known: stats, counts, rates, {', '.join(ACTIONS)}")
