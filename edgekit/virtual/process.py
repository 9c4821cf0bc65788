"""Starts and stops twins: processes that show the host what a board would.

The twin links GPL code, so nothing of it is imported here; the two sides share sockets and JSON.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from edgekit.board import McuBoard
from edgekit.build import tools
from edgekit.errors import DeviceError, ToolError
from edgekit.virtual.machines import MACHINES

_LOG = logging.getLogger(__name__)
_HOST = "127.0.0.1"
_START_S = 60.0  # the first import of the emulator on a busy machine
_ANSWER_S = 30.0
_COUNT_S = 1800.0
_STOP_S = 5.0

Emulator = Literal["unicorn", "qemu"]
_MODULES: dict[Emulator, str] = {
    "unicorn": "edgekit.virtual.twin",
    "qemu": "edgekit.virtual.qemu_twin",
}


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong on a twin; rates are per byte, counts are bytes that the board has sent."""

    seed: int = 1
    drop_rate: float = 0.0
    flip_rate: float = 0.0
    split_bytes: int = 0
    late_banner_s: float = 0.0
    reset_after_bytes: int = 0
    brown_out_after_bytes: int = 0
    unplug_after_bytes: int = 0
    stuck_after_bytes: int = 0
    clock_drift_ppm: float = 0.0


@dataclass(frozen=True, slots=True)
class CallCounts:
    """One call from `model_run`: a node of the model; None is what its emulator cannot tell."""

    instructions: int
    cycles_lo: int | None
    cycles_hi: int | None
    bytes_moved: int | None
    flash_misses: int | None


@dataclass(frozen=True, slots=True)
class Counts:
    """One inference: `model_run` from its first instruction to its return.

    `stack_bytes` is the deepest the stack went below its depth at the call. The sum of `per_call`
    is smaller than the total by what `model_run` itself executes between its calls. Cycles are
    None on a core without a timing table, the stack where the emulator cannot see it.
    """

    instructions: int
    cycles_lo: int | None
    cycles_hi: int | None
    stack_bytes: int | None
    per_call: tuple[CallCounts, ...]


class Twin:
    """A running twin. Use as a context manager: it ends with the block, or with this process."""

    def __init__(
        self, process: subprocess.Popen[bytes], ports: Mapping[str, int], log: Path
    ) -> None:
        self._process = process
        self._control_port = ports["control_port"]
        self._log = log
        self.state_port = ports["state_port"]
        self.link_url = f"socket://{_HOST}:{ports['link_port']}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The process id of the twin."""
        return self._process.pid

    def control(self, op: str, **arguments: float) -> dict[str, Any]:
        """Do something to the board, or ask about it; returns the twin's answer.

        Ops: reset, brown_out (off_ms), unplug, plug, stuck, rates (drop, flip), stats, counts.
        Raises DeviceError where the twin is gone or does not know the op.
        """
        try:
            address = (_HOST, self._control_port)
            with (
                socket.create_connection(address, timeout=_ANSWER_S) as sock,
                sock.makefile("rwb") as stream,
            ):
                stream.write(json.dumps({"op": op, **arguments}).encode() + b"\n")
                stream.flush()
                answer: dict[str, Any] = json.loads(stream.readline())
        except (OSError, ValueError) as exc:
            raise DeviceError(f"the twin does not answer: {exc}", hint=self._tail()) from exc
        if "error" in answer:
            raise DeviceError(f"the twin refused {op!r}: {answer['error']}")
        return answer

    def stats(self) -> dict[str, Any]:
        """Return the twin's virtual time, byte counts, violations and fault."""
        return self.control("stats")

    def counts(self, timeout_s: float = _COUNT_S) -> Counts:
        """Return the counts of one inference; waits for the first, which the firmware does at boot.

        Raises DeviceError when the firmware faulted or did no inference in `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            found = self.control("counts")["counts"]
            if found is not None:
                return Counts(
                    instructions=found["instructions"],
                    cycles_lo=found["cycles_lo"],
                    cycles_hi=found["cycles_hi"],
                    stack_bytes=found["stack_bytes"],
                    per_call=tuple(CallCounts(**call) for call in found["per_call"]),
                )
            fault = self.stats()["fault"]
            if fault is not None:
                raise DeviceError(f"the firmware faulted on the twin: {fault}", hint=self._tail())
            time.sleep(0.05)
        raise DeviceError(f"the twin did no inference in {timeout_s:.0f} s", hint=self._tail())

    def close(self) -> None:
        """End the process; idempotent."""
        process = self._process
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            _LOG.warning("twin %d did not end by itself: killed", process.pid)
            process.kill()
            process.wait()

    def _tail(self) -> str:
        return f"its log {self._log} ends: {_last_line(self._log)}"


def emulator(board: McuBoard) -> Emulator:
    """Return what runs the images of a board's twin."""
    return "qemu" if board.firmware_port in MACHINES else "unicorn"


