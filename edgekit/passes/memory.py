"""The arena: where each activation and scratch buffer lives (SPEC section 7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from edgekit.ir.graph import Graph
from edgekit.ir.nodes import Add, Clamp, Requantize, Reshape, inputs_of
from edgekit.ir.types import Tensor

ALIGNMENT_BYTES = 4

_NUDGES = 256  # orders tried near the best one before the plan is taken as it is


@dataclass(frozen=True, slots=True)
class Lifetime:
    """When and where a tensor lives: nodes `first` to `last`, both included."""

    first: int
    last: int
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """How a node's output may share bytes with `input`, if that is not needed afterwards.

    With `same_place` both start at the same offset. Otherwise the output starts at least
    `behind_bytes` below the input: writing the output's first n bytes spoils no input byte from
    n - behind_bytes on, and the node has read all before.
    """

    input: str
    behind_bytes: int
    same_place: bool = False


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Offsets into one arena, in bytes, all multiples of 4.

    `lower_bound_bytes` is the most that is live during any one node, less what that node's output
    may share with its input: no plan can be smaller.
    """

    offsets: Mapping[str, int]
    scratch_offsets: Mapping[str, int]  # by the output tensor of the node that uses it
    arena_bytes: int
    lower_bound_bytes: int
    lifetimes: Mapping[str, Lifetime]


@dataclass(slots=True)
class _Buffer:
    """Tensors that share their bytes, or the scratch of one node."""

    names: list[str]
    first: int
    last: int
    size_bytes: int
    scratch: bool = False
    over: _Buffer | None = None  # an input that this output may overlap
    overlap: Overlap | None = None

    def meets(self, other: _Buffer) -> bool:
        return self.first <= other.last and other.first <= self.last

    def may_stand(self, offset: int, other: _Buffer, other_offset: int) -> bool:
        """Tell whether both buffers, which meet, may have these offsets."""
        if offset + self.size_bytes <= other_offset or other_offset + other.size_bytes <= offset:
            return True
        if self.over is other:
            return _allowed(self.overlap, offset, other_offset)
        return other.over is self and _allowed(other.overlap, other_offset, offset)

    def places(self, other: _Buffer, other_offset: int) -> tuple[int, ...]:
        """Return offsets next to or over `other` worth trying."""
        after = other_offset + other.size_bytes
        if self.over is other and self.overlap is not None:
            behind = self.overlap.behind_bytes
            return after, (other_offset - behind) // ALIGNMENT_BYTES * ALIGNMENT_BYTES
        if other.over is self and other.overlap is not None:
            return after, _aligned(other_offset + other.overlap.behind_bytes)
        return (after,)


@dataclass(slots=True)
class _Placement:
    offsets: list[int] = field(default_factory=list)  # by position in the list of buffers
    arena_bytes: int = 0


def _allowed(overlap: Overlap | None, output: int, source: int) -> bool:
    if overlap is None:
        return False
    return output == source if overlap.same_place else output + overlap.behind_bytes <= source


def plan(
    graph: Graph, scratch_bytes: Mapping[str, int], overlaps: Mapping[str, Overlap] | None = None
) -> MemoryPlan:
    """Return the smallest plan found by several greedy orders, the same on every run.

    Args:
        graph: a graph that `ir.check.verify` accepts.
        scratch_bytes: working memory of a node, by its output tensor; live during that node.
        overlaps: what a node's output may write over, by its output tensor.
    """
    last_use = _last_uses(graph)
    overlaps = overlaps or {}
    shared = _buffers(graph, last_use, scratch_bytes, overlaps, in_place=True)
    bound = _lower_bound(shared, len(graph.nodes))
    best, buffers = _place(shared, bound), shared
    if best.arena_bytes > bound:
        # Sharing fixes more tensors to one place; a plan without it is sometimes smaller.
        apart = _buffers(graph, last_use, scratch_bytes, overlaps, in_place=False)
        other = _place(apart, bound)
        if other.arena_bytes < best.arena_bytes:
            best, buffers = other, apart
    offsets: dict[str, int] = {}
    scratch: dict[str, int] = {}
    for buffer, offset in zip(buffers, best.offsets, strict=True):
        (scratch if buffer.scratch else offsets).update(dict.fromkeys(buffer.names, offset))
    return MemoryPlan(
        offsets=offsets,
        scratch_offsets=scratch,
        arena_bytes=best.arena_bytes,
        lower_bound_bytes=bound,
        lifetimes=_lifetimes(graph, last_use, offsets),
    )


def tensor_bytes(tensor: Tensor) -> int:
    """Return the bytes that a tensor occupies as stored, unaligned."""
    return (tensor.size * tensor.dtype.bits + 7) // 8


def _last_uses(graph: Graph) -> dict[str, int]:
    """Return the last node during which each activation is live; outputs outlive all nodes."""
    last = {edge.tensor: 0 for edge in graph.inputs}
    for k, node in enumerate(graph.nodes):
        last[node.y] = k
        last.update(dict.fromkeys(inputs_of(node), k))
    last.update({edge.tensor: len(graph.nodes) for edge in graph.outputs})
    return last


