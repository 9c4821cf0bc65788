"""Rows of weighted bits as cells: the sums of a layer, in full or compared with thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekit.target.fpga.hardwired.circuit import TRUE, Bit, Builder
from edgekit.target.fpga.hardwired.heap import Heap, at_least, total
from edgekit.target.fpga.hardwired.plan import LUT_DELAY, Costs
from edgekit.target.fpga.hardwired.share import common_triples
from edgekit.target.fpga.hardwired.word import Word

_SHARED_COLUMNS = 2


@dataclass(frozen=True, slots=True)
class Row:
    """`constant + 2**shift * (sum of 2**column * bit)` over `bits` of (column, bit)."""

    constant: int
    shift: int
    bits: tuple[tuple[int, Bit], ...]


def row_of(constant: int, terms: Sequence[tuple[int, Word]]) -> Row:
    """Return `constant + sum of factor * word`; bits of negative weight enter negated."""
    weights: dict[int, int] = {}
    for factor, word in terms:
        constant += factor * word.offset
        for place, bit in enumerate(word.bits):
            weight = factor * word.scale << place
            if bit & 1:
                constant, weight = constant + weight, -weight
            if bit > TRUE:
                weights[bit >> 1] = weights.get(bit >> 1, 0) + weight
    weights = {signal: weight for signal, weight in weights.items() if weight}
    shift = min(((w & -w).bit_length() - 1 for w in weights.values()), default=0)
    bits = []
    for signal, weight in weights.items():
        if weight < 0:
            constant += weight
        size = abs(weight) >> shift
        bits += [
            (column, 2 * signal | (weight < 0))
            for column in range(size.bit_length())
            if size >> column & 1
        ]
    return Row(constant, shift, tuple(bits))


def heaps_of(builder: Builder, rows: Sequence[Row]) -> list[Heap]:
    """Return the heap of each row, after the full adders that rows have in common."""
    heaps = []
    for row in rows:
        negated = 2 * sum(bit & 1 for _, bit in row.bits) > len(row.bits)
        heap = Heap()
        # Tables take the first bits, and negated ones for nothing; a chain of one sign is best.
        for column, bit in sorted(row.bits, key=lambda entry: (entry[1] & 1) == negated):
            heap.put(column, bit)
        heaps.append(heap)
    column = 0
    while column < _SHARED_COLUMNS:
        if not _share(builder, heaps, column):
            column += 1
    return heaps


def _share(builder: Builder, heaps: Sequence[Heap], column: int) -> bool:
    """Build the full adders of `column` that rows have in common; False: there are none."""
    found = [dict[Bit, int]() for _ in heaps]
    for heap, arrivals in zip(heaps, found, strict=True):
        if len(heap.columns) > column:
            arrivals.update({bit: at for at, bit in heap.columns[column] if bit > TRUE})
    triples = common_triples([list(arrivals) for arrivals in found])
    for heap, arrivals, shared in zip(heaps, found, triples, strict=True):
        used = {bit for triple in shared for bit in triple}
        if used:
            heap.columns[column] = [e for e in heap.columns[column] if e[1] not in used]
        for triple in shared:
            at = max(arrivals[bit] for bit in triple)
            for place, bit in enumerate(builder.full_adder(triple)):
                heap.put(column + place, bit, at + LUT_DELAY)
    return any(triples)


def compared(
    builder: Builder, rows: Sequence[Row], thresholds: Sequence[Sequence[int]], costs: Costs
) -> list[list[Bit]]:
    """Return for each row the bits `row >= t` for each of its thresholds."""
    heaps = heaps_of(builder, rows)
    results = []
    for row, heap, levels in zip(rows, heaps, thresholds, strict=True):
        wanted = [-((row.constant - t) >> row.shift) for t in levels]
        if len(wanted) == 1:
            results.append([at_least(builder, heap, wanted[0], costs)])
            continue
        width = heap.most.bit_length()
        word = Word(total(builder, heap, 0, width, costs), 0, 1)
        results.append([word_at_least(builder, word, t, costs) for t in wanted])
    return results


def word_at_least(builder: Builder, word: Word, threshold: int, costs: Costs) -> Bit:
    """Return whether `word` is at least `threshold`."""
    heap = Heap()
    for place, bit in enumerate(word.bits):
        heap.put(place, bit)
    return at_least(builder, heap, -((word.offset - threshold) // word.scale), costs)


def full(builder: Builder, rows: Sequence[Row], costs: Costs) -> list[Word]:
    """Return each row as a word wide enough for its reachable sums, all rows equally wide.

    Every second row is computed inverted, which costs nothing here: a comparison of neighbours
    adds one to the other's inverse on a carry chain, whose inputs cannot be inverted on the way.
    """
    heaps = heaps_of(builder, rows)
    starts = [row.constant >> row.shift for row in rows]
    width = max(
        (_signed_bits(start, start + heap.most) for start, heap in zip(starts, heaps, strict=True)),
        default=1,
    )
    words = []
    for index, (row, heap, start) in enumerate(zip(rows, heaps, starts, strict=True)):
        if index % 2:
            heap, start = heap.negated(), -1 - heap.most - start
        bits = total(builder, heap, start, width, costs)
        # The sign stays as it is: a table after the carry shares the register's cell.
        builder.compared += bits[:-1]
        if index % 2:
            bits = tuple(bit ^ 1 for bit in bits)
        rest = row.constant & ((1 << row.shift) - 1)
        words.append(Word.signed(bits, rest, 1 << row.shift))
    return words


def _signed_bits(low: int, high: int) -> int:
    return 1 + max(
        (low if low >= 0 else ~low).bit_length(), (high if high >= 0 else ~high).bit_length()
    )


def rows_of_matrix(
    weights: Sequence[Mapping[int, int]], constants: Sequence[int], words: Sequence[Word]
) -> list[Row]:
    """Return one row for each mapping of input index to weight."""
    return [
        row_of(constant, [(weight, words[index]) for index, weight in sorted(row.items())])
        for row, constant in zip(weights, constants, strict=True)
    ]
