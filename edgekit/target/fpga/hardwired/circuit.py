"""Circuits of single bits: look-up tables of at most four inputs and ripple-carry adders.

A `Bit` is `2 * signal + negated`; signal 0 is constant, so `FALSE` is 0 and `TRUE` is 1. Building
folds constants and builds no cell twice: not for another order of inputs, and not for another
polarity where the function allows it (a parity, a majority, an adder whose operands are all
negated). Circuits have no registers: `schedule` says which register stages a signal crosses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import TypeAlias

Bit: TypeAlias = int
FALSE: Bit = 0
TRUE: Bit = 1
MAX_INPUTS = 4

XOR2 = 0b0110
XOR3 = 0b10010110
MAJORITY = 0b11101000


@dataclass(frozen=True, slots=True)
class Lut:
    """One look-up table: the value is bit `sum of inputs[i] << i` of `table`.

    `inputs` are signals that rise, none of them constant.
    """

    signal: int
    layer: int
    table: int
    inputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Adder:
    """`a + b + carry_in`, lowest bit first: sums are `signal + i`, the carry `signal + len(a)`.

    `inverted` has bit i set where sum i is given inverted.
    """

    signal: int
    layer: int
    a: tuple[Bit, ...]
    b: tuple[Bit, ...]
    carry_in: Bit
    inverted: int = 0


Cell: TypeAlias = Lut | Adder


@dataclass(frozen=True, slots=True)
class Circuit:
    """Cells in an order in which every input comes first; signals 1 to `inputs` are the inputs.

    `compared` are bits that whoever reads the outputs puts on a carry chain.
    """

    inputs: int
    cells: tuple[Cell, ...]
    outputs: tuple[Bit, ...]
    compared: tuple[Bit, ...]


def inputs_of(cell: Cell) -> tuple[int, ...]:
    """Return the signals, constants left out, that `cell` reads."""
    if isinstance(cell, Lut):
        return cell.inputs
    return tuple(bit >> 1 for bit in (*cell.a, *cell.b, cell.carry_in) if bit > TRUE)


def width_of(cell: Cell) -> int:
    """Return how many signals `cell` drives."""
    return 1 if isinstance(cell, Lut) else len(cell.a) + 1


@dataclass(slots=True)
class Builder:
    """Collects cells; `layer` is written into each new one."""

    inputs: int
    layer: int = 0
    compared: list[Bit] = field(default_factory=list)
    _cells: list[Cell] = field(default_factory=list)
    _known: dict[tuple[object, ...], int] = field(default_factory=dict)  # of cells: first signal
    _parity: dict[tuple[int, ...], Bit] = field(default_factory=dict)  # of two or three signals
    _signals: int = 0

    def __post_init__(self) -> None:
        self._signals = 1 + self.inputs

    def input(self, index: int) -> Bit:
        """Return input `index` of the circuit."""
        return 2 * (1 + index)

    def lut(self, table: int, bits: Sequence[Bit]) -> Bit:
        """Return the function of at most four bits whose truth table is `table`."""
        table, signals = _reduced(table, bits)
        negated = table & 1
        if negated:
            table ^= (1 << (1 << len(signals))) - 1
        if not signals:
            return FALSE ^ negated
        if len(signals) == 1:
            return 2 * signals[0] ^ negated
        parity = table == (XOR2, XOR3)[len(signals) == 3] and len(signals) <= 3
        if parity and signals in self._parity:
            return self._parity[signals] ^ negated
        key = ("lut", table, signals)
        if key not in self._known:
            self._known[key] = self._signals
            self._cells.append(Lut(self._signals, self.layer, table, signals))
            if parity:
                self._parity[signals] = 2 * self._signals
            self._signals += 1
        return 2 * self._known[key] ^ negated

    def function(self, table: int, bits: Sequence[Bit]) -> Bit:
        """Return a function of any number of bits (a table of 2**n), a tree of look-up tables."""
        if len(bits) <= MAX_INPUTS:
            return self.lut(table, bits)
        half = 1 << (len(bits) - 1)
        low = self.function(table & ((1 << half) - 1), bits[:-1])
        high = self.function(table >> half, bits[:-1])
        return self.choose(bits[-1], high, low)

    def choose(self, condition: Bit, then: Bit, otherwise: Bit) -> Bit:
        """Return `condition ? then : otherwise`."""
        return self.lut(0b11001010, (otherwise, then, condition))

    def any_of(self, bits: Sequence[Bit]) -> Bit:
        """Return the OR of `bits`."""
        left = list(bits) or [FALSE]
        while len(left) > 1:
            part, left = left[:MAX_INPUTS], left[MAX_INPUTS:]
            left.append(self.lut((1 << (1 << len(part))) - 2, part))
        return left[0]

    def full_adder(self, bits: Sequence[Bit]) -> tuple[Bit, Bit]:
        """Return sum and carry of three bits as look-up tables."""
        return self.lut(XOR3, bits), self.lut(MAJORITY, bits)

    def add(self, a: Sequence[Bit], b: Sequence[Bit], carry_in: Bit = FALSE) -> tuple[Bit, ...]:
        """Return the sum bits and the carry of `a + b + carry_in` on one carry chain.

        A lowest sum that exists already, from an adder or a table, is not built again.
        """
        pairs = [(min(p), max(p)) for p in zip(a, b, strict=True)]
        operands = [bit for pair in pairs for bit in pair] + [carry_in]
        variable = [bit for bit in operands if bit > TRUE]
        if not variable:
            total = sum(sum(p) << i for i, p in enumerate(pairs)) + carry_in
            return tuple(total >> i & 1 for i in range(len(pairs) + 1))
        flip = int(2 * sum(bit & 1 for bit in variable) > len(variable))
        # All operands negated negate every sum and carry.
        left = tuple(min(p[0] ^ flip, p[1] ^ flip) for p in pairs)
        right = tuple(max(p[0] ^ flip, p[1] ^ flip) for p in pairs)
        key = ("add", left, right, carry_in ^ flip)
        if key not in self._known:
            self._known[key] = self._signals
            self._cells.append(Adder(self._signals, self.layer, left, right, carry_in ^ flip))
            self._signals += len(pairs) + 1
        first = self._known[key]
        outs = [2 * (first + i) ^ flip for i in range(len(pairs) + 1)]
        outs[0] = self._lowest_sum((*pairs[0], carry_in), outs[0])
        return tuple(outs)

    def _lowest_sum(self, bits: tuple[Bit, Bit, Bit], own: Bit) -> Bit:
        table, signals = _reduced(XOR3, bits)
        negated = table & 1
        if len(signals) < 2:
            return self.lut(XOR3, bits)
        return self._parity.setdefault(signals, own ^ negated) ^ negated

    def finish(self, outputs: Iterable[Bit]) -> Circuit:
        """Return the circuit of the cells that `outputs` need."""
        outs = tuple(outputs)
        needed = {bit >> 1 for bit in outs}
        kept: list[Cell] = []
        for cell in reversed(self._cells):
            if needed & set(range(cell.signal, cell.signal + width_of(cell))):
                kept.append(cell)
                needed.update(inputs_of(cell))
        compared = tuple(bit for bit in self.compared if bit > TRUE and bit >> 1 in needed)
        return Circuit(self.inputs, tuple(reversed(kept)), outs, compared)


def _reduced(table: int, bits: Sequence[Bit]) -> tuple[int, tuple[int, ...]]:
    """Return the table over rising signals that matter; constants and negations go into it."""
    signals = sorted({bit >> 1 for bit in bits if bit > TRUE})
    place = {signal: i for i, signal in enumerate(signals)}
    sources = tuple((place.get(bit >> 1, -1), bit & 1) for bit in bits)
    new = _table_over(table, sources, len(signals))
    for i in reversed(range(len(signals))):
        if not _depends(new, i, len(signals)):
            others = tuple((j - (j > i) if j != i else -1, 0) for j in range(len(signals)))
            new = _table_over(new, others, len(signals) - 1)
            del signals[i]
    return new, tuple(signals)


@lru_cache(maxsize=1 << 16)
def _table_over(table: int, sources: tuple[tuple[int, int], ...], count: int) -> int:
    """Return `table` with its input j fed by (new input, negated); a new input -1 is constant."""
    new = 0
    for values in product((0, 1), repeat=count):
        index = sum(
            ((values[count - 1 - source] if source >= 0 else 0) ^ negated) << j
            for j, (source, negated) in enumerate(sources)
        )
        position = sum(v << (count - 1 - k) for k, v in enumerate(values))
        new |= (table >> index & 1) << position
    return new


@lru_cache(maxsize=1 << 16)
def _depends(table: int, place: int, count: int) -> bool:
    step = 1 << place
    return any(
        (table >> i & 1) != (table >> (i + step) & 1) for i in range(1 << count) if not i & step
    )