def _buffers(
    graph: Graph,
    last_use: Mapping[str, int],
    scratch_bytes: Mapping[str, int],
    overlaps: Mapping[str, Overlap],
    *,
    in_place: bool,
) -> list[_Buffer]:
    holder: dict[str, _Buffer] = {}
    buffers: list[_Buffer] = []

    def add(name: str, first: int, size_bytes: int) -> None:
        holder[name] = _Buffer([name], first, last_use[name], size_bytes)
        buffers.append(holder[name])

    for edge in graph.inputs:
        add(edge.tensor, -1, _aligned(tensor_bytes(graph.tensors[edge.tensor])))
    for k, node in enumerate(graph.nodes):
        size_bytes = _aligned(tensor_bytes(graph.tensors[node.y]))
        shared: list[_Buffer] = []
        if isinstance(node, Reshape):
            shared = [holder[node.x]]
        elif in_place and isinstance(node, Add | Clamp | Requantize):
            candidates = [holder[name] for name in inputs_of(node)]
            shared = [b for b in candidates if b.last == k and b.size_bytes == size_bytes]
        if shared:
            buffer = shared[0]
            buffer.names.append(node.y)
            buffer.last = max(buffer.last, last_use[node.y])
            holder[node.y] = buffer
        else:
            add(node.y, k, size_bytes)
            _allow_overlap(holder, k, node.y, overlaps.get(node.y))
        if scratch_bytes.get(node.y, 0) > 0:
            size_bytes = _aligned(scratch_bytes[node.y])
            buffers.append(_Buffer([node.y], k, k, size_bytes, scratch=True))
    return buffers


def _allow_overlap(
    holder: Mapping[str, _Buffer], k: int, output: str, overlap: Overlap | None
) -> None:
    """Let node k's output overlap its input, if nobody needs that one later."""
    if overlap is not None and holder[overlap.input].last == k:
        holder[output].over = holder[overlap.input]
        holder[output].overlap = overlap


def _lower_bound(buffers: Iterable[_Buffer], nodes: int) -> int:
    buffers = list(buffers)
    return max(_live_bytes(buffers, k) for k in range(max(nodes, 1)))


def _live_bytes(buffers: Iterable[_Buffer], k: int) -> int:
    """Return the bytes live during node k, its output as far over its input as it may be."""
    live = [b for b in buffers if b.first <= k <= b.last]
    total = sum(b.size_bytes for b in live)
    for b in live:
        if b.first == k and b.over is not None and b.overlap is not None:
            behind = max(b.overlap.behind_bytes, 0)
            both = b.size_bytes + b.over.size_bytes
            total -= max(both - max(b.size_bytes, b.over.size_bytes + behind), 0)
    return total


def _place(buffers: list[_Buffer], bound: int) -> _Placement:
    """Return the best placement over the fixed orders and nudges of the best of them."""
    nodes = 1 + max((b.last for b in buffers), default=0)
    live = [_live_bytes(buffers, k) for k in range(nodes)]

    def crowd(b: _Buffer) -> int:
        return max(live[max(b.first, 0) : b.last + 1])

    keys: tuple[Callable[[_Buffer], tuple[int, ...]], ...] = (
        lambda b: (-b.size_bytes, b.first),
        lambda b: (-b.size_bytes * (b.last - b.first + 1), b.first),
        lambda b: (b.first - b.last, -b.size_bytes),
        lambda b: (b.first, -b.size_bytes),
        lambda b: (-b.last, -b.size_bytes),
        # The fullest node's output, then what it may overlap, then what is left there.
        lambda b: (-crowd(b), b.scratch, -b.first),
        lambda b: (-crowd(b), b.scratch, b.first),
    )
    best = _Placement(arena_bytes=-1)
    best_order: list[int] = []
    for key in keys:
        order = sorted(range(len(buffers)), key=lambda i: (*key(buffers[i]), i))
        found = _first_fit(buffers, order)
        if best.arena_bytes < 0 or found.arena_bytes < best.arena_bytes:
            best, best_order = found, order
    state = 1
    for _ in range(_NUDGES):
        if best.arena_bytes <= bound or len(buffers) < 2:
            break
        # A small fixed generator keeps the plan the same on every machine and version.
        state = (state * 1103515245 + 12345) % (1 << 31)
        order = list(best_order)
        moved = order.pop((state >> 8) % len(order))
        order.insert((state >> 16) % (len(order) + 1), moved)
        found = _first_fit(buffers, order)
        if found.arena_bytes <= best.arena_bytes:
            best, best_order = found, order
    return best


def _first_fit(buffers: list[_Buffer], order: Iterable[int]) -> _Placement:
    """Put each buffer, in order, at the lowest offset that it may have during its whole life."""
    offsets = [-1] * len(buffers)
    arena_bytes = 0
    for i in order:
        buffer = buffers[i]
        taken = [
            (other, offsets[j])
            for j, other in enumerate(buffers)
            if offsets[j] >= 0 and other.meets(buffer)
        ]
        places = {place for other, start in taken for place in buffer.places(other, start)}
        # Where a buffer ends below another one, it need not touch it: a lower place is free too.
        offsets[i] = next(
            place
            for place in sorted({0, *places})
            if place >= 0 and all(buffer.may_stand(place, *at) for at in taken)
        )
        arena_bytes = max(arena_bytes, offsets[i] + buffer.size_bytes)
    return _Placement(offsets, arena_bytes)


def _lifetimes(
    graph: Graph, last_use: Mapping[str, int], offsets: Mapping[str, int]
) -> dict[str, Lifetime]:
    first = {edge.tensor: 0 for edge in graph.inputs}
    first.update({node.y: k for k, node in enumerate(graph.nodes)})
    end = max(len(graph.nodes) - 1, 0)
    return {
        name: Lifetime(
            first[name], min(last_use[name], end), offset, tensor_bytes(graph.tensors[name])
        )
        for name, offset in offsets.items()
    }


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
