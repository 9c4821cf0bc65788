"""What a folded design takes of an iCE40: LUT4, block RAM and SPRAM, before any synthesis.

The figures are fits to what yosys 0.23's synth_ice40 made of the units of some random networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2
from typing import assert_never

from edgekit.target.fpga.core import Resources
from edgekit.target.fpga.folded.units import (
    SPRAM_WIDTH,
    Compare,
    Gather,
    Pool,
    Product,
    Resize,
    Search,
    Unit,
    Windows,
)

SPRAM_WORDS = 16384
_SHAPES = ((16, 256), (8, 512), (4, 1024), (2, 2048))  # width and depth of a block RAM
_SMALL_BITS = 64  # of a buffer that lies in registers


def block_rams(width: int, depth: int) -> int:
    """Return the fewest block RAMs of an iCE40 that hold `depth` words of `width` bits."""
    return min(ceil(width / wide) * ceil(depth / deep) for wide, deep in _SHAPES)


def price(taken: Resources, room: Resources) -> float:
    """Return the shares of the part that something takes, added up."""
    pairs = ((taken.lut, room.lut), (taken.bram, room.bram), (taken.spram, room.spram))
    return sum(used / have if have else 1e6 * used for used, have in pairs)


def total(units: Sequence[Unit]) -> Resources:
    """Return what units with buffers of known depth take together."""
    taken = [of_unit(unit) for unit in units]
    return Resources(
        lut=sum(each.lut for each in taken),
        ff=sum(each.ff for each in taken),
        bram=sum(each.bram for each in taken),
        spram=ceil(sum(half_sprams(unit) for unit in units) / 2),
    )


def half_sprams(unit: Unit) -> int:
    """Return the SPRAMs that a unit takes, in halves: two layers may share one."""
    match unit:
        case Product():
            whole = 0 if unit.lists is not None else spram(unit.spram_bits)
            return 2 * whole + (unit.memory == "pair")
        case Gather():
            return 2 * spram(unit.list_width) if unit.memory == "spram" else 0
        case Resize() | Windows() | Pool() | Compare() | Search():
            return 0
        case _:
            assert_never(unit)


def of_unit(unit: Unit) -> Resources:
    """Return what one unit takes with its memories but SPRAM."""
    match unit:
        case Resize():
            narrows = unit.in_width > unit.out_width
            lut = 7 + 0.86 * (unit.in_width - unit.out_width) if narrows else 6
            return Resources(int(lut), max(unit.in_width, unit.out_width) + 4)
        case Windows():
            return _windows(unit)
        case Gather():
            return _gather(unit)
        case Product():
            return _product(unit)
        case Pool():
            lut = 10 + (1 if unit.bits == 1 else 4) * unit.in_width
            return Resources(lut, 2 * unit.in_width + 5)
        case Compare():
            compared = unit.out_width * (unit.bits + 1)
            groups = len(unit.table)
            lut = 0.8 * compared if groups == 1 else 2 * compared + _table(compared, groups)
            return Resources(int(lut) + 4, unit.out_width + 1)
        case Search():
            groups = _bits(len(unit.table))
            level = (2.0 if unit.steps > 1 else 1.1) * unit.bits
            lut = unit.lanes * (5 + level + 0.5 * unit.out_bits) + 4 * groups
            words = len(unit.table) << unit.steps
            ff = unit.lanes * (unit.bits + unit.steps + unit.out_bits) + 2 * groups + unit.steps
            return Resources(int(lut), ff + 2, bram=unit.lanes * block_rams(unit.bits + 1, words))
        case _:
            assert_never(unit)


def _bits(count: int) -> int:
    """Bits of a counter of `count`."""
    return ceil(log2(count)) if count > 1 else 0


def _table(width: int, depth: int) -> float:
    """LUT4 of a small table of constants."""
    return 1 if depth == 1 else 0.35 * width + 0.95 * depth


def _windows(unit: Windows) -> Resources:
    w = unit.window
    lead = _bits(unit.total + 2 * unit.span + unit.depth) + 1
    counters = sum(
        _bits(n) for n in (unit.folds, *w.kernel, unit.repeat, w.out_height, w.out_width)
    )
    lut, ff = 39 + 0.7 * lead + 2.9 * counters, lead + counters + 2 * _bits(unit.depth) + 1
    if w.padded:
        corner = _bits(w.height) + _bits(w.width) + 4
        lut, ff = lut + 6.3 * corner + 0.9 * unit.in_width, ff + 2 * corner + 1
    if unit.depth * unit.in_width > _SMALL_BITS:
        return Resources(int(lut), ff, bram=block_rams(unit.in_width, unit.depth))
    stored = unit.depth * unit.in_width
    return Resources(int(lut + 1.65 * unit.depth), ff + stored)


def _product(unit: Product) -> Resources:
    layer = unit.layer
    starts = 0.34 * unit.pe * layer.acc_bits + 0.52 * unit.groups if unit.groups > 1 else 0.0
    counted = _bits(unit.folds) if unit.lists is None else 1
    sums = unit.pe * (2.04 * layer.acc_bits + 1.04 * _dot(unit))
    lut = 9 + 2.1 * counted + sums + starts
    ff = unit.pe * (2 * layer.acc_bits + layer.out_bits) + _bits(unit.folds) + 4
    if unit.lists is not None:
        return Resources(int(lut), ff)
    depth = unit.weight_words
    stored = unit.weight_width * depth
    if unit.memory == "logic":
        more = 0.25 * unit.weight_width + 0.14 * depth + 0.12 * stored if depth > 1 else 0.0
        return Resources(int(lut + more), ff + unit.weight_width + _bits(depth))
    if unit.memory == "bram":
        blocks = block_rams(unit.weight_width, depth)
        return Resources(int(lut + 2.5 * _bits(depth)), ff + _bits(depth), bram=blocks)
    if unit.memory == "pair":
        return Resources(int(lut) + 65, ff + 59)
    beside = unit.weight_width - unit.spram_bits
    blocks = block_rams(beside, depth)
    more = 2.5 * _bits(depth) if beside else 0.0
    return Resources(int(lut + more) + 45, ff + 17 + (_bits(depth) if beside else 0), bram=blocks)


def _dot(unit: Product) -> float:
    """LUT4 of one ek_dot: SIMD products and their sum."""
    layer, simd = unit.layer, unit.simd
    narrow, wide = sorted((layer.weight_bits, layer.input_bits))
    total = min(narrow + wide + _bits(simd), layer.acc_bits)
    if wide == 1:
        return max(0, 2 * simd - 3)
    if narrow > 1:
        return simd * wide * (3.2 * narrow - 3.5) + 1.35 * (simd - 1) * total
    if simd == 1:
        return 3 * wide - 2
    return (5 * simd - 3) * total - 9 * simd + 6


def _gather(unit: Gather) -> Resources:
    length = sum(unit.lengths)
    lut = 20 + 2 * _bits(length) + unit.index_bits
    ff = unit.index_bits + 2 * _bits(length) + unit.lanes * unit.layer.weight_bits + 8
    copies = unit.lanes * block_rams(unit.in_width, 2 << unit.index_bits)
    if unit.memory == "spram":
        return Resources(lut + 45, ff, bram=copies)
    return Resources(lut, ff, bram=copies + block_rams(unit.list_width, length))


def spram(width: int) -> int:
    """Return the SPRAMs side by side of words of `width` bits."""
    return ceil(width / SPRAM_WIDTH)
