"""The arena: where each activation and scratch buffer lives (SPEC section 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.ir.graph import Graph
from edgekit.ir.nodes import Rows, Stack
from edgekit.passes import placement
from edgekit.passes.buffers import ALIGNMENT_BYTES, Demand, Overlap, aligned, demand, tensor_bytes

__all__ = ["ALIGNMENT_BYTES", "Lifetime", "MemoryPlan", "Overlap", "plan", "tensor_bytes"]


@dataclass(frozen=True, slots=True)
class Lifetime:
    """When and where bytes of a tensor live: nodes `first` to `last`, both included."""

    first: int
    last: int
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Offsets into one arena, in bytes, all multiples of 4.

    `lower_bound_bytes` is the most that is live during any one node, less what that node's output
    may share with its inputs: no plan can be smaller. `lifetimes` has several entries for a tensor
    whose rows die at different nodes, and none for one that is another name for rows.
    """

    offsets: Mapping[str, int]
    scratch_offsets: Mapping[str, int]  # by the output tensor of the node that uses it
    arena_bytes: int
    lower_bound_bytes: int
    lifetimes: Mapping[str, tuple[Lifetime, ...]]


def plan(
    graph: Graph,
    scratch_bytes: Mapping[str, int],
    overlaps: Mapping[str, Overlap] | None = None,
    *,
    enough_bytes: int = 0,
) -> MemoryPlan:
    """Return the smallest plan found by several greedy orders, the same on every run.

    Args:
        graph: a graph that `ir.check.verify` accepts.
        scratch_bytes: working memory of a node, by its output tensor; live during that node.
        overlaps: what a node's output may write over, by its output tensor.
        enough_bytes: the search for a smaller arena ends when it has this size.

    Raises:
        UnsupportedError: rows of a tensor begin at no multiple of 4 bytes.
    """
    wanted = demand(graph, scratch_bytes, overlaps or {})
    live = live_bytes(wanted, len(graph.nodes))
    found = placement.place(wanted, live, enough_bytes)
    offsets = {
        name: found.offsets[place.buffer] + place.start for name, place in wanted.places.items()
    }
    return MemoryPlan(
        offsets=offsets,
        scratch_offsets={
            name: found.offsets[buffer]
            for buffer in wanted.buffers
            if buffer.scratch
            for name in buffer.starts
        },
        arena_bytes=found.arena_bytes,
        lower_bound_bytes=max(live),
        lifetimes=_lifetimes(graph, wanted, offsets),
    )


def live_bytes(wanted: Demand, nodes: int) -> list[int]:
    """Return the bytes live during each node, its output as far over its inputs as it may be."""
    live = [0] * max(nodes, 1)
    for buffer in wanted.buffers:
        for piece in buffer.pieces:
            for k in range(max(piece.first, 0), min(piece.last + 1, len(live))):
                live[k] += piece.end - piece.start
    dying: dict[int, int] = {}  # input bytes that a node may write over
    behind: dict[int, int] = {}
    for sharing in wanted.sharings:
        k, source = sharing.node, sharing.input
        dying[k] = dying.get(k, 0) + sum(
            min(piece.end, aligned(source.end)) - max(piece.start, source.start)
            for piece in source.buffer.pieces
            if piece.last == k and piece.start < source.end and source.start < piece.end
        )
        distance = max(sharing.overlap.behind_bytes, 0)
        behind[k] = min(behind.get(k, distance), distance)
    for sharing in wanted.sharings:
        k, size = sharing.node, aligned(sharing.output.end) - sharing.output.start
        live[k] -= max(min(dying.pop(k, 0), size - behind[k]), 0)
    return [aligned(size) for size in live]


def _lifetimes(
    graph: Graph, wanted: Demand, offsets: Mapping[str, int]
) -> dict[str, tuple[Lifetime, ...]]:
    end = max(len(graph.nodes) - 1, 0)
    named_anew = {node.y for node in graph.nodes if isinstance(node, Rows | Stack)}
    found = {}
    for name, place in wanted.places.items():
        if name in named_anew:
            continue
        found[name] = tuple(
            Lifetime(
                max(piece.first, 0),
                min(piece.last, end),
                offsets[name] + max(piece.start - place.start, 0),
                min(piece.end, place.end) - max(piece.start, place.start),
            )
            for piece in place.buffer.pieces
            if piece.start < place.end and place.start < piece.end
        )
    return found
