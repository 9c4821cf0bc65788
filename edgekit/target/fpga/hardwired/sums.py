"""Rows of weighted bits as cells: the sums of a layer, in full or compared with thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekit.target.fpga.hardwired.circuit import TRUE, Bit, Builder
from edgekit.target.fpga.hardwired.heap import Heap, at_least, carry_save, total
from edgekit.target.fpga.hardwired.plan import Costs
from edgekit.target.fpga.hardwired.share import common_triples
from edgekit.target.fpga.hardwired.word import Word


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
    lowest = [[bit for column, bit in row.bits if column == 0] for row in rows]
    triples = common_triples(lowest)
    heaps = []
    for row, shared in zip(rows, triples, strict=True):
        heap = Heap()
        used = {bit for triple in shared for bit in triple}
        for column, bit in row.bits:
            if column or bit not in used:
                heap.put(column, bit)
        for triple in shared:
            carry_save(builder, heap, 0, triple, 0)
        heaps.append(heap)
    return heaps


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
    """Return each row as a word of two's complement, wide enough for its reachable sums."""
    words = []
    for row, heap in zip(rows, heaps_of(builder, rows), strict=True):
        start, rest = divmod(row.constant, 1 << row.shift)
        width = _signed_bits(start, start + heap.most)
        bits = total(builder, heap, start, width, costs)
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
