"""The agent's command line: `serve` the link on standard input and output, `load` as root.

Failures are one line of JSON on standard error and exit status 6: the host shows message and hint.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import select
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from edgekit.device.agent.accelerator import Accelerator
from edgekit.device.agent.facts import facts_of, read_manifest
from edgekit.device.agent.loader import load
from edgekit.device.agent.serve import ColdStart, Server
from edgekit.device.agent.window import open_window
from edgekit.errors import DeviceError

_TICK_S = 0.05  # during a run, which a meter may be looking at: the processor is to be idle
_TAKE_OVER_S = 3.0
_READ_BYTES = 65536
LOCK = "agent.lock"  # holds the process number of the agent that has the accelerator
CURRENT = "current.json"  # beside the agent: which bundle is loaded, and its window


def main() -> int:
    """Run the command of sys.argv and return its exit status."""
    parser = argparse.ArgumentParser(prog="edgekit-agent")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve")
    serve.add_argument("home", type=Path)
    loader = commands.add_parser("load")
    loader.add_argument("bundle", type=Path)
    loader.add_argument("--owner", type=int, required=True)
    loader.add_argument("--root", type=Path, default=Path("/"))
    loader.add_argument("--overlay", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _taken)
    try:
        if options.command == "load":
            _load(options)
        else:
            _serve(options.home)
    except DeviceError as exc:
        told = {"error": {"message": exc.message, "hint": exc.hint}}
        sys.stderr.write(json.dumps(told) + "\n")
        return DeviceError.exit_code
    except (BrokenPipeError, KeyboardInterrupt):
        return 0  # the host has gone
    return 0


def _load(options: argparse.Namespace) -> None:
    facts = facts_of(read_manifest(options.bundle))
    loaded = load(
        options.bundle, facts, root=options.root, owner=options.owner, overlay=options.overlay
    )
    sys.stdout.write(json.dumps(asdict(loaded)) + "\n")


def _serve(home: Path) -> None:
    """Check and start the accelerator that is loaded, then answer until the host closes."""
    held = _take_over(home / LOCK)
    try:
        _answer(home)
    finally:
        held.close()


def _answer(home: Path) -> None:
    try:
        current = json.loads((home / CURRENT).read_text(encoding="utf-8"))
        bundle, window = Path(current["bundle"]), str(current["window"])
        manager = Path(current["manager"])
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise DeviceError(
            f"no bitstream has been deployed to this board ({home / CURRENT}: {exc})",
            hint="deploy first: edgekit deploy MODEL --board BOARD --port ssh://USER@HOST",
        ) from exc
    _check_configured(manager)
    facts = facts_of(read_manifest(bundle))
    weights = bundle / "weights.bin"
    accelerator = Accelerator(
        open_window(window), facts, weights.read_bytes() if weights.is_file() else b""
    )
    accelerator.check_clock()
    accelerator.self_test()
    cold = _first_inference(accelerator)
    server = Server(accelerator, cold, _machine_id(), _send)
    while True:
        ready, _, _ = select.select([0], [], [], _TICK_S if server.running else None)
        if ready:
            data = os.read(0, _READ_BYTES)
            if not data:
                return
            server.feed(data)
        server.tick()


def _take_over(path: Path) -> TextIO:
    """Become the only agent: an earlier one, whose host may have gone unnoticed, is ended."""
    file = path.open("a+", encoding="ascii")
    deadline = time.monotonic() + _TAKE_OVER_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip()
            if time.monotonic() > deadline or not holder.isdigit():
                file.close()
                raise DeviceError(
                    f"another agent (process {holder or 'unknown'}) has the accelerator",
                    hint="end it on the board",
                ) from None
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(holder), signal.SIGTERM)
            time.sleep(0.05)
            continue
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        return file


def _taken(*_: object) -> None:
    raise DeviceError(
        "another host took the board over", hint="one host at a time: wait for the other to end"
    )


def _check_configured(manager: Path) -> None:
    """Refuse to touch the bus in front of logic that is not there: such an access never ends."""
    try:
        state = (manager / "state").read_text(encoding="ascii").strip()
    except OSError as exc:
        raise DeviceError(f"{manager} cannot be read: {exc.strerror}") from exc
    if state != "operating":
        raise DeviceError(
            f"the FPGA manager says {state!r}: no bitstream is loaded", hint="deploy again"
        )


def _first_inference(accelerator: Accelerator) -> ColdStart:
    begin = time.monotonic()
    accelerator.reset()
    accelerator.store(accelerator.facts.slots, bytes(accelerator.facts.input_bytes))
    cycles, _ = accelerator.infer(accelerator.facts.slots)
    return ColdStart(round((time.monotonic() - begin) * 1e6), cycles)


def _machine_id() -> bytes:
    with contextlib.suppress(OSError, ValueError):
        return bytes.fromhex(Path("/etc/machine-id").read_text(encoding="ascii").strip())[:16]
    return bytes(16)


def _send(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]
