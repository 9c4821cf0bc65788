"""Patch-by-patch execution: early layers in bands of rows where the arena would be too large."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from edgekit.ir.check import verify
from edgekit.ir.geometry import macs
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import Node, inputs_of
from edgekit.passes import memory
from edgekit.passes.bands import Span, cuts, in_bands, is_region, spans
from edgekit.passes.buffers import Overlap, View, demand, tensor_bytes
from edgekit.passes.memory import MemoryPlan

PATCHES = "patches"

_TRIES = 64  # graphs looked at before the best one is taken
_PLANNING_TRIES = 3  # what the search for an arena counts for


@dataclass(frozen=True, slots=True)
class Needs:
    """What nodes need beside their tensors, by the tensor they write; see `memory.plan`."""

    scratch_bytes: Mapping[str, int]
    overlaps: Mapping[str, Overlap]


# Says what the nodes that write the given tensors need.
NeedsOf = Callable[[Graph, Collection[str]], Needs]


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """A graph, perhaps with layers in bands, its arena, and how large that is without bands."""

    graph: Graph
    arena: MemoryPlan
    whole_bytes: int


def fit(graph: Graph, needs_of: NeedsOf, limit_bytes: int) -> Planned:
    """Return the plan with the fewest MACs found whose arena has at most `limit_bytes`.

    Layers run in bands only where it does not fit otherwise. If nothing found fits, the plan with
    the smallest arena found is returned. The output integers are those of `graph`, which
    `ir.check.verify` accepts.
    """
    search = _Search(needs_of)
    whole = best = search.planned(graph)
    if _arena_bytes(whole) > limit_bytes:
        best = min(best, search.run(whole, limit_bytes), key=_arena_bytes)
    low = limit_bytes  # no plan found meets it, unless the loop below has nothing to do
    while _arena_bytes(best) > limit_bytes and _worth_halving(_arena_bytes(best), low):
        middle = (low + _arena_bytes(best)) // 2
        found = search.run(whole, middle)
        if _arena_bytes(found) > middle:
            low = middle
        best = min(best, found, key=_arena_bytes)
    verify(best.graph)
    return replace(best, whole_bytes=_arena_bytes(whole))


def _worth_halving(best_bytes: int, low_bytes: int) -> bool:
    """Say whether a middle lies between the two, and a gain of more than a 64th."""
    return best_bytes - low_bytes > max(best_bytes >> 6, 1)


def _arena_bytes(planned: Planned) -> int:
    return planned.arena.arena_bytes


@dataclass(slots=True)
class _Search:
    """Tries layers in bands; what nodes of one shape need is asked once."""

    needs_of: NeedsOf
    limit_bytes: int = 0
    tries: int = 0
    known: dict[tuple[object, ...], tuple[int, tuple[int, Overlap] | None]] = field(
        default_factory=dict
    )

    def run(self, whole: Planned, limit_bytes: int) -> Planned:
        """Return the plan with the fewest MACs found within the limit, or the last one tried."""
        self.limit_bytes, self.tries = limit_bytes, 0
        current = whole
        while current.arena.arena_bytes > limit_bytes:
            found = self.cheapest(current.graph)
            if found is None:
                break
            current = found
        return current

    def planned(self, graph: Graph) -> Planned:
        """Return `graph` with its arena."""
        needs = self._needs(graph)
        arena = memory.plan(
            graph, needs.scratch_bytes, needs.overlaps, enough_bytes=self.limit_bytes
        )
        return Planned(graph, arena, arena.arena_bytes)

    def cheapest(self, graph: Graph) -> Planned | None:
        """Return the plan with the fewest MACs in which the first crowded nodes run in bands."""
        best: Planned | None = None
        best_macs = 0
        for region in _regions(graph, *self._crowd(graph), self.limit_bytes):
            rows = graph.tensors[graph.nodes[region[1]].y].shape[0]
            for count in range(2, rows + 1):
                bands = cuts(rows, count)
                cost = _macs(graph, region, bands)
                if best is not None and cost >= best_macs:
                    break  # more bands never compute less
                found = self._tried(graph, region, bands)
                if found is not None:
                    best, best_macs = found, cost
                    break
        return best

    def _tried(
        self, graph: Graph, region: tuple[int, int], bands: Sequence[Span]
    ) -> Planned | None:
        """Return the plan with the region in bands if its nodes have room within the limit."""
        after = in_bands(graph, *region, bands) if self.tries < _TRIES else None
        if after is None:
            return None
        self.tries += 1
        live = self._live(after)
        end = region[1] + 1 + len(after.nodes) - len(graph.nodes)
        if max(live[region[0] : end]) > self.limit_bytes:
            return None
        self.tries += _PLANNING_TRIES
        planned = self.planned(after)
        fits = planned.arena.arena_bytes <= self.limit_bytes
        return planned if fits or max(live) > self.limit_bytes else None

    def _crowd(self, graph: Graph) -> tuple[int, int]:
        """Return the first run of nodes during which more lives than there is room for."""
        live = self._live(graph)
        too_many = min(self.limit_bytes, max(live) - 1)
        first = next(k for k, size in enumerate(live) if size > too_many)
        last = first
        while last + 1 < len(live) and live[last + 1] > too_many:
            last += 1
        return first, last

    def _live(self, graph: Graph) -> list[int]:
        needs = self._needs(graph)
        wanted = demand(graph, needs.scratch_bytes, needs.overlaps)
        return memory.live_bytes(wanted, len(graph.nodes))

    def _needs(self, graph: Graph) -> Needs:
        keys = {n.y: _key(graph, n) for n in graph.nodes if not isinstance(n, View)}
        asked = {key: name for name, key in keys.items() if key not in self.known}
        new = self.needs_of(graph, set(asked.values()))
        for node in graph.nodes:
            if node.y in asked.values():
                overlap = new.overlaps.get(node.y)
                place = None if overlap is None else inputs_of(node).index(overlap.input)
                self.known[keys[node.y]] = (
                    new.scratch_bytes.get(node.y, 0),
                    None if overlap is None or place is None else (place, overlap),
                )
        scratch, overlaps = {}, {}
        for node in graph.nodes:
            if node.y in keys:
                scratch[node.y], found = self.known[keys[node.y]]
                if found is not None:
                    overlaps[node.y] = replace(found[1], input=inputs_of(node)[found[0]])
        return Needs(scratch, overlaps)


def _key(graph: Graph, node: Node) -> tuple[object, ...]:
    """Return what a node's needs depend on: everything but the names of its tensors."""
    names = (*inputs_of(node), node.y)
    values = (getattr(node, f.name) for f in fields(node) if f.name != "label")
    rest = (value for value in values if value not in names)
    return (type(node), *rest, *(graph.tensors[name].shape for name in names))


def _regions(graph: Graph, first: int, last: int, limit_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield the regions that hold nodes `first` to `last`, small ones first."""
    pairs = ((i, j) for i in range(first + 1) for j in range(last, len(graph.nodes)))
    for i, j in sorted(pairs, key=lambda pair: (pair[1] - pair[0], -pair[0])):
        if not is_region(graph, i, j):
            continue
        nodes = graph.nodes[i : j + 1]
        outside = {name for node in nodes for name in inputs_of(node)} - {n.y for n in nodes}
        # What the first band reads is all there when it begins.
        if sum(tensor_bytes(graph.tensors[name]) for name in outside) <= limit_bytes:
            yield i, j


def _macs(graph: Graph, region: tuple[int, int], bands: Sequence[Span]) -> int:
    """Return the multiplications of a region in bands."""
    nodes = graph.nodes[region[0] : region[1] + 1]
    total = 0
    for band in bands:
        needed = spans(graph, nodes, band) or {}
        for node in nodes:
            rows = needed[node.y].rows if node.y in needed else 0
            total += macs(graph, node) // graph.tensors[node.y].shape[0] * rows
    return total
