"""What a deployment does on a microcontroller alone: the report's rows, the C link, bisection."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekit.board import PoweredPoint
from edgekit.board import mcu as mcu_board
from edgekit.build.plan import Artifact
from edgekit.device.link import Link
from edgekit.device.session import trace_node
from edgekit.ir import edges, text
from edgekit.passes.memory import tensor_bytes
from edgekit.pipeline import detail, equality, native
from edgekit.pipeline.equality import Difference
from edgekit.pipeline.equality import Link as ChainLink
from edgekit.pipeline.prepare import McuPrepared, traced
from edgekit.pipeline.settings import Settings
from edgekit.pipeline.station import attach
from edgekit.progress import Progress
from edgekit.report.types import Budget, Detail, Equality, FirstDifference, LayerRow
from edgekit.target import mcu
from edgekit.virtual.process import Counts


def budget(settings: Settings) -> Budget:
    """Return the limits of the contract and of the board's memories."""
    board = mcu_board(settings.board)
    return Budget(
        limit_mw=settings.contract.limit_mw,
        flash_bytes=board.flash_memory.size_bytes,
        ram_bytes=board.ram.size_bytes,
    )


def finished(settings: Settings, prepared: McuPrepared, progress: Progress) -> McuPrepared:
    """Return `prepared`: firmware is finished once it is built."""
    del settings, progress
    return prepared


def described(settings: Settings, prepared: McuPrepared) -> Detail:
    """Return what is known once the firmware is built."""
    return Detail(
        model_hash=text.digest(prepared.lowered),
        arena_lower_bound_bytes=prepared.arena.lower_bound_bytes,
        memory=detail.memory_rows(
            prepared.lowered, prepared.arena, mcu.scratch_bytes(prepared.lowered, prepared.board)
        ),
        nodes=tuple(node.label for node in prepared.lowered.nodes),
        layers=layers(prepared, None),
        facts=detail.fact_rows(prepared.board, settings.contract.operating_point),
    )


def layers(prepared: McuPrepared, counts: Counts | None) -> tuple[LayerRow, ...]:
    """Return one row per node with its kernel and what the twin counted."""
    kernels = mcu.kernels(prepared.lowered, prepared.board)
    return detail.layer_rows(prepared.lowered, kernels, counts)


def links(settings: Settings, prepared: McuPrepared, progress: Progress) -> list[ChainLink]:
    """Return what the generated C answers on this machine; nothing without a compiler."""
    progress.stage(f"generated C on this machine, {len(prepared.samples)} samples")
    tensor = prepared.graph.tensors[prepared.graph.outputs[0].tensor]
    stored = prepared.samples.as_bytes()
    host = native.run(prepared.plan, stored, tensor_bytes(tensor), settings.work)
    return [] if host is None else [ChainLink("c", edges.from_bytes(tensor, host))]


def powered(settings: Settings, prepared: McuPrepared, progress: Progress) -> PoweredPoint | None:
    """Return the operating point with its currents; None where the board file has none."""
    del progress
    return prepared.board.operating_points[settings.contract.operating_point].powered()


def locate(
    settings: Settings, prepared: McuPrepared, found: Equality, progress: Progress
) -> Equality:
    """Return `found` with its first difference traced to a layer, where the board is wrong.

    Builds the firmware a second time with every layer readable and puts it on the board. When
    the wrong layer cannot be seen there, the difference at the output stays.
    """
    first = found.first_difference
    if first is None or first.between[1] not in ("c", "board"):
        return found
    progress.stage("bisect: which layer differs first")
    artifact = traced(settings, prepared, progress=progress)
    located = _bisect(settings, prepared, artifact, first, progress)
    return found if located is None else replace(found, first_difference=located)


def _bisect(
    settings: Settings,
    prepared: McuPrepared,
    artifact: Artifact,
    first: FirstDifference,
    progress: Progress,
) -> FirstDifference | None:
    samples, graph = prepared.samples, prepared.lowered
    sample = samples.integers[first.sample : first.sample + 1]
    row = samples.as_bytes()[first.sample]
    wrong = Difference(*first.between, first.sample, 0, first.expected, first.actual)
    with attach(settings, artifact, prepared.macs, progress=progress) as station:
        link = Link(station.port)
        link.connect()

        def read(node: int) -> NDArray[np.int64]:
            stored = np.frombuffer(trace_node(link, row, node), np.int8)
            return edges.from_bytes(graph.tensors[graph.nodes[node].y], stored)

        located = equality.bisect(graph, sample, read, wrong)
        link.bye()
    return located
