"""From a graph to a build plan for an FPGA: style, RTL of the network, shell, commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TypeAlias, assert_never, get_args

from edgekit._data import data_dir
from edgekit.board import FpgaBoard
from edgekit.build.fpga import NETLIST, STATISTICS
from edgekit.build.plan import RTL_BUILD_ID_FILE, BuildPlan
from edgekit.config import FpgaWish
from edgekit.errors import DoesNotFitError, UnsupportedError
from edgekit.ir import text
from edgekit.ir.graph import Graph
from edgekit.ir.lowbit import LutLayer
from edgekit.passes.memory import tensor_bytes
from edgekit.target.fpga import estimate, folded, hardwired, shell, store, toolchain, vivado
from edgekit.target.fpga.core import Core, Resources, Style

Refusal: TypeAlias = DoesNotFitError | UnsupportedError
ZYNQ_TOP = "ek_zynq_top"  # what Vivado takes, and what synthesis without it is counted on


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """A network for a board: its RTL and what builds it."""

    core: Core
    plan: BuildPlan


def design(
    graph: Graph, board: FpgaBoard, wish: FpgaWish, *, operating_point: str, rate_hz: float
) -> Design:
    """Return the RTL of `graph` for `board`, and the plan of its bitstream.

    Args:
        graph: checked, one input and one output.
        board: says part, clock and pins.
        wish: style, what to optimize for, register stages and tools, where the user said so.
        operating_point: one of the board's; its clock is what timing has to meet.
        rate_hz: inferences per second that a folded network has to reach.

    Raises:
        UnsupportedError: an operator that no style serves.
        DoesNotFitError: larger than the part, or too slow for the rate, before any synthesis.
    """
    clock_hz = board.operating_points[operating_point].clock_hz
    core = core_of(graph, board, wish, clock_hz=clock_hz, rate_hz=rate_hz)
    facts = shell_facts(graph, core, board, operating_point)
    files = {**files_of(core), **shell.wrap(core, facts)}
    top, pins = shell.TOP, None
    if board.part.family == "zynq7":
        made = zynq_project(graph, core, board, operating_point)
        sources = _verilog(made.files)
        files, top = {**files, **made.files}, ZYNQ_TOP
    else:
        sources, pins = _verilog(files), shell.pins_of(facts)
    files[RTL_BUILD_ID_FILE] = shell.build_id("0" * 32)
    plan = toolchain.plan(
        graph.name,
        board,
        files,
        sources,
        top=top,
        clock_hz=clock_hz,
        pins=pins,
        flow=wish.toolchain,
        roomy=core.style == "hardwired" and any(isinstance(n, LutLayer) for n in graph.nodes),
    )
    final = {**plan.files, RTL_BUILD_ID_FILE: shell.build_id(plan.digest())}
    return Design(core, replace(plan, files=final))


def zynq_project(
    graph: Graph,
    core: Core,
    board: FpgaBoard,
    operating_point: str,
    *,
    allow_timing_failure: bool = False,
) -> vivado.VivadoProject:
    """Return the project that Vivado makes a bitstream of, for a board with a Zynq."""
    source, sink = graph.inputs[0].tensor, graph.outputs[0].tensor
    return vivado.project(
        core,
        board=board.name,
        part=board.part.device,
        model=graph.name,
        model_hash=text.digest(graph)[:32],
        clock_hz=board.operating_points[operating_point].clock_hz,
        input_bytes=tensor_bytes(graph.tensors[source]),
        output_bytes=tensor_bytes(graph.tensors[sink]),
        allow_timing_failure=allow_timing_failure,
    )


def _verilog(files: Mapping[PurePosixPath, bytes]) -> tuple[PurePosixPath, ...]:
    return tuple(sorted(path for path in files if path.suffix == ".v"))


def shell_facts(
    graph: Graph, core: Core, board: FpgaBoard, operating_point: str
) -> shell.ShellFacts:
    """Return what the shell of `core` on `board` has to know; Zynq's twin is clocked by a pin."""
    family, edge = board.part.family, graph.outputs[0]
    bram, spram = _left(core, board)
    return shell.ShellFacts(
        family="ice40" if family == "zynq7" else family,
        clock=board.clock_source(operating_point),
        clock_hz=board.operating_points[operating_point].clock_hz,
        baud=board.link.baud,
        pins=board.pins,
        board=board.name,
        model_hash=bytes.fromhex(text.digest(graph))[:16],
        input_bytes=tensor_bytes(graph.tensors[graph.inputs[0].tensor]),
        nodes=len(graph.nodes),
        name=graph.name,
        output_zero_point=edge.zero_point,
        output_scale=edge.scale,
        bram=bram,
        spram=spram,
    )


