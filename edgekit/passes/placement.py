"""Where in the arena each buffer goes, so that bytes that live together lie apart."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from edgekit.passes.buffers import Buffer, Demand, Piece, Sharing, aligned

_NUDGES = 256  # orders tried near the best one before the plan is taken as it is


@dataclass(slots=True)
class Placement:
    """An offset for each buffer."""

    offsets: dict[Buffer, int] = field(default_factory=dict)
    arena_bytes: int = 0


# By buffer and another one: the differences of their offsets, in open intervals, at which bytes
# that live together would meet.
_Forbidden = Mapping[Buffer, Sequence[tuple[Buffer, int, int]]]


def place(wanted: Demand, live: Sequence[int]) -> Placement:
    """Return the best placement over the fixed orders and nudges of the best of them.

    Args:
        wanted: the buffers.
        live: the bytes live during each node; none can be placed in fewer.
    """
    buffers, forbidden = wanted.buffers, _forbidden(wanted)
    best = Placement(arena_bytes=-1)
    best_order: list[Buffer] = []
    for key in _keys(live):
        order = sorted(buffers, key=key)  # stable: equal ones stay in the order of the graph
        found = _first_fit(order, forbidden)
        if best.arena_bytes < 0 or found.arena_bytes < best.arena_bytes:
            best, best_order = found, order
    state = 1
    for _ in range(_NUDGES):
        if best.arena_bytes <= max(live) or len(buffers) < 2:
            break
        # A small fixed generator keeps the plan the same on every machine and version.
        state = (state * 1103515245 + 12345) % (1 << 31)
        order = list(best_order)
        moved = order.pop((state >> 8) % len(order))
        order.insert((state >> 16) % (len(order) + 1), moved)
        found = _first_fit(order, forbidden)
        if found.arena_bytes <= best.arena_bytes:
            best, best_order = found, order
    return best


def _keys(live: Sequence[int]) -> tuple[Callable[[Buffer], tuple[int, ...]], ...]:
    def crowd(b: Buffer) -> int:
        return max(live[max(b.first, 0) : b.last + 1])

    return (
        lambda b: (-b.size_bytes, b.first),
        lambda b: (-b.size_bytes * (b.last - b.first + 1), b.first),
        lambda b: (b.first - b.last, -b.size_bytes),
        lambda b: (b.first, -b.size_bytes),
        lambda b: (-b.last, -b.size_bytes),
        # The fullest node's output, then what it may overlap, then what is left there.
        lambda b: (-crowd(b), b.scratch, -b.first),
        lambda b: (-crowd(b), b.scratch, b.first),
    )


def _first_fit(order: Iterable[Buffer], forbidden: _Forbidden) -> Placement:
    """Put each buffer, in order, at the lowest offset that it may have during its whole life."""
    found = Placement()
    for buffer in order:
        taken = sorted(
            (found.offsets[other] + low, found.offsets[other] + high)
            for other, low, high in forbidden[buffer]
            if other in found.offsets
        )
        offset = 0
        for low, high in taken:
            if offset <= low:
                break
            if offset < high:
                offset = aligned(high)
        found.offsets[buffer] = offset
        found.arena_bytes = max(found.arena_bytes, offset + buffer.size_bytes)
    return found


def _forbidden(wanted: Demand) -> _Forbidden:
    sharings: dict[frozenset[Buffer], list[Sharing]] = {}
    for sharing in wanted.sharings:
        pair = frozenset((sharing.output.buffer, sharing.input.buffer))
        sharings.setdefault(pair, []).append(sharing)
    table: dict[Buffer, list[tuple[Buffer, int, int]]] = {b: [] for b in wanted.buffers}
    for one, other in itertools.combinations(wanted.buffers, 2):
        if one.first > other.last or other.first > one.last:
            continue
        for low, high in _meetings(one, other, sharings.get(frozenset((one, other)), ())):
            table[one].append((other, low, high))
            table[other].append((one, -high, -low))
    return table


def _meetings(one: Buffer, other: Buffer, sharings: Sequence[Sharing]) -> Iterator[tuple[int, int]]:
    """Yield the forbidden offsets of `one` less that of `other`."""
    for p, q in itertools.product(one.pieces, other.pieces):
        if p.first > q.last or q.first > p.last:
            continue
        meeting = q.start - p.end, q.end - p.start
        exceptions = [s for s in sharings if _concerns(s, one, p, q)]
        if not exceptions:
            yield meeting
        for sharing in exceptions:
            if sharing.output.buffer is one:
                yield from _less(meeting, sharing)
            else:
                mirrored = (-meeting[1], -meeting[0])
                yield from ((-high, -low) for low, high in _less(mirrored, sharing))


def _concerns(sharing: Sharing, one: Buffer, p: Piece, q: Piece) -> bool:
    """Tell whether of these pieces, p of buffer `one`, one is written over the other."""
    written, read = (p, q) if sharing.output.buffer is one else (q, p)
    return (
        written.first == read.last == sharing.node
        and sharing.output.holds(written)
        and sharing.input.holds(read)
    )


def _less(meeting: tuple[int, int], sharing: Sharing) -> Iterator[tuple[int, int]]:
    """Yield what is forbidden of an interval of the output's offset less the input's."""
    low, high = meeting
    same = sharing.input.start - sharing.output.start
    if sharing.overlap.same_place:
        yield low, min(same, high)
        yield max(same, low), high
    else:
        yield max(low, same - sharing.overlap.behind_bytes), high
