"""A network's netlist on every input: its answers, its cycles, and how much of it switches."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.cost.fpga_activity import Activity
from edgekit.target.fpga.core import LOAD_WORD_BYTES, Core
from edgekit.virtual.fpga import programs
from edgekit.virtual.fpga.bench import IDLE_CYCLES, Bytes, Cycles, cycles_of
from edgekit.virtual.fpga.compiled import build_plain
from edgekit.virtual.fpga.netlist import Netlist

_LANES = 64
_COUNTED_A_LANE = 4  # inferences at least, while the pipeline is full
_LIMIT_S = 3600.0
_FINDINGS = {
    3: "the netlist stands still: a deadlock",
    4: "the netlist never settles",
    6: "the netlist's timing depends on its data",
}


class NetlistRun(NamedTuple):
    """The answers (n, output bytes), the timing of one stream, and the switching.

    The activity is of the time in which the pipeline was full. Toggles are those of all nets
    inside, its input ports counted (in a shell they are nets too), the clock not.
    """

    outputs: Bytes
    cycles: Cycles
    activity: Activity


def run_netlist(
    core: Core,
    netlist: Netlist,
    inputs: Bytes,
    work: Path,
    *,
    delays: bool = False,
    streams: int = _LANES,
) -> NetlistRun:
    """Simulate a netlist on every input, several streams of inferences side by side.

    Args:
        core: the network that the netlist was made of.
        netlist: of module `ek_core`.
        inputs: wire bytes (n, input bytes), uint8, n at least 1, different ones in a row: a
            repeated input toggles nothing. They are given again where they are too few to fill
            the pipeline.
        work: the compiled simulator is kept in `work/simulators`.
        delays: count glitches too: LUT 1,200 ps, carry 280 ps, clock to output 1,400 ps,
            inertial. Without, each net settles at once. The answers are the same.
        streams: at most so many side by side, up to 64; each is long enough to fill the pipeline.

    Raises:
        ToolError: no C++ compiler.
        MismatchError: the netlist stopped, or its timing depends on its data.
    """
    program = build_plain("ek_netlist", work / "simulators")
    n = len(inputs)
    fewest = _COUNTED_A_LANE + 1 + -(-core.latency_cycles // core.interval_cycles)
    lanes = max(1, min(_LANES, streams, n // fewest))
    steps = max(fewest, -(-n // lanes))
    order = np.arange(lanes * steps).reshape(lanes, steps) % n
    scratch = Path(tempfile.mkdtemp(dir=work, prefix="run-")).resolve()
    (scratch / "netlist").write_bytes(netlist.to_bytes())
    (scratch / "in").write_bytes(_given(core, netlist, core.beats(inputs)[order], delays))
    programs.run(
        (str(program.resolve()), *(str(scratch / name) for name in ("netlist", "in", "out"))),
        scratch,
        scratch / "simulation.log",
        _LIMIT_S,
        findings=_FINDINGS,
    )
    told = np.frombuffer((scratch / "out").read_bytes(), "<u8")
    shutil.rmtree(scratch)
    size = steps * core.out_beats * core.out_width
    answers = _lanes_apart(told[:size].reshape(steps, -1), lanes).reshape(lanes * steps, -1)
    outputs = np.packbits(answers, axis=1, bitorder="little")[np.argsort(order.ravel()[:n])]
    times = told[size : size + 2 * steps].reshape(steps, 2).astype(np.int64)
    activity = _activity(netlist, told[size + 2 * steps :], lanes, delays)
    return NetlistRun(outputs, cycles_of(times[:, 0], times[:, 1]), activity)


def _given(core: Core, netlist: Netlist, beats: Bytes, delays: bool) -> bytes:
    """Return the simulator's standard input; `beats` are (lanes, steps, in_beats, bytes)."""
    lanes, steps = beats.shape[:2]
    words = len(core.weights) // LOAD_WORD_BYTES
    limit = IDLE_CYCLES + 4 * core.latency_cycles
    widths = (core.in_width, core.out_width)
    lengths = (steps, core.in_beats, core.out_beats, words, limit, core.rest_cycles)
    head = (*lengths, int(delays), lanes, *widths)
    single = ("rst", "in_valid", "in_ready", "out_valid", "out_ready", "load_valid")
    ports = [
        net for name in (*single, "load_data", "in_data", "out_data") for net in netlist.ports[name]
    ]
    bits = np.unpackbits(beats, axis=-1, bitorder="little")
    together = np.zeros((*bits.shape[1:], _LANES), np.uint8)
    together[..., :lanes] = np.moveaxis(bits, 0, -1)
    return (
        np.array([*head, *ports], "<u4").tobytes()
        + core.weights
        + bytes(words % 2 * LOAD_WORD_BYTES)
        + np.packbits(together, axis=-1, bitorder="little").tobytes()
    )


def _lanes_apart(words: NDArray[np.uint64], lanes: int) -> NDArray[np.uint8]:
    """Return the bits (lanes, steps, bits) of words (steps, bits)."""
    data = words.astype("<u8").view(np.uint8).reshape(*words.shape, 8)
    return np.moveaxis(np.unpackbits(data, axis=-1, bitorder="little"), -1, 0)[:lanes]


def _activity(netlist: Netlist, told: NDArray[np.uint64], lanes: int, delays: bool) -> Activity:
    cycles, inferences, reads, writes, big_ram = (int(v) for v in told[:5])
    toggles = int(told[5:][netlist.counted].sum())
    pin_toggles = float(told[5:] @ netlist.weights)
    whole = max(1, cycles * lanes)
    return Activity(
        cycles=whole,
        inferences=inferences * lanes,
        toggles_per_cycle=toggles / whole,
        with_delays=delays,
        ff_clocked=len(netlist.flip_flops),
        lut=netlist.luts,
        pin_toggles_per_cycle=pin_toggles / whole,
        bram_reads_per_cycle=reads / whole,
        bram_writes_per_cycle=writes / whole,
        spram_accesses_per_cycle=big_ram / whole,
    )