def store_of(core: Core, board: FpgaBoard) -> store.Store:
    """Return how the shell around `core` keeps inputs.

    Raises UnsupportedError where not even one has room.
    """
    bram, spram = _left(core, board)
    return store.choose(core, bram=bram, spram=spram)


def interval_cycles(core: Core, board: FpgaBoard) -> int:
    """Return the clocks from answer to answer on `board`, whose store gives a word a clock.

    Errors of store_of.
    """
    return max(core.interval_cycles, store_of(core, board).words)


def with_shell(core: Core, board: FpgaBoard) -> Resources:
    """Return what the network and the shell around it are expected to take; errors of store_of."""
    result = Resources(0, 0, bram=int(core.out_beats > 1))
    return estimate.added([core.estimate, shell.LOGIC, store_of(core, board).memory, result])


def _left(core: Core, board: FpgaBoard) -> tuple[int, int]:
    """Return the block RAMs and SPRAMs that the network leaves; ek_result keeps several beats."""
    taken, part = core.estimate, board.part
    return part.bram - taken.bram - (core.out_beats > 1), part.spram - taken.spram


def network_alone(core: Core, name: str, board: FpgaBoard, wish: FpgaWish) -> BuildPlan:
    """Return the plan of the network's netlist without shell: synthesis and nothing more."""
    files = files_of(core)
    sources = _verilog(files)
    clock_hz = board.operating_points[board.contract.operating_point].clock_hz
    whole = toolchain.plan(
        f"{name}_alone",
        board,
        files,
        sources,
        top="ek_core",
        clock_hz=clock_hz,
        pins=None,
        flow=wish.toolchain,
    )
    synth = {key: whole.products[key] for key in (NETLIST, STATISTICS)}
    return replace(whole, commands=whole.commands[:1], products=synth)


def files_of(core: Core) -> dict[PurePosixPath, bytes]:
    """Return the network's own files and the blocks that it instantiates."""
    blocks = data_dir("fpga") / "rtl"
    used = {
        PurePosixPath(f"rtl/{stem}.v"): (blocks / f"{stem}.v").read_bytes() for stem in core.blocks
    }
    return {**used, **core.files}


def core_of(
    graph: Graph, board: FpgaBoard, wish: FpgaWish, *, clock_hz: int, rate_hz: float
) -> Core:
    """Return the network's RTL in the style that was asked for, or in the first that has room.

    Hard-wired costs the least energy and the fewest cycles, folded the fewest cells.

    Raises:
        UnsupportedError: no style serves the network.
        DoesNotFitError: those that serve it are too large for the part, or too slow.
    """
    refused: dict[Style, Refusal] = {}
    for style in styles_of(wish):
        found = attempt(graph, board, style, wish.stages, clock_hz=clock_hz, rate_hz=rate_hz)
        if isinstance(found, Core):
            return found
        refused[style] = found
    raise refusal(refused)


def styles_of(wish: FpgaWish) -> tuple[Style, ...]:
    """Return the styles to try, the most welcome first."""
    styles: tuple[Style, ...] = get_args(Style)
    return styles if wish.style is None else (wish.style,)


