"""Where in the arena each buffer goes, so that bytes that live together lie apart."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from edgekit.passes.buffers import Buffer, Demand, Piece, Sharing, aligned

_STARTS = 5  # orders that the search starts from
_NUDGES = 300  # orders tried near each before the plan is taken as it is


@dataclass(slots=True)
class Placement:
    """An offset for each buffer, in the order of placing."""

    offsets: dict[Buffer, int] = field(default_factory=dict)
    arena_bytes: int = 0

    def end(self, buffer: Buffer) -> int:
        """Return where a buffer ends."""
        return self.offsets[buffer] + buffer.size_bytes


# By buffer and another one: the differences of their offsets, in open intervals, at which bytes
# that live together would meet.
_Forbidden = Mapping[Buffer, Sequence[tuple[Buffer, int, int]]]


def place(wanted: Demand, live: Sequence[int], enough_bytes: int) -> Placement:
    """Return the best placement over the fixed orders and nudges of the best of them.

    Args:
        wanted: the buffers.
        live: the bytes live during each node; none can be placed in fewer.
        enough_bytes: an arena of that size ends the search.
    """
    forbidden, enough_bytes = _forbidden(wanted), max(enough_bytes, *live)
    # Sorting is stable: equal ones stay in the order of the graph.
    starts = [_first_fit(sorted(wanted.buffers, key=key), forbidden) for key in _keys(live)]
    best = min(starts, key=lambda found: found.arena_bytes)
    for start in sorted(starts, key=lambda found: found.arena_bytes)[:_STARTS]:
        if best.arena_bytes <= enough_bytes or len(wanted.buffers) < 2:
            break
        found = _nudged(start, forbidden, enough_bytes)
        if found.arena_bytes < best.arena_bytes:
            best = found
    return best


def _nudged(best: Placement, forbidden: _Forbidden, enough_bytes: int) -> Placement:
    """Return the best placement found by moving one buffer at a time in the order of placing."""
    state = 1
    for _ in range(_NUDGES):
        if best.arena_bytes <= enough_bytes:
            break
        # A small fixed generator keeps the plan the same on every machine and version.
        state = (state * 1103515245 + 12345) % (1 << 31)
        order = list(best.offsets)
        place = (state >> 8) % len(order)
        end = len(order)
        if state & 64:  # what ends highest goes earlier, anything else anywhere
            place = max(range(len(order)), key=lambda i: best.end(order[i]))
            end = place
        moved = order.pop(place)
        order.insert((state >> 16) % (end + 1), moved)
        found = _first_fit(order, forbidden)
        if found.arena_bytes <= best.arena_bytes:
            best = found
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
        # Rows that are made in bands, what they are made from, then what is left there.
        lambda b: (len(b.pieces) == 1, -b.first, -b.size_bytes),
        lambda b: (len(b.pieces) == 1, b.first, -b.size_bytes),
        lambda b: (len(b.pieces) == 1, -b.first if len(b.pieces) > 1 else -b.size_bytes, b.first),
        lambda b: (len(b.pieces) == 1, -b.first if len(b.pieces) > 1 else -crowd(b), b.first),
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
        allowed = sharings.get(frozenset((one, other)), ())
        for low, high in _merged(_meetings(one, other, allowed)):
            table[one].append((other, low, high))
            table[other].append((one, -high, -low))
    return table


def _merged(intervals: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield open intervals that hold the same integers, those that overlap as one."""
    before: tuple[int, int] | None = None
    for low, high in sorted(interval for interval in intervals if interval[0] < interval[1]):
        if before is not None and low < before[1]:
            before = before[0], max(before[1], high)
            continue
        if before is not None:
            yield before
        before = low, high
    if before is not None:
        yield before


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
