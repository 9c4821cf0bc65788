"""A network's RTL in simulation: what goes in, what comes out, and the exact cycles of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import MismatchError
from edgekit.target.fpga.core import LOAD_WORD_BYTES, Core
from edgekit.virtual.fpga import programs
from edgekit.virtual.fpga.compiled import Design, Simulator, build

Bytes = NDArray[np.uint8]

_LIMIT_S = 3600.0
IDLE_CYCLES = 20_000  # beside four times the core's own latency: nothing moved for so long
_FINDINGS = {
    3: "the network stands still: a deadlock",
    4: "the network broke a rule of its output stream",
    5: "a ready or valid of the network is unknown",
}


class Cycles(NamedTuple):
    """The timing of a run, in clock cycles.

    `latency` is from the first beat of the first inference taken to its last beat given, in a core
    at rest; `interval` the longest time between two answers in the second half of the run;
    `total` from the first beat taken to the last given. Exact where nobody made the core wait.
    """

    latency: int
    interval: int
    total: int


class CoreRun(NamedTuple):
    """The answers (n, output bytes), and the timing."""

    outputs: Bytes
    cycles: Cycles


def run_core(
    core: Core,
    blocks_dir: Path,
    inputs: Bytes,
    simulator: Simulator,
    work: Path,
    *,
    netlist: bytes | None = None,
    stress: int = 0,
) -> CoreRun:
    """Simulate a network on every input.

    Args:
        core: the network.
        blocks_dir: where fpga/rtl is.
        inputs: wire bytes (n, input bytes), uint8, n at least 1.
        simulator: who simulates. All three give the same, or the design is wrong.
        work: compiled simulators are kept in `work/simulators`; any number of runs may share it.
        netlist: Verilog of the network after synthesis for iCE40, in place of its RTL. For
            Verilator and iverilog: CXXRTL takes minutes to compile single cells.
        stress: not 0: the seed of bubbles before beats of the input and of back-pressure at the
            output. The answers do not change, the cycles do.

    Raises:
        ToolError: a simulator is missing or failed; the log is named.
        MismatchError: the network stopped, or broke a rule of its streams.
    """
    beats = core.beats(inputs)
    sources = _sources(core, blocks_dir, netlist)
    if simulator == "iverilog":
        numbers = {"IN_WIDTH": core.in_width, "OUT_WIDTH": core.out_width}
    else:
        numbers = {"EK_IN_BYTES": core.in_width // 8, "EK_OUT_BYTES": core.out_width // 8}
    design = Design("ek_core", sources, "ek_bench", numbers)
    program = build(design, simulator, work / "simulators")
    head = (
        len(inputs),
        core.in_beats,
        core.out_beats,
        len(core.weights) // LOAD_WORD_BYTES,
        stress,
        IDLE_CYCLES + 4 * core.latency_cycles,
        core.rest_cycles,
    )
    scratch = Path(tempfile.mkdtemp(dir=work, prefix="run-"))
    run = _interpreted if simulator == "iverilog" else _compiled
    done = run(program, core, beats, head, scratch)
    shutil.rmtree(scratch)  # kept where the run failed
    return done


def _sources(core: Core, blocks_dir: Path, netlist: bytes | None) -> Mapping[PurePosixPath, bytes]:
    if netlist is not None:
        cells = programs.ice40_cells()
        return {
            PurePosixPath("rtl/ek_core.v"): b"`define NO_ICE40_DEFAULT_ASSIGNMENTS\n" + netlist,
            PurePosixPath("sim/cells.v"): b"`define NO_ICE40_DEFAULT_ASSIGNMENTS\n" + cells,
        }
    blocks = {
        PurePosixPath(f"rtl/{stem}.v"): (blocks_dir / f"{stem}.v").read_bytes()
        for stem in core.blocks
    }
    return {**blocks, **core.files}


def _compiled(
    program: Path, core: Core, beats: Bytes, head: tuple[int, ...], scratch: Path
) -> CoreRun:
    """Run a compiled simulator: binary in, binary out (fpga/sim/ek_bench.cpp says how)."""
    given = np.array(head, "<u4").tobytes() + core.weights + beats.tobytes()
    (scratch / "in").write_bytes(given)
    _run((str(program.resolve()), *_files(scratch)), program, scratch)
    data = (scratch / "out").read_bytes()
    size = len(beats) * core.out_beats * core.out_width // 8
    outputs = np.frombuffer(data[:size], np.uint8).reshape(len(beats), -1)
    times = np.frombuffer(data[size:], "<u8").reshape(len(beats), 2).astype(np.int64)
    return CoreRun(outputs, cycles_of(times[:, 0], times[:, 1]))


def _interpreted(
    program: Path, core: Core, beats: Bytes, head: tuple[int, ...], scratch: Path
) -> CoreRun:
    """Run what iverilog compiled: files of most significant bytes first, and a text of answers."""
    scratch = scratch.resolve()
    stdin, words, stdout = scratch / "in", scratch / "words", scratch / "out"
    stdin.write_bytes(beats[:, :, ::-1].tobytes())
    words.write_bytes(np.frombuffer(core.weights, "<u2").astype(">u2").tobytes())
    names = (
        *("inferences", "in_beats", "out_beats", "load_words", "seed"),
        *("idle_limit", "rest_cycles"),
    )
    plus = [f"+{name}={value}" for name, value in zip(names, head, strict=True)]
    files = [f"+in={stdin}", f"+words={words}", f"+out={stdout}"]
    _run((*programs.vvp(), str(program.resolve()), *plus, *files), program, scratch)
    starts, ends, answers = [], [], []
    for line in stdout.read_text(encoding="ascii").splitlines():
        key, _, rest = line.partition(" ")
        if key == "o":
            answers.append(_beat(rest, core))
        elif key == "s":
            starts.append(int(rest))
        elif key == "e":
            ends.append(int(rest))
        else:
            status, _, cycle = rest.partition(" ")
            raise MismatchError(f"{_FINDINGS[int(status)]} at cycle {cycle}")
    outputs = np.frombuffer(b"".join(answers), np.uint8).reshape(len(beats), -1)
    return CoreRun(outputs, cycles_of(np.array(starts), np.array(ends)))


def _files(scratch: Path) -> tuple[str, str]:
    return str((scratch / "in").resolve()), str((scratch / "out").resolve())


def _beat(text: str, core: Core) -> bytes:
    try:
        return int(text, 16).to_bytes(core.out_width // 8, "little")
    except ValueError:
        raise MismatchError(
            f"the network gave unknown bits: {text}",
            hint="a register without reset, or a memory read before it was written",
        ) from None


def _run(argv: tuple[str, ...], program: Path, scratch: Path) -> None:
    """Run a simulator where its memory files lie."""
    programs.run(
        argv,
        program.resolve().parent,
        scratch / "simulation.log",
        _LIMIT_S,
        findings=_FINDINGS,
    )


def cycles_of(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Cycles:
    """Return the timing of a run from when each inference began and ended."""
    later = ends[len(ends) // 2 - 1 :] if len(ends) > 1 else ends
    interval = int(np.diff(later).max(initial=0))
    return Cycles(int(ends[0] - starts[0]), interval, int(ends[-1] - starts[0]))
