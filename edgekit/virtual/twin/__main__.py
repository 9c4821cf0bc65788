# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a twin: `python -m edgekit.virtual.twin CONFIG.json`.

Prints one JSON line with its ports, then runs until standard input closes or SIGTERM arrives.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from . import config as configuration
from . import image, soc
from .machine import Machine
from .server import ControlServer, LinkServer, StateServer, exit_with_parent

_ACTIONS = ("reset", "brown_out", "unplug", "plug", "stuck")
_FELT_S = 10.0


def _handler(machine: Machine, command: dict[str, Any]) -> dict[str, Any]:
    op = command["op"]
    if op == "stats":
        return machine.stats()
    if op == "counts":
        return {"counts": machine.counts_dict()}
    if op in _ACTIONS:
        request = machine.post(op, float(command.get("off_ms", 0)))
        return {"done": request.done.wait(_FELT_S)}
    if op == "rates":
        machine.faults.set_rates(float(command.get("drop", 0)), float(command.get("flip", 0)))
        return {"done": True}
    raise ValueError(f"unknown op {op!r}; known: stats, counts, rates, {', '.join(_ACTIONS)}")


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
    link.damage = machine.faults.damage
    link.piece_bytes = config.faults.split_bytes
    state = StateServer(machine.log.line)
    machine.write_state = state.write
    link.before_send = state.settle
    control = ControlServer(lambda command: _handler(machine, command))
    ports = {"link_port": link.port, "state_port": state.port, "control_port": control.port}
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    machine.run()
    return 0


if __name__ == "__main__":
    status = main(sys.argv)
    sys.stdout.flush()
    os._exit(status)  # threads that wait on sockets would hold the process
