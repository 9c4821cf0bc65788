"""What folds cost, in LUT4, block RAM and SPRAM: an estimate before any synthesis.

The LUT figures are fits to yosys 0.23's synth_ice40 of the blocks one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2

from edgekit.target.fpga.core import Resources
from edgekit.target.fpga.folded.assemble import Fold
from edgekit.target.fpga.folded.layers import Layer, MatVec, MaxPool, Padding, Steps, Thermometer

SPRAM_WORDS = 16384
SPRAM_WIDTH = 16
_REPEAT, _WINDOW = 64, 190  # LUT4 of a buffer that repeats an image, and of one with rows
_RANDOM_BITS, _CLOSE_BITS = 1.75, 1.0  # LUT4 of 16 bits: of weights, of thresholds near each other
_SHAPES = ((16, 256), (8, 512), (4, 1024), (2, 2048))  # width and depth of an iCE40 block RAM


def block_rams(width: int, depth: int) -> int:
    """Return the fewest block RAMs of an iCE40 that hold `depth` words of `width` bits."""
    return min(ceil(width / wide) * ceil(depth / deep) for wide, deep in _SHAPES)


def spram(layer: Layer, fold: Fold) -> int:
    """Return the SPRAMs of a layer whose weights lie there."""
    assert isinstance(layer, MatVec)
    return ceil(fold.lanes * fold.simd * layer.weight_bits / SPRAM_WIDTH)


def price(layer: Layer, fold: Fold, lanes: int, room: Resources) -> float:
    """Return the share of the part that a fold takes, its scarcest resource counting most.

    Args:
        layer: the layer.
        fold: how parallel it is.
        lanes: elements of a word of the unit before.
        room: what the part has.
    """
    taken = resources(layer, fold, lanes)
    shares = [
        used / have if have else (0.0 if not used else 1e6)
        for used, have in (
            (taken.lut, room.lut),
            (taken.bram, room.bram),
            (taken.spram, room.spram),
        )
    ]
    return sum(shares) + max(shares)


def resources(layer: Layer, fold: Fold, lanes: int) -> Resources:
    """Return what a layer takes, its converter and buffer with it."""
    match layer:
        case MatVec():
            return _product(layer, fold, lanes)
        case MaxPool() | Padding():
            word = fold.lanes * layer.bits
            pooled = 3 * word if isinstance(layer, MaxPool) else 0
            lut = 70 + pooled + _resize(lanes, fold.lanes, layer.bits)
            return Resources(lut, 2 * word + 60, bram=_buffer(layer, fold.lanes, layer.bits))
        case Thermometer():
            compared = fold.lanes * layer.levels * (layer.bits + 1)
            constant = layer.table.shape[0] == 1 or fold.lanes == layer.channels
            lut = 15 + compared // 2 if constant else 2 * compared
            return Resources(
                lut + _resize(lanes, fold.lanes, layer.bits), fold.lanes * layer.levels
            )
        case Steps():
            width = layer.bits + 1
            steps = max(1, ceil(log2(layer.table.shape[1] + 1)))
            groups = 1 if layer.table.shape[0] == 1 else layer.channels // fold.lanes
            bram = fold.lanes * block_rams(width, groups << steps)
            lut = 20 + fold.lanes * (3 * layer.bits + 3 * layer.out_bits)
            return Resources(lut, lut, bram=bram)


def total(layers: Sequence[Layer], folds: Sequence[Fold], lanes: int) -> Resources:
    """Return what all layers take together, the first reading words of `lanes` elements."""
    lut = ff = bram = spram_blocks = 0
    for layer, fold in zip(layers, folds, strict=True):
        taken = resources(layer, fold, lanes)
        lut, ff = lut + taken.lut, ff + taken.ff
        bram, spram_blocks = bram + taken.bram, spram_blocks + taken.spram
        lanes = fold.lanes * (layer.levels if isinstance(layer, Thermometer) else 1)
    return Resources(lut, ff, bram=bram, spram=spram_blocks)


def _resize(have: int, want: int, bits: int) -> int:
    """LUT4 of a converter; widening takes registers and hardly any logic."""
    if have == want:
        return 0
    return 8 if want > have else 8 + have * bits


def _buffer(layer: MatVec | MaxPool | Padding, lanes: int, bits: int) -> int:
    window = layer.window
    rows = (window.kernel[0] - 1) * window.dilation[0]
    columns = (window.kernel[1] - 1) * window.dilation[1]
    folds = window.channels // lanes
    span = (rows * window.width + columns + 1) * folds
    return block_rams(lanes * bits, span + window.stride[1] * folds)


def _product(layer: MatVec, fold: Fold, lanes: int) -> Resources:
    width = fold.lanes * fold.simd * layer.weight_bits
    depth = layer.weights.size // (fold.lanes * fold.simd)
    groups = layer.neurons // fold.lanes
    if layer.weight_bits == 1 and layer.input_bits == 1:
        dot = 2.3 * fold.simd
    elif layer.weight_bits <= 2 or layer.input_bits <= 2:
        dot = 2.6 * fold.simd * layer.acc_bits
    else:
        dot = fold.simd * 1.3 * layer.weight_bits * layer.input_bits
    lut = 15 + fold.lanes * (dot + 2.5 * layer.acc_bits)
    lut += _constants(fold.lanes * layer.acc_bits, groups, _CLOSE_BITS)
    inputs = fold.lanes if layer.depthwise else fold.simd
    bram = 0
    whole = layer.depthwise or groups > 1 or layer.window.cells > 1
    if whole:
        lut += _WINDOW if layer.window.cells > 1 else _REPEAT
        bram += _buffer(layer, inputs, layer.input_bits)
    lut += _resize(lanes, inputs, layer.input_bits)
    blocks = 0
    if fold.memory == "logic":
        lut += _constants(width, depth, _RANDOM_BITS)
    elif fold.memory == "bram":
        bram += block_rams(width, depth)
        lut += 2 + 2 * ceil(log2(max(depth, 2)))
    else:
        blocks = ceil(width / SPRAM_WIDTH)
        lut += 50
    return Resources(int(lut), int(lut * 0.5), bram=bram, spram=blocks)


def _constants(width: int, depth: int, per_table: float) -> float:
    """LUT4 of a table in logic: 16 words of a bit fill one, and choosing among them takes more."""
    if depth <= 1:
        return 0.0
    return 2 * ceil(log2(depth)) + width * max(1.0, per_table * depth / 16)
