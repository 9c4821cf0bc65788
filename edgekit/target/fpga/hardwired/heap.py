"""Sums of weighted bits, in full or only compared with a threshold, as cells of a circuit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from edgekit.target.fpga.hardwired.circuit import FALSE, MAJORITY, MAX_INPUTS, TRUE, Bit, Builder
from edgekit.target.fpga.hardwired.plan import (
    Arrivals,
    Costs,
    FullAdder,
    Move,
    outputs,
    plan,
    step,
    taken,
)


@dataclass(slots=True)
class Heap:
    """Bits by column, column i of weight 2**i, each with its arrival in tenths of ns."""

    columns: list[list[tuple[int, Bit]]] = field(default_factory=list)

    def put(self, column: int, bit: Bit, arrival: int = 0) -> None:
        """Add `bit` of weight 2**column."""
        while len(self.columns) <= column:
            self.columns.append([])
        self.columns[column].append((arrival, bit))

    def arrivals(self) -> Arrivals:
        """Return the arrivals by column; the bits are put in the same order."""
        for column in self.columns:
            column.sort(key=lambda entry: entry[0])  # stable
        return tuple(tuple(moment for moment, _ in column) for column in self.columns)

    @property
    def most(self) -> int:
        """The sum with every bit set."""
        return sum(len(column) << i for i, column in enumerate(self.columns))

    def negated(self) -> Heap:
        """Return the heap of the negated bits: its sum is `most` less this one."""
        return Heap([[(moment, bit ^ 1) for moment, bit in column] for column in self.columns])

    def bits(self) -> list[list[Bit]]:
        """Return the bits by column."""
        return [[bit for _, bit in column] for column in self.columns]


def reduce_heap(builder: Builder, heap: Heap, moves: Sequence[Move]) -> None:
    """Do `moves`, planned for `heap.arrivals()`."""
    state = heap.arrivals()
    for move in moves:
        made = outputs(state, move)
        parts = []
        for column, count in taken(move):
            parts.append([bit for _, bit in heap.columns[column][:count]])
            del heap.columns[column][:count]
        if isinstance(move, FullAdder):
            bits: tuple[Bit, ...] = builder.full_adder([*parts[0], FALSE][:3])
        else:
            carry_in = parts[0][2] if move.carry_in else FALSE
            bits = builder.add([p[0] for p in parts], [p[1] for p in parts], carry_in)
        for (column, moment), bit in zip(made, bits, strict=True):
            heap.put(column, bit, moment)
        state = step(state, move)
        heap.arrivals()


def at_least(builder: Builder, heap: Heap, threshold: int, costs: Costs) -> Bit:
    """Return whether the sum of `heap` is at least `threshold`."""
    if threshold <= 0:
        return TRUE
    if threshold > heap.most:
        return FALSE
    other = heap.most - threshold + 1  # sum >= threshold: not (sum of negated bits >= other)
    arrivals = heap.arrivals()
    moves, price = _compare_plan(arrivals, threshold, costs)
    other_moves, other_price = _compare_plan(arrivals, other, costs)
    if other_price < price:
        negated = heap.negated()
        reduce_heap(builder, negated, other_moves)
        return _compare(builder, negated.bits(), other) ^ 1
    reduce_heap(builder, heap, moves)
    return _compare(builder, heap.bits(), threshold)


def total(builder: Builder, heap: Heap, constant: int, width: int, costs: Costs) -> tuple[Bit, ...]:
    """Return the low `width` bits of the sum of `heap` and `constant`."""
    constant %= 1 << width
    del heap.columns[width:]
    moves, _ = _sum_plan(heap.arrivals(), constant, width, costs)
    reduce_heap(builder, heap, moves)
    columns = heap.bits()[:width]
    columns += [[] for _ in range(width - len(columns))]
    for place, column in enumerate(columns):
        if constant >> place & 1:
            column.append(TRUE)
    done: list[Bit] = []
    while columns and len(columns[0]) < 2:
        done.append((columns.pop(0) or [FALSE])[0])
    if not columns:
        return tuple(done)
    carry_in = columns[0].pop() if len(columns[0]) == 3 else FALSE
    a = [column[0] if column else FALSE for column in columns]
    b = [column[1] if len(column) > 1 else FALSE for column in columns]
    return (*done, *builder.add(a, b, carry_in)[: len(columns)])


@lru_cache(maxsize=4096)
def _compare_plan(
    arrivals: Arrivals, threshold: int, costs: Costs
) -> tuple[tuple[Move, ...], float]:
    def finish(state: Arrivals) -> float | None:
        heights = tuple(map(len, state))
        last = max((column[-1] for column in state if column), default=0) / 10
        cut = _cut(heights, threshold)
        if cut is None:
            return None
        chained = _chain_columns(heights, threshold, cut)
        tables = float(sum(heights[cut:]) > 0 or chained < 2)
        if chained == 1:
            tables += 1
        return tables + costs.chain * (chained > 1) + costs.nanosecond * last

    return plan(arrivals, finish, costs)


@lru_cache(maxsize=4096)
def _sum_plan(
    arrivals: Arrivals, constant: int, width: int, costs: Costs
) -> tuple[tuple[Move, ...], float]:
    def finish(state: Arrivals) -> float | None:
        if max(map(len, state), default=0) > 3:
            return None
        heights = [len(column) + (constant >> i & 1) for i, column in enumerate(state)][:width]
        heights += [0] * (width - len(heights))
        start = next((i for i, height in enumerate(heights) if height > 1), width)
        if any(height > 2 + (i == start) for i, height in enumerate(heights)):
            return None
        last = max((column[-1] for column in state if column), default=0) / 10
        return width - start + costs.chain * (start < width) + costs.nanosecond * last

    return plan(arrivals, finish, costs)


def _cut(heights: Sequence[int], threshold: int) -> int | None:
    """Return from which column on a single look-up table can decide; None: too many bits yet.

    Below the cut a carry chain adds `-threshold` modulo 2**cut; its carry, which is never above 1,
    and the bits from the cut on go into the table.
    """
    if max(heights, default=0) > MAX_INPUTS:
        return None
    for cut in range(len(heights) + 1):
        constant = -threshold % (1 << cut)
        columns = [heights[i] + (constant >> i & 1) for i in range(cut)]
        lowest = next((i for i, height in enumerate(columns) if height > 1), cut)
        if any(height > 2 + (i == lowest) for i, height in enumerate(columns)):
            return None
        if sum(heights[cut:]) + (lowest < cut) <= MAX_INPUTS:
            return cut
    return None


def _chain_columns(heights: Sequence[int], threshold: int, cut: int) -> int:
    constant = -threshold % (1 << cut)
    columns = [heights[i] + (constant >> i & 1) for i in range(cut)]
    lowest = next((i for i, height in enumerate(columns) if height > 1), cut)
    return cut - lowest


def _compare(builder: Builder, columns: list[list[Bit]], threshold: int) -> Bit:
    cut = _cut([len(column) for column in columns], threshold)
    if cut is None:
        raise AssertionError("the plan ends where one look-up table can decide")
    constant = -threshold % (1 << cut)
    low = [[*columns[i], *([TRUE] if constant >> i & 1 else [])] for i in range(cut)]
    while low and len(low[0]) < 2:
        low.pop(0)
    carry = FALSE
    if len(low) == 1:
        carry = builder.lut(MAJORITY, [*low[0], FALSE][:3])
    elif low:
        carry_in = low[0].pop() if len(low[0]) == 3 else FALSE
        a = [column[0] if column else FALSE for column in low]
        b = [column[1] if len(column) > 1 else FALSE for column in low]
        carry = builder.add(a, b, carry_in)[-1]
    top = [(1 << i, bit) for i, column in enumerate(columns[cut:]) for bit in column]
    top += [(1, carry)] if carry != FALSE else []
    wanted = (threshold + constant) >> cut
    table = sum(
        1 << index
        for index in range(1 << len(top))
        if sum(weight for k, (weight, _) in enumerate(top) if index >> k & 1) >= wanted
    )
    return builder.lut(table, [bit for _, bit in top])
