"""How a heap of bits is reduced: which full adders and carry chains, in which order.

A heap has columns, column i of weight 2**i. A full adder of look-up tables makes three bits of a
column into two and costs two tables. A carry chain over m columns takes two bits of each and a
third of the lowest as its carry-in; it gives one bit a column and a carry: m tables, or m - 1
where the lowest sum is shared between rows, and m bits fewer. Chains are dear in another way: each
begins in a logic tile of its own. The plan is the cheapest that a beam search over column heights
finds; equal heaps get equal plans, so that rows of a dense layer share their cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

Arrivals: TypeAlias = tuple[tuple[int, ...], ...]  # by column, rising, in tenths of a nanosecond

LUT_DELAY = 30
_ONTO_CHAIN = 26
_CHAIN_BIT = 3
_OFF_CHAIN = 15
_BEAM_BITS = 2000  # of all states side by side: larger heaps are searched in a narrower beam


@dataclass(frozen=True, slots=True)
class FullAdder:
    """The three earliest bits of `column`, or just two, in look-up tables."""

    column: int
    bits: int = 3


@dataclass(frozen=True, slots=True)
class Chain:
    """The two earliest bits of each of `columns` columns from `column` on, and the third's."""

    column: int
    columns: int
    carry_in: bool


Move: TypeAlias = FullAdder | Chain


@dataclass(frozen=True, slots=True)
class Costs:
    """What the search minimizes, in look-up tables."""

    chain: float = 1.0  # a chain over its tables: it needs two cells more and a tile's beginning
    nanosecond: float = 0.2  # of the last arrival
    shared_lowest: bool = False  # sums of column 0 exist once for all rows
    beam: int = 10


Finish: TypeAlias = Callable[[Arrivals], float | None]


def plan(start: Arrivals, finish: Finish, costs: Costs) -> tuple[tuple[Move, ...], float]:
    """Return the moves and their cost; `finish` prices the last step, None: not yet possible."""
    levels: dict[int, dict[Arrivals, tuple[float, tuple[Move, ...]]]] = {}
    size = sum(map(len, start))
    beam = max(1, min(costs.beam, _BEAM_BITS // max(size, 1)))
    levels[size] = {start: (0.0, ())}
    best: tuple[float, tuple[Move, ...]] | None = None
    for bits in range(size, -1, -1):
        states = sorted(
            levels.pop(bits, {}).items(),
            key=lambda entry: (entry[1][0] + costs.nanosecond * _latest(entry[0]) / 10, entry[0]),
        )
        del states[beam:]
        seen = {state for state, _ in states}
        for state, (spent, moves) in states:
            end = finish(state)
            if end is not None and (best is None or spent + end < best[0]):
                best = (spent + end, moves)
            for move in _moves(state):
                after = step(state, move)
                price = spent + _price(move, costs)
                if sum(map(len, after)) == bits:  # a half adder
                    if after not in seen:
                        seen.add(after)
                        states.append((after, (price, (*moves, move))))
                    continue
                known = levels.setdefault(sum(map(len, after)), {})
                if after not in known or price < known[after][0]:
                    known[after] = (price, (*moves, move))
    if best is None:
        raise AssertionError("a heap of single bits can always be finished")
    return best[1], best[0]


def step(state: Arrivals, move: Move) -> Arrivals:
    """Return the heap after `move`."""
    columns = [list(column) for column in state] + [[]]
    for column, moment in outputs(state, move):
        columns[column].append(moment)
    for column, count in taken(move):
        del columns[column][:count]
    if not columns[-1]:
        columns.pop()
    return tuple(tuple(sorted(column)) for column in columns)


def taken(move: Move) -> list[tuple[int, int]]:
    """Return (column, number of its earliest bits) that `move` takes."""
    if isinstance(move, FullAdder):
        return [(move.column, move.bits)]
    return [(move.column + i, 3 if move.carry_in and i == 0 else 2) for i in range(move.columns)]


def outputs(state: Arrivals, move: Move) -> list[tuple[int, int]]:
    """Return (column, arrival) of the bits that `move` makes, lowest first."""
    if isinstance(move, FullAdder):
        moment = state[move.column][move.bits - 1] + LUT_DELAY
        return [(move.column, moment), (move.column + 1, moment)]
    made = []
    carry = 0
    for column, count in taken(move):
        carry = max(carry + _CHAIN_BIT, state[column][count - 1] + _ONTO_CHAIN)
        made.append((column, carry + _OFF_CHAIN))
    made.append((move.column + move.columns, carry + _OFF_CHAIN))
    return made


def _latest(state: Arrivals) -> int:
    return max((column[-1] for column in state if column), default=0)


def _price(move: Move, costs: Costs) -> float:
    if isinstance(move, FullAdder):
        return 2.0
    return move.columns + costs.chain - (costs.shared_lowest and move.column == 0)


def _moves(state: Arrivals) -> Iterator[Move]:
    heights = [len(column) for column in state]
    above = [*heights[1:], 0][: len(heights)]
    reducible = [h >= 3 or (h == 2 and n >= 2) for h, n in zip(heights, above, strict=True)]
    if not any(reducible):
        yield from (FullAdder(column, 2) for column, height in enumerate(heights) if height == 2)
        return
    for column, height in enumerate(heights):
        if height >= 3:
            yield FullAdder(column)
        if height < 2 or not reducible[column]:
            continue
        longest = 1
        while column + longest < len(heights) and heights[column + longest] >= 2:
            longest += 1
        for columns in range(2, longest + 1):
            yield Chain(column, columns, carry_in=height >= 3)
        if height >= 3:
            return  # the lowest full column first: higher ones only gain by waiting
