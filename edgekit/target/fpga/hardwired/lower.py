"""Nodes of a graph as cells of a circuit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UnsupportedError
from edgekit.ir.graph import Graph
from edgekit.ir.interp.move import slice_along
from edgekit.ir.interp.window import windows
from edgekit.ir.lowbit import (
    GroupCount,
    LowBitConv2D,
    LowBitDense,
    LowBitDepthwiseConv2D,
    LowBitSum,
    LutLayer,
    Thermometer,
    Threshold,
)
from edgekit.ir.nodes import MaxPool, Node, Pad, Reshape, Slice, Transpose
from edgekit.ir.types import DType
from edgekit.target.fpga.hardwired.circuit import Bit, Builder
from edgekit.target.fpga.hardwired.plan import Costs
from edgekit.target.fpga.hardwired.sums import Row, compared, full, row_of, word_at_least
from edgekit.target.fpga.hardwired.wire import Words, binary_bit, signed_bits
from edgekit.target.fpga.hardwired.word import Word

Ints = NDArray[np.int64]
Thresholds = Callable[[int], Sequence[int]]  # of an index along the last axis

_OUTSIDE = -1  # index of a padded cell
_MOVES = (Reshape, Transpose, Slice, Pad, MaxPool)
_SERVED = (*_MOVES, *get_args(LowBitSum), Threshold, Thermometer, LutLayer, GroupCount)


def lower(builder: Builder, graph: Graph, node: Node, x: Words, costs: Costs) -> Words:
    """Return the words of `node.y`, made of the words of its input.

    Raises:
        UnsupportedError: the node is none of low-bit networks.
    """
    y = graph.tensors[node.y]
    match node:
        case Reshape() | Transpose() | Slice():
            words = _moved(node, x, y.shape)
        case Pad():
            around = tuple(zip(node.before, node.after, strict=True))
            words = np.pad(x, around, constant_values=np.array(Word.constant(node.value), object))
        case LowBitDense() | LowBitConv2D() | LowBitDepthwiseConv2D():
            words = _sums(builder, graph, node, x, costs)
        case Threshold():
            limits = graph.constants[node.thresholds]
            passed = _passed(builder, x, limits, costs)
            words = _array([_level(builder, bits, node.low, y.dtype) for bits in passed])
        case Thermometer():
            passed = _passed(builder, x, graph.constants[node.thresholds], costs)
            levels = np.array(passed, np.int64).reshape(*x.shape, -1)
            bits = np.moveaxis(levels, -1, -2)  # all channels of one threshold together
            words = _array([Word.binary(int(bit)) for bit in bits.flat])
        case LutLayer():
            words = _tables(builder, graph, node, x)
        case GroupCount():
            groups = x.reshape(y.size, -1)
            ones = [[(1, Word((binary_bit(w),), 0, 1)) for w in group] for group in groups]
            words = _array(full(builder, [row_of(0, terms) for terms in ones], costs))
        case MaxPool():
            words = _max_pool(builder, node, x, costs)
        case _:
            raise _unserved(node)
    return words.reshape(y.shape)


def refuse_unserved(graph: Graph) -> None:
    """Raise UnsupportedError for a node without hard-wired form, before anything is planned."""
    for node in graph.nodes:
        if not isinstance(node, _SERVED):
            raise _unserved(node)


def _unserved(node: Node) -> UnsupportedError:
    return UnsupportedError(
        f"node {node.label} ({type(node).__name__}) has no hard-wired form",
        hint="hard-wired logic takes binary and few-bit networks: LowBitDense, "
        "convolutions of few bits, thresholds, thermometers, look-up tables, counts, pools",
    )


def _moved(node: Reshape | Transpose | Slice, x: Words, shape: tuple[int, ...]) -> Words:
    """Return the same words in another order: wires and nothing else."""
    match node:
        case Reshape():
            return x
        case Transpose():
            return x.transpose(node.order)
        case Slice():
            return slice_along(node, x[np.newaxis], shape)


def _array(words: Sequence[Word]) -> Words:
    array = np.empty(len(words), object)
    array[:] = words
    return array


def _sums(builder: Builder, graph: Graph, node: LowBitSum, x: Words, costs: Costs) -> Words:
    weight, bias = graph.constants[node.weight], graph.constants[node.bias]
    places = _places(node, x.shape, weight)  # [positions, C_out or 1, inputs of a sum]
    matrix = _matrix(node, weight)
    padding = node.padding_value if not isinstance(node, LowBitDense) else 0
    limits = None if node.thresholds is None else graph.constants[node.thresholds]
    flat = x.reshape(-1)
    dtype = graph.tensors[node.y].dtype
    words: list[Word] = []
    for position in places:
        rows = [
            _row(flat, position[channel % len(position)], factors, int(offset), node, padding)
            for channel, (factors, offset) in enumerate(zip(matrix, bias, strict=True))
        ]
        if limits is None:
            words += full(builder, rows, costs)
            continue
        passed = compared(builder, rows, [[int(t) for t in row] for row in limits], costs)
        words += [_level(builder, bits, node.low, dtype) for bits in passed]
    return _array(words)


def _row(flat: Words, places: Ints, factors: Ints, bias: int, node: LowBitSum, padding: int) -> Row:
    """Return one sum; `places` are indices into `flat`, or outside the image."""
    used = factors != 0
    terms = []
    constant = bias
    for place, factor in zip(places[used].tolist(), factors[used].tolist(), strict=True):
        if place == _OUTSIDE:
            constant += factor * padding
            continue
        constant -= factor * node.input_zero_point
        terms.append((factor, flat[place]))
    return row_of(constant, terms)


def _matrix(node: LowBitSum, weight: Ints) -> Ints:
    """Return the weights of each output channel, [C_out, inputs of a sum]."""
    if isinstance(node, LowBitDepthwiseConv2D):
        return weight.reshape(-1, weight.shape[-1]).T
    if isinstance(node, LowBitConv2D):
        return weight.transpose(0, 3, 1, 2).reshape(weight.shape[0], -1)
    return weight


def _places(node: LowBitSum, shape: tuple[int, ...], weight: Ints) -> Ints:
    """Return which input each weight of each output position meets."""
    indices = np.arange(np.prod(shape), dtype=np.int64)
    if isinstance(node, LowBitDense):
        return indices.reshape(1, 1, -1)
    kernel = weight.shape[1:3] if isinstance(node, LowBitConv2D) else weight.shape[:2]
    image = indices.reshape(1, *shape)
    size = (int(kernel[0]), int(kernel[1]))
    view = windows(image, size, node.stride, node.dilation, node.padding, _OUTSIDE)
    positions = view.shape[1] * view.shape[2]
    if isinstance(node, LowBitConv2D):
        return view.reshape(positions, 1, -1)
    multiplier = weight.shape[-1] // shape[-1]
    return np.repeat(view.reshape(positions, shape[-1], -1), multiplier, axis=1)


def _level(builder: Builder, passed: Sequence[Bit], low: int, dtype: DType) -> Word:
    """Return `low` + step * (thresholds passed), which are passed in their order."""
    if dtype is DType.BINARY:
        return Word.binary(passed[0])
    bits = []
    for place in range(len(passed).bit_length()):
        # Bit `place` of the count changes at every multiple of 2**place.
        edges = [passed[k - 1] for k in range(1 << place, len(passed) + 1, 1 << place)]
        bits.append(_alternating(builder, edges))
    return Word(tuple(bits), low, 1)


def _alternating(builder: Builder, edges: Sequence[Bit]) -> Bit:
    """Return the parity of bits of which each implies the one before."""
    left = list(edges)
    while len(left) > 1:
        part, left = left[:4], left[4:]
        table = sum(bin(index).count("1") % 2 << index for index in range(1 << len(part)))
        left.append(builder.lut(table, part))
    return left[0]


def _passed(builder: Builder, x: Words, limits: Ints, costs: Costs) -> list[list[Bit]]:
    return [
        [word_at_least(builder, word, int(t), costs) for t in limits[k % len(limits)]]
        for k, word in enumerate(x.flat)
    ]


def _tables(builder: Builder, graph: Graph, node: LutLayer, x: Words) -> Words:
    bits = [binary_bit(word) for word in x.flat]
    tables = graph.constants[node.tables] > 0
    made = []
    for places, ones in zip(graph.constants[node.connections].tolist(), tables, strict=True):
        table = sum(1 << int(index) for index in np.flatnonzero(ones))
        made.append(Word.binary(builder.function(table, [bits[place] for place in places])))
    return _array(made)


def _max_pool(builder: Builder, node: MaxPool, x: Words, costs: Costs) -> Words:
    lowest = min(word.offset for word in x.flat)
    highest = max(word.highest for word in x.flat)
    if lowest < node.low or highest > node.high:
        raise UnsupportedError(
            f"node {node.label} (MaxPool) clamps values of {lowest} to {highest} to "
            f"{node.low} to {node.high}, which has no hard-wired form",
            hint="use thresholds instead of a clamped activation",
        )
    image = np.arange(x.size, dtype=np.int64).reshape(1, *x.shape)
    view = windows(image, node.kernel, node.stride, (1, 1), node.padding, _OUTSIDE)
    flat = x.reshape(-1)
    words = []
    for cells in view.reshape(-1, node.kernel[0] * node.kernel[1]):
        words.append(_maximum(builder, [flat[k] for k in cells if k != _OUTSIDE], costs))
    return _array(words)


def _maximum(builder: Builder, words: Sequence[Word], costs: Costs) -> Word:
    if all((word.offset, word.scale) in ((-1, 2), (-1, 1), (1, 1)) for word in words) and all(
        len(word.bits) == (word.scale == 2) for word in words
    ):
        return Word.binary(builder.any_of([binary_bit(word) for word in words]))
    reach = max(max(abs(word.offset), abs(word.highest)) for word in words)
    width = 1 + reach.bit_length()

    def larger(a: Sequence[Bit], b: Sequence[Bit]) -> list[Bit]:
        # a >= b: a + not b + 1 carries, the sign bits negated to compare without signs
        top = len(a) - 1
        left = [bit ^ (i == top) for i, bit in enumerate(a)]
        right = [bit ^ 1 ^ (i == top) for i, bit in enumerate(b)]
        greater = builder.add(left, right, 1)[-1]
        return [builder.choose(greater, p, q) for p, q in zip(a, b, strict=True)]

    bits = [signed_bits(builder, word, width, costs) for word in words]
    largest = list(bits[0])
    for other in bits[1:]:
        largest = larger(largest, other)
    return Word.signed(tuple(largest))
