"""Everything that needs no board: the graph, its plan, the built artifact and the samples."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.build.plan import Artifact, BuildPlan, Toolchain
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
    arena: MemoryPlan
    plan: BuildPlan
    artifact: Artifact
    samples: Samples
    savings: tuple[Saving, ...]  # what each pass saved on the way from `graph` to `lowered`

    @property
    def macs(self) -> int:
        """Return the multiplications of one inference."""
        return self.plan.facts["macs"]


def prepare(settings: Settings, *, progress: Progress) -> Prepared:
    """Load, lower, plan, read the samples, build: whatever can be refused is refused first."""
    progress.stage("load and compile")
    graph = loaded(settings)
    chain = mcu.toolchain(None, settings.board.cpu)
    lowered = stages.lower(
        graph,
        settings.board,
        fold=settings.fold,
        arena_limit_bytes=settings.arena_limit_bytes,
    )
    plan = stages.emit(lowered.graph, lowered.arena, settings.board, chain, _point(settings))
    samples = data.read(settings.data, graph, seed=settings.seed)
    artifact = stages.build(plan, settings.work, progress=progress)
    return Prepared(graph, lowered.graph, lowered.arena, plan, artifact, samples, lowered.savings)


def loaded(settings: Settings) -> Graph:
    """Return the model's graph; an input that is compared takes the integers of the data file."""
    graph = stages.load(settings.model, settings.grid)
    if not graph.inputs[0].thresholds:
        return graph
    grid = data.grid_of(settings.data)
    return graph if grid is None else stages.load(settings.model, grid)


def traced(settings: Settings, prepared: Prepared, *, progress: Progress) -> Artifact:
    """Build the same model with every layer's output readable."""
    chain: Toolchain = prepared.plan.toolchain
    plan = stages.emit(
        prepared.lowered, prepared.arena, settings.board, chain, _point(settings), trace=True
    )
    return stages.build(plan, settings.work, progress=progress)


def _point(settings: Settings) -> str:
    return settings.contract.operating_point
