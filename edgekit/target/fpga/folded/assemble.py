"""Units in a row from layers and their folds: converters between widths, buffers, ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import assert_never

import numpy as np

from edgekit.errors import UnsupportedError
from edgekit.ir.types import DType
from edgekit.target.fpga.folded.layers import (
    Layer,
    MatVec,
    MaxPool,
    Padding,
    Steps,
    Stream,
    Thermometer,
)
from edgekit.target.fpga.folded.units import (
    Compare,
    Gather,
    Memory,
    Pool,
    Product,
    Resize,
    Search,
    Unit,
    Windows,
)

_BYTE = 8
_WORD = 32  # bits of a row lie in words of this size


@dataclass(frozen=True, slots=True)
class Fold:
    """How parallel a layer is: `lanes` outputs at a time, each from `simd` inputs at a time."""

    lanes: int
    simd: int = 1
    memory: Memory = "bram"
    lists: bool = False  # of the weights that are not 0, in place of all
    sprams: int = 0  # side by side, of memory "spram"; 0: for all bits of a word


@dataclass(frozen=True, slots=True)
class Ends:
    """How many elements a beat holds where the network begins and ends."""

    in_lanes: int
    in_bits: int  # that an element takes on the wire
    in_width: int
    out_lanes: int
    out_bits: int
    out_width: int


def in_lanes(stream: Stream) -> list[int]:
    """Return how many elements a beat of the input may hold, rising."""
    if stream.dtype is not DType.BINARY:
        return [n for n in range(1, stream.channels + 1) if stream.channels % n == 0]
    if stream.channels % _BYTE:
        return [stream.channels]
    words = stream.channels // _BYTE
    return [_BYTE * n for n in range(1, words + 1) if words % n == 0]


def ends(first: Stream, lanes: int, last: Stream) -> Ends:
    """Return the beats of a network that takes `lanes` elements at a time.

    Raises:
        UnsupportedError: what comes out is not in the graph's order.
    """
    if (last.order != np.arange(last.size)).any():
        raise UnsupportedError(
            "the output comes in another order than the graph's",
            hint="end with a dense layer or a convolution",
        )
    bits = 1 if first.dtype is DType.BINARY else _wire_bits(first.dtype)
    width = -(-lanes * bits // _BYTE) * _BYTE
    if last.dtype is not DType.BINARY:
        wire = _wire_bits(last.dtype)
        return Ends(lanes, bits, width, 1, wire, wire)
    out = _WORD if last.channels % _WORD == 0 else last.channels
    return Ends(lanes, bits, width, out, 1, -(-out // _WORD) * _WORD)


def _wire_bits(dtype: DType) -> int:
    return max(_BYTE, dtype.bits)


def assemble(
    layers: Sequence[Layer], folds: Sequence[Fold], first: Stream, between: Ends
) -> list[Unit]:
    """Return the units of all layers in order, with a buffer of the least depth each."""
    lanes, bits = between.in_lanes, first.bits
    units: list[Unit] = []
    for place, (layer, fold) in enumerate(zip(layers, folds, strict=True)):
        made = own_units(f"layer{place}", layer, fold)
        units += joined(f"layer{place}", lanes * bits, made[0].in_width, bits)
        units += made
        bits = out_bits(layer, bits)
        lanes = units[-1].out_width // bits
    units += joined("out", lanes * bits, between.out_lanes * bits, bits)
    return units


def own_units(name: str, layer: Layer, fold: Fold) -> list[Unit]:
    """Return the units of one layer, without converters."""
    match layer:
        case MatVec():
            return _product(name, layer, fold)
        case MaxPool():
            w, value = layer.window, layer.pad_value
            window = f"{name}_window"
            return [
                Windows(window, layer.label, w, fold.lanes, layer.bits, 1, True, value, 0),
                Pool(name, fold.lanes, layer.bits, w.cells, layer.clamp),
            ]
        case Padding():
            w, value = layer.window, layer.value
            return [Windows(name, layer.label, w, fold.lanes, layer.bits, 1, False, value, 0)]
        case Thermometer():
            return [Compare(name, layer.label, fold.lanes, layer.bits, _grouped(layer, fold.lanes))]
        case Steps():
            table, memory = _grouped(layer, fold.lanes), fold.memory
            ends = (layer.bits, layer.out_bits, layer.low)
            return [Search(name, layer.label, fold.lanes, *ends, table, memory)]
        case _:
            assert_never(layer)


def _product(name: str, layer: MatVec, fold: Fold) -> list[Unit]:
    if fold.lists:
        lengths = list_lengths(layer, fold.lanes)
        gather = Gather(f"{name}_lists", layer, fold.lanes, fold.memory, lengths)
        return [gather, Product(name, layer, fold.lanes, 1, fold.memory, gather)]
    product = Product(name, layer, fold.lanes, fold.simd, fold.memory, sprams=fold.sprams)
    lanes = fold.lanes if layer.depthwise else fold.simd
    repeat = layer.start.shape[1] if layer.depthwise else product.groups
    window = Windows(
        f"{name}_window",
        layer.label,
        layer.window,
        lanes,
        layer.input_bits,
        repeat,
        layer.depthwise,
        layer.pad_value,
        0,
    )
    plain = layer.window.cells == 1 and layer.window.places == layer.window.height * (
        layer.window.width
    )
    if plain and not layer.window.padded and repeat == 1:
        return [product]  # each word is read once, in order
    return [window, product]


def list_lengths(layer: MatVec, lanes: int) -> tuple[int, ...]:
    """Return the list words of each group: its fullest neuron's weights, at least one."""
    counts = np.count_nonzero(layer.weights, axis=1).reshape(-1, lanes).max(axis=1)
    return tuple(int(count) for count in np.maximum(counts, 1))


def _grouped(
    layer: Thermometer | Steps, lanes: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """The table as (groups, lanes, levels); one group where all channels have the same."""
    if layer.table.shape[0] == 1 or (layer.table == layer.table[0]).all():
        return np.repeat(layer.table[:1], lanes, axis=0)[None]
    return layer.table.reshape(layer.channels // lanes, lanes, -1)


def out_bits(layer: Layer, bits: int) -> int:
    """Return the bits of an element that leaves `layer`, those of one that comes in known."""
    match layer:
        case MatVec() | Steps():
            return layer.out_bits
        case Thermometer():
            return 1
        case MaxPool() | Padding():
            return bits
        case _:
            assert_never(layer)


def joined(name: str, have: int, want: int, bits: int) -> list[Unit]:
    """Return the converters from words of `have` bits to `want`, if need be by a common part."""
    if have == want:
        return []
    if have % want == 0 or want % have == 0:
        return [Resize(f"{name}_resize", have, want)]
    part = gcd(have // bits, want // bits) * bits
    return [Resize(f"{name}_narrow", have, part), Resize(f"{name}_widen", part, want)]
