"""One function per stage; each takes the value of the one before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgekit import frontend
from edgekit.board import Board
from edgekit.build import run as executor
from edgekit.build import tools
from edgekit.build.plan import Artifact, BuildPlan, Toolchain
from edgekit.ir.graph import Graph
from edgekit.passes import memory, optimize
from edgekit.passes.memory import MemoryPlan
from edgekit.progress import Progress
from edgekit.target import mcu


def load(path: Path) -> Graph:
    """Return the integer graph of a .tflite or .onnx model, checked.

    Raises ConfigError for a file that is no model, UnsupportedError for what cannot be exact.
    """
    return frontend.load(path)


def lower(
    graph: Graph, board: Board, on_pass: Callable[[str, Graph], None] | None = None
) -> tuple[Graph, MemoryPlan]:
    """Return the graph after the lossless passes, and its arena."""
    lowered = optimize(graph, on_pass)
    return lowered, memory.plan(lowered, mcu.scratch_bytes(lowered, board))


def compile(
    graph: Graph,
    board: Board,
    *,
    operating_point: str | None = None,
    toolchain: Toolchain | None = None,
    trace: bool = False,
    on_pass: Callable[[str, Graph], None] | None = None,
) -> BuildPlan:
    """Return everything needed to build `graph` for `board`; no tool has run yet.

    `trace` adds the hooks that show every layer's output. Raises DoesNotFitError with the three
    largest tensors, ToolError when there is no compiler to plan for.
    """
    lowered, arena = lower(graph, board, on_pass)
    return mcu.emit(
        lowered,
        arena,
        board,
        tools.toolchain(toolchain),
        trace=trace,
        operating_point=operating_point or board.contract.operating_point,
    )


def build(plan: BuildPlan, work: Path, *, progress: Progress | None = None) -> Artifact:
    """Run the plan's tools below `work`; a finished build of the same plan is reused."""
    return executor.execute(plan, work, progress=progress)
