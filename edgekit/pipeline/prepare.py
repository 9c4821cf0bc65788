"""Everything that needs no board: the graph, its plan, the built artifact and the samples.

The second half is what microcontrollers need; FPGAs are in `fpga`.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.board import McuBoard
from edgekit.board import mcu as mcu_board
from edgekit.build.plan import Artifact, BuildPlan, Sizes, Toolchain
from edgekit.ir.graph import Graph
from edgekit.passes.memory import MemoryPlan
from edgekit.passes.savings import Saving
from edgekit.pipeline import data, stages
from edgekit.pipeline.data import Samples
from edgekit.pipeline.settings import Settings
from edgekit.progress import Progress
from edgekit.target import mcu


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A model ready to go onto a board. `lowered` is `graph` after the lossless passes."""

    graph: Graph
    lowered: Graph
    plan: BuildPlan
    artifact: Artifact
    samples: Samples
    savings: tuple[Saving, ...]  # what each pass saved on the way from `graph` to `lowered`

    @property
    def macs(self) -> int:
        """Return the multiplications of one inference."""
        return self.plan.facts["macs"]

    @property
    def interval_cycles(self) -> int | None:
        """Return the clocks from answer to answer where inferences overlap, else None."""
        return None

    @property
    def weights(self) -> bytes:
        """Return what has to be loaded over the link before the first inference."""
        return b""


@dataclass(frozen=True, slots=True, eq=False)
class McuPrepared(Prepared):
    """Firmware for `board`, and where its tensors live."""

    board: McuBoard
    arena: MemoryPlan

    @property
    def sizes(self) -> Sizes:
        """Return the bytes of the image."""
        assert isinstance(self.artifact.sizes, Sizes)  # a build of firmware has no others
        return self.artifact.sizes


def prepare(settings: Settings, progress: Progress) -> McuPrepared:
    """Load, lower, plan, read the samples, build: whatever can be refused is refused first."""
    board = mcu_board(settings.board)
    progress.stage("load and compile")
    graph = loaded(settings)
    chain = mcu.toolchain(None, board.cpu)
    lowered = stages.lower(
        graph,
        board,
        fold=settings.fold,
        arena_limit_bytes=settings.arena_limit_bytes,
    )
    plan = stages.emit(lowered.graph, lowered.arena, board, chain, _point(settings))
    samples = data.read(settings.data, graph, seed=settings.seed)
    artifact = stages.build(plan, settings.work, progress=progress)
    return McuPrepared(
        graph, lowered.graph, plan, artifact, samples, lowered.savings, board, lowered.arena
    )


def loaded(settings: Settings) -> Graph:
    """Return the model's graph; an input that is compared takes the integers of the data file."""
    graph = stages.load(settings.model, settings.grid)
    if not graph.inputs[0].thresholds:
        return graph
    grid = data.grid_of(settings.data)
    return graph if grid is None else stages.load(settings.model, grid)


def traced(settings: Settings, prepared: McuPrepared, *, progress: Progress) -> Artifact:
    """Build the same model with every layer's output readable."""
    chain: Toolchain = prepared.plan.toolchain
    plan = stages.emit(
        prepared.lowered, prepared.arena, prepared.board, chain, _point(settings), trace=True
    )
    return stages.build(plan, settings.work, progress=progress)


def _point(settings: Settings) -> str:
    return settings.contract.operating_point
