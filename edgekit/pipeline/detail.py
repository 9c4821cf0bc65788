"""What report.html draws, made from the graph, the memory plan and the counts."""

from __future__ import annotations

from collections.abc import Mapping

from edgekit.board import Board, Fact
from edgekit.ir import check
from edgekit.ir.graph import Graph
from edgekit.passes.memory import MemoryPlan
from edgekit.report.types import Cycles, FactRow, LayerRow, MemoryRow
from edgekit.virtual.process import Counts


def memory_rows(
    graph: Graph, arena: MemoryPlan, scratch_bytes: Mapping[str, int]
) -> tuple[MemoryRow, ...]:
    """Return one rectangle per arena tensor and scratch buffer, in order of first use.

    `scratch_bytes` is what the target's kernels need, by the output tensor of their node.
    """
    inputs = {edge.tensor for edge in graph.inputs}
    outputs = {edge.tensor for edge in graph.outputs}
    rows = [
        MemoryRow(
            tensor=name,
            kind="input" if name in inputs else "output" if name in outputs else "tensor",
            first_node=life.first,
            last_node=life.last,
            offset_bytes=life.offset,
            size_bytes=life.size_bytes,
        )
        for name, lives in arena.lifetimes.items()
        for life in lives
    ]
    for number, node in enumerate(graph.nodes):
        if node.y in scratch_bytes:
            offset, size = arena.scratch_offsets[node.y], scratch_bytes[node.y]
            rows.append(MemoryRow(node.y, "scratch", number, number, offset, size))
    return tuple(sorted(rows, key=lambda r: (r.first_node, r.offset_bytes)))


def layer_rows(
    graph: Graph, kernels: Mapping[str, str], counts: Counts | None
) -> tuple[LayerRow, ...]:
    """Return one row per node; figures of a node that costs no call (a reshape) stay None.

    `kernels` names each node's kernel by the tensor it writes, in the order of the calls.
    """
    calls = iter(counts.per_call if counts is not None else ())
    rows = []
    for node in graph.nodes:
        call = next(calls, None) if node.y in kernels else None
        rows.append(
            LayerRow(
                name=node.label,
                op=type(node).__name__,
                shape=graph.tensors[node.y].shape,
                macs=check.macs(graph, node),
                instructions=None if call is None else call.instructions,
                cycles=None if call is None else Cycles.of(call.cycles_lo, call.cycles_hi),
                bytes_moved=None if call is None else call.bytes_moved,
                kernel=kernels.get(node.y, ""),
            )
        )
    return tuple(rows)


def fact_rows(board: Board, operating_point: str) -> tuple[FactRow, ...]:
    """Return the board's figures that the energy rests on, with their sources."""
    point = board.operating_points[operating_point]
    named: tuple[tuple[str, Fact | None], ...] = (
        ("current while running", point.run_ua),
        ("current asleep", point.sleep_ua),
        ("current waiting for the link", point.idle_ua),
        ("wake-up", point.wakeup_us),
        ("floor of the scope", board.floor_mw),
    )
    return (
        FactRow("clock", f"{point.clock_hz / 1e6:g} MHz", "operating point", verified=True),
        FactRow("supply", f"{point.supply_mv / 1e3:g} V", "operating point", verified=True),
        *(
            FactRow(name, _with_limits(fact), fact.source, fact.verified)
            for name, fact in named
            if fact is not None
        ),
    )


def _with_limits(fact: Fact) -> str:
    return f"{fact.value:g} {fact.unit} ± {fact.plus_minus_percent:g} %"