def attempt(
    graph: Graph,
    board: FpgaBoard,
    style: Style,
    stages: int | None,
    *,
    clock_hz: int,
    rate_hz: float,
) -> Core | Refusal:
    """Return the network's RTL in `style`, or why there is none or no room for it."""
    try:
        match style:
            case "folded":
                core = _folded(graph, board, clock_hz=clock_hz, rate_hz=rate_hz)
            case "hardwired":
                hardwired.refuse_unserved(graph)
                _refuse_to_wire(graph, board)
                core = hardwired.generate(graph, stages=stages)
            case _:
                assert_never(style)
        estimate.refuse_too_large(graph.name, with_shell(core, board), board)
    except (DoesNotFitError, UnsupportedError) as error:
        return error
    return core


def refusal(refused: Mapping[Style, Refusal]) -> Refusal:
    """Return the one error that several styles' errors make, of which there is at least one."""
    errors = list(refused.values())
    if len(errors) == 1:
        return errors[0]
    # One that serves the network but has no room says more than one that never would.
    last = next((error for error in errors if isinstance(error, DoesNotFitError)), errors[0])
    words = "; ".join(f"{style}: {error.message}" for style, error in refused.items())
    return type(last)(words, hint=last.hint)


def _refuse_to_wire(graph: Graph, board: FpgaBoard) -> None:
    """Raise DoesNotFitError for sums that are larger than the part however they are wired."""
    least = hardwired.least_luts(graph)
    if least > board.part.lut:
        raise DoesNotFitError(
            f"{graph.name} hard-wired takes at least {least:,} look-up tables for its weights in "
            f"logic, and {board.part.device} has {board.part.lut:,}",
            hint="fpga.style: folded, or a part with more of them, or fewer or narrower weights",
        )


def _folded(graph: Graph, board: FpgaBoard, *, clock_hz: int, rate_hz: float) -> Core:
    """Return the folded network beside store.SLOTS inputs, or else beside as many as are left.

    The first only where its look-up tables fit for certain: block RAM is what they are saved with.
    """
    best: Core | None = None
    for left in rooms(board, tensor_bytes(graph.tensors[graph.inputs[0].tensor])):
        try:
            core = folded.generate(graph, left, rate_hz=rate_hz, clock_hz=clock_hz)
        except DoesNotFitError:
            continue
        fits = core.estimate.lut * (1 + estimate.ERROR) <= left.lut
        if fits and (best is None or core.estimate.lut < best.estimate.lut):
            best = core
    if best is not None:
        return best
    return folded.generate(graph, room(board), rate_hz=rate_hz, clock_hz=clock_hz)


def rooms(board: FpgaBoard, input_bytes: int) -> tuple[Resources, ...]:
    """Return what the part has left for a network beside store.SLOTS inputs in SPRAM.

    With the link's frames in block RAM, and in SPRAM; only what is possible, so none on a part
    without SPRAM. Inputs that fit into the block RAM of `room` take no SPRAM.
    """
    wanted = store.sprams_wanted(input_bytes)
    found = []
    for link in (store.LINK, store.LINK_SPRAM):
        beside = store.FEWEST.bram - store.LINK.bram if wanted == 0 else 1  # 1: for ek_result
        taken = replace(link, bram=link.bram + beside, spram=link.spram + wanted)
        if taken.spram <= board.part.spram:
            found.append(_beside(board, taken))
    return tuple(found)


def room(board: FpgaBoard) -> Resources:
    """Return what the part has left for a network beside a shell with few stored inputs."""
    return _beside(board, store.FEWEST)


def _beside(board: FpgaBoard, memory: Resources) -> Resources:
    part, taken = board.part, shell.LOGIC
    return Resources(
        lut=part.lut - taken.lut,
        ff=part.ff - taken.ff,
        carry=part.lut - taken.lut,
        bram=part.bram - memory.bram,
        spram=part.spram - memory.spram,
        dsp=part.dsp,
    )
