"""Run the emulator: `python -m edgekit.virtual.ppk2_emulator --states 127.0.0.1:4000 ...`.

Prints one JSON line {"port", "pty", "control_port"} and serves until its standard input ends.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import tty
from typing import Any

from edgekit.virtual.ppk2_emulator.device import Faults, Sampler
from edgekit.virtual.ppk2_emulator.server import Client, Server, TerminalClient


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ppk2_emulator")
    parser.add_argument("--states", required=True, help="HOST:PORT of the twin's state stream")
    parser.add_argument("--current", required=True, help="JSON: state name to µA")
    parser.add_argument("--faults", default="{}", help="JSON: fields of Faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--noise", type=float, default=0.002, help="share of the current, 1 sigma")
    parser.add_argument("--pty", action="store_true", help="a pseudo-terminal instead of TCP")
    return parser.parse_args()


def _listen() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    return listener


def main() -> None:
    """Start, say where, and serve."""
    given = _arguments()
    host, _, port = given.states.rpartition(":")
    states = socket.create_connection((host, int(port)))
    control = _listen()
    client: Client | None = None
    listener: socket.socket | None = None
    where: dict[str, Any] = {"port": None, "pty": None}
    if given.pty:
        # The slave stays open here, so that a client may come and go without a hang-up.
        master, slave = os.openpty()
        tty.setraw(slave)
        client, where["pty"] = TerminalClient(master), os.ttyname(slave)
    else:
        listener = _listen()
        where["port"] = listener.getsockname()[1]
    where["control_port"] = control.getsockname()[1]
    sampler = Sampler(seed=given.seed, noise=given.noise, faults=Faults(**json.loads(given.faults)))
    server = Server(states, control, json.loads(given.current), sampler, client, listener)
    sys.stdout.write(json.dumps(where) + "\n")
    sys.stdout.flush()
    server.run(sys.stdin.buffer)


if __name__ == "__main__":
    main()
