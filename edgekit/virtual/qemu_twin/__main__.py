# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a QEMU board: `python -m edgekit.virtual.qemu_twin CONFIG.json`.

Prints one JSON line with its ports, then runs until standard input closes or SIGTERM arrives.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from edgekit.errors import EdgekitError
from edgekit.virtual.machines import MACHINES
from edgekit.virtual.twin import config as configuration
from edgekit.virtual.twin.server import ControlServer, LinkServer, StateServer, exit_with_parent

from .board import EmulatedBoard
from .counting import symbols

_ACTIONS = ("reset", "brown_out", "unplug", "plug", "stuck")
_FELT_S = 10.0


def _handler(board: EmulatedBoard, command: dict[str, Any]) -> dict[str, Any]:
    op = command["op"]
    if op == "stats":
        return board.stats()
    if op == "counts":
        return {"counts": board.counts_dict()}
    if op in _ACTIONS:
        return {"done": board.post(op, float(command.get("off_ms", 0))).done.wait(_FELT_S)}
    if op == "rates":
        board.faults.set_rates(float(command.get("drop", 0)), float(command.get("flip", 0)))
        return {"done": True}
    raise ValueError(f"unknown op {op!r}; known: stats, counts, rates, {', '.join(_ACTIONS)}")


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
        link.damage = board.faults.damage
        link.piece_bytes = config.faults.split_bytes
        board.power_on()
    except (configuration.TwinError, EdgekitError, OSError) as exc:
        sys.stderr.write(f"{exc}\n")
        return 2
    state = StateServer(board.log.line)
    board.write_state = state.write
    link.before_send = state.settle
    control = ControlServer(lambda command: _handler(board, command))
    ports = {"link_port": link.port, "state_port": state.port, "control_port": control.port}
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    board.run()
    return 0


if __name__ == "__main__":
    status = main(sys.argv)
    sys.stdout.flush()
    os._exit(status)  # threads that wait on sockets would hold the process
