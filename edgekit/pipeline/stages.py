"""One function per stage; each takes the value of the one before."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit import frontend
from edgekit.board import Board, McuBoard
from edgekit.build import fpga as bitstreams
from edgekit.build import run as executor
from edgekit.build.plan import Artifact, BuildPlan, Toolchain
from edgekit.device import flash as flasher
from edgekit.device import session
from edgekit.device.find import find_port, serial_of
from edgekit.device.port import Port
from edgekit.device.serial_port import open_port
from edgekit.device.session import Run
from edgekit.errors import ConfigError, DoesNotFitError
from edgekit.ir.graph import Graph
from edgekit.ir.types import InputGrid
from edgekit.passes import optimize_with_savings, patches
from edgekit.passes.memory import MemoryPlan
from edgekit.passes.savings import Saving, saving
from edgekit.progress import Progress, Silent
from edgekit.target import mcu


def load(
    model: Path | str | object,
    grid: InputGrid | None = None,
    *,
    input_shape: Sequence[int] | None = None,
) -> Graph:
    """Return the integer graph of a model file or of a live model, checked.

    Args:
        model: a path; or a `torch.nn.Module` of Brevitas layers; or a Keras model of Larq or
            QKeras layers.
        grid: as for `frontend.load`.
        input_shape: of a `torch.nn.Module`, batch axis included; an example input will do.

    Raises ConfigError for what is no model, UnsupportedError for what cannot be exact.
    """
    if isinstance(model, str | Path):
        graph = frontend.load(Path(model), grid=grid)
    else:
        graph = frontend.load_live(model, input_shape, grid)
    edge = graph.inputs[0]
    if grid is not None and np.float32(edge.scale) != np.float32(grid.scale):
        raise ConfigError(
            f"{graph.name} states its own input, {edge.source_dtype} with a step of "
            f"{edge.scale:.6g}: no input grid is taken",
            hint="leave --input-grid and input_grid out",
        )
    return graph


@dataclass(frozen=True, slots=True, eq=False)
class Lowered:
    """A graph after the lossless passes, what each of them saved, and where its tensors live."""

    graph: Graph
    savings: tuple[Saving, ...]
    arena: MemoryPlan


def lower(
    graph: Graph,
    board: McuBoard,
    on_pass: Callable[[str, Graph], None] | None = None,
    *,
    fold: bool = True,
    arena_limit_bytes: int | None = None,
) -> Lowered:
    """Return the graph after the lossless passes; `fold` False keeps its dead channels.

    Early layers run in bands of rows where the arena would leave `arena_limit_bytes`, or without
    a limit the board's RAM. Raises DoesNotFitError where no plan meets the limit.
    """
    whole, savings = optimize_with_savings(graph, on_pass, fold=fold)
    limit = mcu.arena_room_bytes(board) if arena_limit_bytes is None else arena_limit_bytes
    planned = patches.fit(whole, functools.partial(_needs, board), limit)
    if planned.graph is not whole:
        arenas = (planned.whole_bytes, planned.arena.arena_bytes)
        savings = (*savings, saving(patches.PATCHES, whole, planned.graph, arenas))
        if on_pass is not None:
            on_pass(patches.PATCHES, planned.graph)
    if arena_limit_bytes is not None and planned.arena.arena_bytes > arena_limit_bytes:
        raise DoesNotFitError(
            f"{graph.name} for {board.name}: an arena of at most {arena_limit_bytes:,} bytes is "
            f"wanted; the smallest found has {planned.arena.arena_bytes:,}",
            hint="allow that many bytes, or use smaller images or fewer channels in the early "
            "layers",
        )
    return Lowered(planned.graph, savings, planned.arena)


def _needs(board: McuBoard, graph: Graph, tensors: Collection[str]) -> patches.Needs:
    return mcu.needs(graph, board, tensors)


def compile(
    graph: Graph,
    board: McuBoard,
    *,
    operating_point: str | None = None,
    toolchain: Toolchain | None = None,
    trace: bool = False,
    on_pass: Callable[[str, Graph], None] | None = None,
    fold: bool = True,
    arena_limit_bytes: int | None = None,
) -> BuildPlan:
    """Return everything needed to build `graph` for `board`; no tool has run yet.

    `trace` adds the hooks that show every layer's output; `fold` False keeps dead channels.
    `arena_limit_bytes` bounds the arena, at the price of some rows computed twice.
    Raises DoesNotFitError with the three
    largest tensors, ToolError when there is no compiler to plan for.
    """
    lowered = lower(graph, board, on_pass, fold=fold, arena_limit_bytes=arena_limit_bytes)
    point = operating_point or board.contract.operating_point
    chain = mcu.toolchain(toolchain, board.cpu)
    return emit(lowered.graph, lowered.arena, board, chain, point, trace=trace)


def emit(
    lowered: Graph,
    arena: MemoryPlan,
    board: McuBoard,
    toolchain: Toolchain,
    operating_point: str,
    *,
    trace: bool = False,
) -> BuildPlan:
    """Return the plan of a graph that has been lowered; see `compile`."""
    return mcu.emit(lowered, arena, board, toolchain, trace=trace, operating_point=operating_point)


def build(
    plan: BuildPlan,
    work: Path,
    *,
    allow_timing_failure: bool = False,
    progress: Progress | None = None,
) -> Artifact:
    """Run the plan's tools below `work`; a finished build of the same plan is reused.

    `allow_timing_failure` makes the bitstream of an FPGA whose clock was missed.
    """
    if plan.toolchain in ("gcc", "zig"):
        return executor.execute(plan, work, progress=progress)
    return bitstreams.execute(
        plan, work, allow_timing_failure=allow_timing_failure, progress=progress
    )


def flash(
    artifact: Artifact, board: Board, *, port_url: str | None = None, probe: str | None = None
) -> None:
    """Write the artifact to the one board that is attached, and see that it runs.

    Raises DeviceError when there is no board, more than one, or when it answers with another
    build; ToolError when the flasher is missing.
    """
    flasher.flash(artifact, board, probe=probe or serial_of(port_url))
    with closing(open_port(find_port(board, port_url))) as port:
        session.expect_build(port, artifact.plan)


def run(
    artifact: Artifact,
    port: Port,
    data: NDArray[np.int8],
    *,
    weights: bytes = b"",
    journal: Path | None = None,
    progress: Progress | None = None,
) -> Run:
    """Return the board's outputs for `data` (n, input bytes) and what each inference took.

    `weights` are loaded first, where a board asks for them. Outputs are kept in `journal` as they
    arrive, and a run that broke off resumes there. Raises DeviceError when the board stays silent
    or runs another build.
    """
    return session.run_samples(
        port,
        data,
        expected=artifact.plan,
        weights=weights,
        journal=journal,
        progress=progress or Silent(),
    )
