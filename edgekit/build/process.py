"""Run one external tool: its own log, a time limit, and what became of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from edgekit.build import tools
from edgekit.errors import ToolError

Ending = Literal["ok", "status", "signal", "killed", "memory", "time", "hopeless"]

_LAST_LINES = 20
_LOOK_S = 1.0  # between two looks at a log
_READ_BYTES = 64 * 1024  # of the end of a log
# What C++ programs, the kernel's allocator and WebAssembly print when memory is refused.
_MEMORY_SIGNS = ("bad_alloc", "out of memory", "cannot allocate memory", "memoryerror")
_MEMORY_EVENTS = Path("/sys/fs/cgroup/memory.events")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A tool that ended, or was ended."""

    argv: tuple[str, ...]  # as started
    tool: str  # plain name
    ending: Ending
    status: int  # exit status; a signal's number is negative
    log: Path

    def tail(self) -> tuple[str, ...]:
        """Return the last lines of the log."""
        return _tail(self.log)

    def error(self) -> ToolError:
        """Return what failed, with argv, last lines and the place of the log."""
        return ToolError(
            f"{self.tool} {self._what()}: {' '.join(self.argv)}\n" + "\n".join(self.tail()),
            hint=f"the whole log: {self.log}",
        )

    def _what(self) -> str:
        match self.ending:
            case "time":
                return "ran out of time"
            case "hopeless":
                return "went round in circles and was stopped"
            case "memory":
                return "ran out of memory"
            case "killed":
                return "was killed from outside (SIGKILL; the kernel does so when memory runs out)"
            case "signal":
                return f"was ended by {signal.Signals(-self.status).name}"
            case _:
                return f"ended with status {self.status}"


class Processes:
    """The tools that run now; after `end` none does, and none can be started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ended = False

    def start(
        self, argv: Sequence[str], directory: Path, out: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """Start a tool in a group of its own; OSError where that is impossible."""
        with self._lock:
            if self._ended:
                raise ToolError("the build was broken off")
            process = subprocess.Popen(
                argv,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running.add(process)
            return process

    def forget(self, process: subprocess.Popen[bytes]) -> None:
        """Say that a tool has ended."""
        with self._lock:
            self._running.discard(process)

    def end(self) -> None:
        """Kill what runs."""
        with self._lock:
            self._ended = True
            for process in self._running:
                _kill(process)


def run(
    argv: Sequence[str],
    directory: Path,
    log: Path,
    *,
    timeout_s: float,
    processes: Processes | None = None,
    hopeless: Callable[[str], bool] | None = None,
) -> Outcome:
    """Run `argv` (a plain tool name first) in `directory` and say how it ended.

    All that it prints goes to `log`. After `timeout_s` it is killed with all its children, and
    once `hopeless` says so of the end of its log. Raises ToolError where it is missing or cannot
    be started.
    """
    tool, started = argv[0], (*tools.require(argv[0]), *argv[1:])
    try:
        return run_program(
            tool,
            started,
            directory,
            log,
            timeout_s=timeout_s,
            processes=processes,
            hopeless=hopeless,
        )
    except OSError as exc:
        raise ToolError(
            f"{tool} cannot be started: {exc.strerror}: {' '.join(started)}",
            hint=tools.tool(tool).install,
        ) from exc


def run_program(
    name: str,
    argv: Sequence[str],
    directory: Path,
    log: Path,
    *,
    timeout_s: float,
    processes: Processes | None = None,
    hopeless: Callable[[str], bool] | None = None,
) -> Outcome:
    """Do what `run` does for a program that is no tool of the table; messages say `name`.

    Raises OSError where it cannot be started.
    """
    processes = processes or Processes()
    kills = _memory_kills()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        process = processes.start(argv, directory, out)
        try:
            stopped = _wait(process, timeout_s, log, hopeless)
            if stopped is not None:
                _kill(process)
            status = process.wait()
        except BaseException:
            _kill(process)
            process.wait()
            raise
        finally:
            processes.forget(process)
    ending = stopped or _ending(status, log, _memory_kills() > kills)
    return Outcome(tuple(argv), name, ending, status, log)


def _wait(
    process: subprocess.Popen[bytes],
    timeout_s: float,
    log: Path,
    hopeless: Callable[[str], bool] | None,
) -> Literal["time", "hopeless"] | None:
    """Wait until the process has ended (None), or has to be ended."""
    deadline = time.monotonic() + timeout_s
    while True:
        left_s = deadline - time.monotonic()
        try:
            process.wait(timeout=max(0.0, left_s if hopeless is None else min(left_s, _LOOK_S)))
            return None
        except subprocess.TimeoutExpired:
            if time.monotonic() >= deadline:
                return "time"
            if hopeless is not None and hopeless("\n".join(_tail(log))):
                return "hopeless"


def _ending(status: int, log: Path, memory_kill: bool) -> Ending:
    if status == 0:
        return "ok"
    # A tool that a shell started reports the signal as 128 + its number.
    by_kill = status in (-signal.SIGKILL, 128 + signal.SIGKILL)
    text = "\n".join(_tail(log)).lower()
    if any(sign in text for sign in _MEMORY_SIGNS) or (by_kill and memory_kill):
        return "memory"
    if by_kill:
        return "killed"
    return "signal" if status < 0 else "status"


def _memory_kills() -> int:
    """Return how often the kernel killed for memory in this control group; 0 where untold."""
    try:
        rows = dict(line.split() for line in _MEMORY_EVENTS.read_text().splitlines())
        return int(rows.get("oom_kill", 0))
    except (OSError, ValueError):
        return 0


def _tail(log: Path) -> tuple[str, ...]:
    with log.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _READ_BYTES))
        text = file.read().decode("utf-8", errors="replace")
    return tuple(text.splitlines()[-_LAST_LINES:])


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
