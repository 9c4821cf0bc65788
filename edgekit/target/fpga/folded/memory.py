"""What the memories of a folded design hold, as integers of whole words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.target.fpga.folded.layers import Ints
from edgekit.target.fpga.folded.units import (
    NIBBLE_BITS,
    NIBBLES,
    SPRAM_WIDTH,
    Compare,
    Gather,
    Product,
    Search,
    Unit,
)


def words(fields: Ints, bits: int) -> list[int]:
    """Return one integer a row of `fields` (words, fields), field 0 in the low bits."""
    mask = (1 << bits) - 1
    shifts = [bits * place for place in range(fields.shape[1])]
    return [
        sum((int(value) & mask) << shift for value, shift in zip(row, shifts, strict=True))
        for row in fields
    ]


def row(values: Sequence[int]) -> Ints:
    """Return the fields of one word."""
    return np.array([values], np.int64)


def _bits_of(values: Ints, bits: int) -> Ints:
    """Values as stored: of one bit -1 is 0 and +1 is 1."""
    return (values > 0).astype(np.int64) if bits == 1 else values


def weights(unit: Product) -> list[int]:
    """Return the words of the weight stream: all folds of the first group, then of the next."""
    layer = unit.layer
    stored = _bits_of(layer.weights, layer.weight_bits)
    if layer.depthwise:  # channel, multiplier, cell
        channels, multiplier, cells = stored.shape
        split = stored.reshape(channels // unit.pe, unit.pe, multiplier, cells)
        fields = split.transpose(0, 2, 3, 1).reshape(-1, unit.pe)
    else:
        split = stored.reshape(unit.groups, unit.pe, unit.folds, unit.simd)
        fields = split.transpose(0, 2, 1, 3).reshape(-1, unit.pe * unit.simd)
    return words(fields, layer.weight_bits)


def lists(unit: Gather) -> list[int]:
    """Return the words of the list stream: index and weight of each lane, and the group's end."""
    layer, lanes = unit.layer, unit.lanes
    mask = (1 << layer.weight_bits) - 1
    made = []
    for group, length in enumerate(unit.lengths):
        rows = layer.weights[group * lanes : (group + 1) * lanes]
        for step in range(length):
            word = (step == length - 1) << (unit.list_width - 1)
            for lane, row in enumerate(rows):
                named = np.flatnonzero(row)
                index = int(named[step]) if step < len(named) else 0
                weight = int(row[index]) if step < len(named) else 0
                field = index | (weight & mask) << unit.index_bits
                word |= field << (lane * (unit.index_bits + layer.weight_bits))
            made.append(word)
    return made


def lanes(values: Sequence[int], width: int) -> list[int]:
    """Return the words of SPRAM, the lowest `width` bits of each value in as many as they take."""
    parts = -(-width // SPRAM_WIDTH)
    mask = (1 << width) - 1
    return [
        (value & mask) >> (SPRAM_WIDTH * part) & 0xFFFF for value in values for part in range(parts)
    ]


def packed(values: Sequence[int]) -> list[int]:
    """Return the words of SPRAM with NIBBLES values in each, the first in the low bits."""
    return [
        sum(value << (NIBBLE_BITS * place) for place, value in enumerate(values[at : at + NIBBLES]))
        for at in range(0, len(values), NIBBLES)
    ]


def pair_of(units: Sequence[Unit], unit: Product) -> tuple[Product, ...]:
    """Return the layers that share an SPRAM with `unit` as their first; () if it is the second."""
    sharing = [each for each in units if isinstance(each, Product) and each.memory == "pair"]
    place = sharing.index(unit)
    return () if place % 2 else tuple(sharing[place : place + 2])


def starts(unit: Product) -> list[int]:
    """Return the words of the stream that the sums begin with, one a group."""
    layer = unit.layer
    if layer.depthwise:
        channels, multiplier = layer.start.shape
        split = layer.start.reshape(channels // unit.pe, unit.pe, multiplier)
        fields = split.transpose(0, 2, 1).reshape(-1, unit.pe)
    else:
        fields = layer.start.reshape(unit.groups, unit.pe)
    return words(fields, layer.acc_bits)


def levels(unit: Compare) -> list[int]:
    """Return the words of the threshold stream, one a group."""
    limited = _limited(unit.table, unit.bits)
    return words(limited.reshape(len(limited), -1), unit.bits + 1)


def searched(unit: Search) -> list[int]:
    """Return the tables of all lanes, one field a word."""
    groups, lanes, count = unit.table.shape
    places = 1 << unit.steps
    full = np.full((groups, lanes, places), 1 << (unit.bits - 1), np.int64)
    full[:, :, 1 : count + 1] = _limited(unit.table, unit.bits)
    return words(full.transpose(1, 0, 2).reshape(-1, 1), unit.bits + 1)


def _limited(table: Ints, bits: int) -> Ints:
    """Thresholds that no element reaches, or every one, as the nearest that says the same."""
    return np.asarray(np.clip(table, -(1 << (bits - 1)), 1 << (bits - 1)))


def literal(values: list[int], bits: int) -> str:
    """Return a Verilog number of all words, word 0 in the low bits."""
    whole = 0
    total = bits * len(values)
    digits = -(-bits // 4)
    if bits % 4 == 0:
        text = "".join(f"{value:0{digits}x}" for value in reversed(values))
    else:
        for place, value in enumerate(values):
            whole |= value << (place * bits)
        text = f"{whole:0{-(-total // 4)}x}"
    return f"{total}'h{text}"
