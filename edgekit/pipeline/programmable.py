"""What a deployment does on an FPGA alone: its design, the links of the chain, its currents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from edgekit._data import data_dir
from edgekit.board import FpgaBoard, PoweredPoint
from edgekit.board import fpga as fpga_board
from edgekit.build.plan import Artifact, FpgaSizes
from edgekit.cost import fpga_power
from edgekit.cost.fpga_activity import Activity
from edgekit.cost.fpga_power import Scope
from edgekit.ir import check, edges, text
from edgekit.ir.graph import Graph
from edgekit.passes import optimize_with_savings
from edgekit.pipeline import data, detail, stages, styles, zynq
from edgekit.pipeline.data import Samples
from edgekit.pipeline.equality import Link as ChainLink
from edgekit.pipeline.prepare import Prepared, loaded
from edgekit.pipeline.settings import Settings
from edgekit.pipeline.styles import Built
from edgekit.progress import Progress
from edgekit.report.types import Budget, Detail, Equality, LayerRow
from edgekit.target.fpga import hls
from edgekit.target.fpga import plan as fpga_plan
from edgekit.target.fpga.core import Core
from edgekit.target.fpga.plan import Design
from edgekit.virtual.fpga import programs
from edgekit.virtual.fpga.bench import run_core
from edgekit.virtual.fpga.netlist import Netlist, parse
from edgekit.virtual.fpga.switching import run_netlist
from edgekit.virtual.process import Counts

DEFAULT_RATE_HZ = 10.0  # that a folded network keeps where the contract names no rate
SIMULATED_FAMILY = "ice40"
MODELLED_DEVICE = "up5k"
# Simulated side by side; with delays fewer, so that every stream is long and its pipeline full.
TIMED_STREAMS, ALL_STREAMS = 8, 64
TIMED_SAMPLES = 512
# What the shell's counters and its run sequencer switch while the network runs, in pins a cycle.
SHELL_PIN_TOGGLES = 64.0


@dataclass(frozen=True, slots=True, eq=False)
class FpgaPrepared(Prepared):
    """A bitstream for `board` and the network in it."""

    board: FpgaBoard
    core: Core
    note: str  # why this style, "" where there was nothing to choose

    @property
    def macs(self) -> int:
        """Return the multiplications of one inference."""
        return sum(check.macs(self.lowered, node) for node in self.lowered.nodes)

    @property
    def interval_cycles(self) -> int:
        """Return the clocks from answer to answer."""
        return fpga_plan.interval_cycles(self.core, self.board)

    @property
    def weights(self) -> bytes:
        """Return what fills single-port RAM, which starts without contents."""
        return self.core.weights


def budget(settings: Settings) -> Budget:
    """Return the limits of the contract, of the part and of its clock."""
    board = fpga_board(settings.board)
    clock_hz = board.operating_points[settings.contract.operating_point].clock_hz
    return Budget(limit_mw=settings.contract.limit_mw, lut=board.part.lut, clock_mhz=clock_hz / 1e6)


def prepare(settings: Settings, progress: Progress) -> FpgaPrepared:
    """Load, lower, design, read the samples, build: whatever can be refused is refused first."""
    board = fpga_board(settings.board)
    progress.stage("load and compile")
    if settings.virtual:  # minutes before the twin is compiled
        programs.yosys()
        programs.cxx()
    graph = loaded(settings)
    lowered, savings = optimize_with_savings(graph, None, fold=settings.fold)
    samples = data.read(settings.data, graph, seed=settings.seed)
    note = ""
    if settings.fpga.optimize is not None and board.part.device == MODELLED_DEVICE:

        def build(styled: Settings, told: Progress) -> Built:
            return _counted(styled, lowered, samples, told)

        scope = _scope(settings.contract.scope)
        chosen, note = styles.best(settings, board, scope, build, progress)
        made, artifact = chosen.design, chosen.artifact
    else:
        if settings.fpga.optimize is not None:
            note = f"not optimized: the power of {board.part.device} is not known here"
        made = designed(settings, lowered)
        if zynq.is_wanted(settings):
            zynq.refuse(settings, lowered, made.core)
        artifact = _built(settings, made, progress)
    if board.part.family == "zynq7":
        _write(hls.generate(lowered), settings.work / "hls")
    core = made.core
    return FpgaPrepared(graph, lowered, made.plan, artifact, samples, savings, board, core, note)


def _built(settings: Settings, made: Design, progress: Progress) -> Artifact:
    allow = settings.fpga.allow_timing_failure
    return stages.build(made.plan, settings.work, allow_timing_failure=allow, progress=progress)


def _counted(settings: Settings, lowered: Graph, samples: Samples, progress: Progress) -> Built:
    """Return a style's bitstream with what the whole design switches while it infers."""
    made = designed(settings, lowered)
    artifact = _built(settings, made, progress)
    distinct = _distinct(settings, lowered, samples)
    activity = _activity(settings, made, artifact, distinct, progress)
    return Built(made, artifact, activity)


