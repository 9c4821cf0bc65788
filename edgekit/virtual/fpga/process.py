"""Starts the twin of an FPGA board: the RTL that the board would run, behind the same link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path, PurePosixPath

from edgekit.board import FpgaBoard
from edgekit.errors import DeviceError
from edgekit.virtual.fpga.compiled import Design, Simulator, build
from edgekit.virtual.process import Faults, Twin, launch

TOP = "ek_board"  # the network, the shell and its facts; without the part's pads
_MODULE = "edgekit.virtual.fpga"
_PADS = "ek_top"
_SOURCES = (".v", ".vh", ".hex")


def sources_in(directory: Path) -> dict[PurePosixPath, bytes]:
    """Return the RTL of a build's directory, its pads left out."""
    return {
        PurePosixPath(path.relative_to(directory).as_posix()): path.read_bytes()
        for path in sorted((directory / "rtl").rglob("*"))
        if path.suffix in _SOURCES and path.stem != _PADS
    }


def start_fpga_twin(
    sources: Mapping[PurePosixPath, bytes],
    board: FpgaBoard,
    work: Path,
    *,
    cache: Path,
    faults: Faults | None = None,
    operating_point: str | None = None,
    simulator: Simulator = "cxxrtl",
) -> Twin:
    """Compile `sources`, whose top is `ek_board`, and start them as the twin of `board`.

    Args:
        sources: what `sources_in` returns of a build's directory.
        board: says the clock and the serial line; nothing else of it matters here.
        work: takes the log and the configuration.
        cache: where compiled simulators are kept, by their digest.
        faults: what goes wrong.
        operating_point: one of the board's; the contract's where None.
        simulator: "cxxrtl", or "verilator" as second opinion; they behave the same.

    Raises DeviceError when the board has no twin; ToolError when a compiler is missing or fails,
    or the process does not start.
    """
    if not board.emulated:
        raise DeviceError(f"{board.name} has no virtual twin", hint="`edgekit boards` lists them")
    cache.mkdir(parents=True, exist_ok=True)
    library = build(Design(TOP, sources, TOP), simulator, cache / "simulators", shared=True)
    point = board.operating_points[operating_point or board.contract.operating_point]
    told = {
        "library": str(library.resolve()),
        "clock_hz": round(point.clock_hz),
        "baud": board.link.baud,
        "faults": asdict(faults or Faults()),
    }
    return launch(_MODULE, told, work)