def start_twin(
    elf: Path,
    board: McuBoard,
    work: Path,
    *,
    cache: Path,
    faults: Faults | None = None,
    operating_point: str | None = None,
    real_time: bool = False,
) -> Twin:
    """Start the twin of `board` with the image `elf`; its log and configuration go to `work`.

    Counts of the image are kept in `cache`. With `real_time` an inference takes no less than its
    modelled time of the wall clock, for a host that looks at its own. Raises DeviceError when the
    board has no twin and ToolError when QEMU is missing or the process does not start.
    """
    if not board.emulated or board.target != "mcu":
        raise DeviceError(f"{board.name} has no virtual twin", hint="`edgekit boards` lists them")
    machine = MACHINES.get(board.firmware_port or "")
    if machine is not None:
        tools.require(machine.tool)
    cache.mkdir(parents=True, exist_ok=True)
    told = _config(elf, board, cache, faults, operating_point) | {"real_time": real_time}
    return launch(_MODULES[emulator(board)], told, work)


def launch(module: str, told: Mapping[str, Any], work: Path) -> Twin:
    """Start the twin that is `python -m module`; its log and what it is told go to `work`.

    Raises ToolError when the process does not start.
    """
    work.mkdir(parents=True, exist_ok=True)
    config, log = work / "twin.json", work / "twin.log"
    config.write_text(json.dumps(told, indent=1))
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stream,
        )
    line = _first_line(process, _START_S)
    try:
        ports = json.loads(line)
    except ValueError:
        process.kill()
        status = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        raise ToolError(
            f"the twin did not start (exit status {status}): {_last_line(log)}",
            hint="pip install 'edgekit[virtual]' brings what it needs",
        ) from None
    return Twin(process, ports, log)


def _config(
    elf: Path, board: McuBoard, cache: Path, faults: Faults | None, operating_point: str | None
) -> dict[str, Any]:
    point = board.operating_points[operating_point or board.contract.operating_point]
    return {
        "soc": board.firmware_port,
        "elf": str(elf.resolve()),
        "cache": str(cache.resolve()),
        "flash_base": board.flash_memory.base,
        "flash_bytes": board.flash_memory.size_bytes,
        "ram_base": board.ram.base,
        "ram_bytes": board.ram.size_bytes,
        "baud": board.link.baud,
        "mark_pin": board.mark_pin or "",
        "wakeup_ns": 0 if point.wakeup_us is None else round(point.wakeup_us.value * 1000),
        "wait_states": point.flash_wait_states,
        "faults": asdict(faults or Faults()),
    }


def _first_line(process: subprocess.Popen[bytes], timeout_s: float) -> bytes:
    """Return the first line of standard output, or what came of it in time."""
    if process.stdout is None:
        return b""
    line, deadline = b"", time.monotonic() + timeout_s
    descriptor = process.stdout.fileno()
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], max(0, deadline - time.monotonic()))
        data = os.read(descriptor, 4096) if ready else b""
        if not data:
            break
        line += data
    return line


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "(empty)")