def _write(files: Mapping[PurePosixPath, bytes], directory: Path) -> None:
    """Write the project for the vendor's HLS tool, which a user may want to look at."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def finished(settings: Settings, prepared: FpgaPrepared, progress: Progress) -> FpgaPrepared:
    """Return `prepared` with the bundle of a Zynq; other bitstreams are finished once built."""
    if not zynq.is_wanted(settings):
        return prepared
    graph, core = prepared.lowered, prepared.core
    artifact = zynq.bundled(settings, graph, core, prepared.artifact, progress)
    return replace(prepared, artifact=artifact)


def designed(settings: Settings, lowered: Graph) -> Design:
    """Return the RTL of a lowered graph for the board, and the plan of its bitstream."""
    contract = settings.contract
    return fpga_plan.design(
        lowered,
        fpga_board(settings.board),
        settings.fpga,
        operating_point=contract.operating_point,
        rate_hz=DEFAULT_RATE_HZ if contract.rate_hz is None else contract.rate_hz,
    )


def described(settings: Settings, prepared: FpgaPrepared) -> Detail:
    """Return what is known once the bitstream is built."""
    core = prepared.core
    notes = [
        f"network: {core.style}, {core.latency_cycles:,} cycles to an answer, one every "
        f"{prepared.interval_cycles:,}; {core.estimate.lut:,} look-up tables estimated without "
        "shell",
    ]
    if prepared.note:
        notes.append(prepared.note)
    return Detail(
        model_hash=text.digest(prepared.lowered),
        nodes=tuple(node.label for node in prepared.lowered.nodes),
        layers=layers(prepared, None),
        facts=detail.fact_rows(prepared.board, settings.contract.operating_point),
        notes=tuple(notes),
    )


def layers(prepared: FpgaPrepared, counts: Counts | None) -> tuple[LayerRow, ...]:
    """Return one row per node; all of them work at once, so that none has cycles of its own."""
    del counts
    kernels = {node.y: prepared.core.style for node in prepared.lowered.nodes}
    return detail.layer_rows(prepared.lowered, kernels, None)


def links(settings: Settings, prepared: FpgaPrepared, progress: Progress) -> list[ChainLink]:
    """Return what HLS C++, RTL and the synthesized netlist answer on this machine.

    The netlist is that of the network alone, and only of parts that its simulator knows.
    """
    stored = prepared.samples.as_bytes()
    progress.stage(f"HLS C++ on this machine, {len(stored)} samples")
    found = [_link(prepared, "hls", hls.csim(prepared.lowered, stored, settings.work))]
    if not settings.virtual:  # a virtual board is the RTL
        found.append(_link(prepared, "rtl", _rtl(settings, prepared, progress)))
    if prepared.board.part.family != SIMULATED_FAMILY:
        return found
    alone = _alone(settings, prepared.core, prepared.plan.name, progress)
    progress.stage(f"synthesized netlist, {len(stored)} samples")
    bits = stored.view(np.uint8)
    done = run_netlist(prepared.core, alone, bits, settings.work, streams=ALL_STREAMS)
    return [*found, _link(prepared, "netlist", done.outputs.view(np.int8))]


def _rtl(settings: Settings, prepared: FpgaPrepared, progress: Progress) -> NDArray[np.int8]:
    stored = prepared.samples.as_bytes().view(np.uint8)
    progress.stage(f"RTL in simulation, {len(stored)} samples")
    blocks = data_dir("fpga") / "rtl"
    done = run_core(prepared.core, blocks, stored, "cxxrtl", settings.work / "cache")
    return done.outputs.view(np.int8)


def _alone(settings: Settings, core: Core, name: str, progress: Progress) -> Netlist:
    """Return the synthesized network without shell."""
    board = fpga_board(settings.board)
    plan = fpga_plan.network_alone(core, name, board, settings.fpga)
    built = stages.build(plan, settings.work, progress=progress)
    return parse(built.products["netlist"].read_bytes(), "ek_core")


def _link(prepared: FpgaPrepared, name: str, stored: NDArray[np.int8]) -> ChainLink:
    tensor = prepared.graph.tensors[prepared.graph.outputs[0].tensor]
    return ChainLink(name, edges.from_bytes(tensor, stored))


def locate(
    settings: Settings, prepared: FpgaPrepared, found: Equality, progress: Progress
) -> Equality:
    """Return `found`: layers of a network in RTL cannot be read apart."""
    del settings, prepared, progress
    return found


def powered(settings: Settings, prepared: FpgaPrepared, progress: Progress) -> PoweredPoint | None:
    """Return the operating point with the currents of this network; None where none are known.

    Only the UP5K has published coefficients. The network's switching is counted with delays on
    its netlist; the shell adds its flip-flops, the reads of its store and its counters.
    """
    board = prepared.board
    if board.part.device != MODELLED_DEVICE:
        return None
    point = board.operating_points[settings.contract.operating_point]
    made = Design(prepared.core, prepared.plan)
    distinct = _distinct(settings, prepared.graph, prepared.samples)
    activity = _activity(settings, made, prepared.artifact, distinct, progress)
    return fpga_power.powered_point(
        activity,
        clock_hz=point.clock_hz,
        source=fpga_power.source_of(board, settings.contract.operating_point),
        sleep="slow",
        scope=_scope(settings.contract.scope),
        supply_mv=point.supply_mv,
    )


def _distinct(settings: Settings, graph: Graph, samples: Samples) -> Samples:
    """Return what switching is counted on, distinct inputs as in the metered window.

    A repeated input toggles nothing, and would make the power look small.
    """
    return data.stimuli(samples, graph, room=TIMED_SAMPLES, seed=settings.seed)[0]


def _activity(
    settings: Settings, made: Design, artifact: Artifact, samples: Samples, progress: Progress
) -> Activity:
    """Count what the network switches, with delays, and add what is known of the shell."""
    core, sizes = made.core, artifact.sizes
    assert isinstance(sizes, FpgaSizes)  # a bitstream has no others
    alone = _alone(settings, core, made.plan.name, progress)
    inputs = samples.as_bytes().view(np.uint8)
    progress.stage(f"toggles of the netlist, {len(inputs)} samples")
    activity = run_netlist(
        core, alone, inputs, settings.work, delays=True, streams=TIMED_STREAMS
    ).activity
    kept, clocks = (
        fpga_plan.store_of(core, fpga_board(settings.board)),
        activity.cycles_per_inference,
    )
    pins = activity.pin_toggles_per_cycle
    return replace(
        activity,
        ff_clocked=sizes.ff,
        lut=sizes.lut,
        bram_reads_per_cycle=activity.bram_reads_per_cycle + kept.bram_accesses / clocks,
        spram_accesses_per_cycle=activity.spram_accesses_per_cycle + kept.spram_accesses / clocks,
        pin_toggles_per_cycle=None if pins is None else pins + SHELL_PIN_TOGGLES,
    )


def _scope(scope: str) -> Scope:
    match scope:
        case "core" | "io":
            return scope
        case _:
            return "supply"
