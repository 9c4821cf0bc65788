"""Reachable integers of tensors and accumulators, proved from the actual weights (SPEC 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.graph import Graph
from edgekit.ir.interp.add import add_fixed_sum, add_float32_sum
from edgekit.ir.interp.lowbit import step_of
from edgekit.ir.nodes import (
    Add,
    AveragePool,
    Clamp,
    Concat,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    GroupCount,
    LowBitConv2D,
    LowBitDense,
    LowBitDepthwiseConv2D,
    LowBitNode,
    Lut8,
    LutLayer,
    MaxPool,
    Mul,
    Node,
    Pad,
    Requantize,
    Reshape,
    ResizeBilinear,
    ResizeNearest,
    Rows,
    Slice,
    Softmax,
    Stack,
    Thermometer,
    Threshold,
    Transpose,
    Weighted,
    inputs_of,
)
from edgekit.ir.types import DType, Padding, Requant, Rounding

Ints = NDArray[np.int64]
Range = tuple[int, int]
Ranges = Mapping[str, Range]

_NO_PADDING = Padding()


def value_ranges(graph: Graph) -> dict[str, Range]:
    """Return the lowest and highest reachable value of every activation."""
    ranges: dict[str, Range] = {}
    for edge in graph.inputs:
        dtype = graph.tensors[edge.tensor].dtype
        ranges[edge.tensor] = (dtype.low, dtype.high)
    for node in graph.nodes:
        ranges[node.y] = output_range(graph, node, ranges)
    return ranges


def output_range(graph: Graph, node: Node, ranges: Ranges) -> Range:
    """Return the reachable values of `node.y`, given those of its inputs."""
    if isinstance(node, LowBitNode):
        return _low_bit_range(graph, node, ranges)
    match node:
        case Conv2D() | DepthwiseConv2D() | Dense() | Add() | Mul() | Requantize():
            return node.requant.low, node.requant.high
        case AveragePool() if node.requant is not None:
            return node.requant.low, node.requant.high
        case AveragePool() | MaxPool() | Clamp():
            low, high = ranges[node.x]
            return _clip(low, node.low, node.high), _clip(high, node.low, node.high)
        case Pad():
            low, high = ranges[node.x]
            return min(low, node.value), max(high, node.value)
        case Reshape() | Rows() | Transpose() | Slice() | ResizeNearest() | ResizeBilinear():
            return ranges[node.x]
        case Stack() | Concat():
            ends = [ranges[name] for name in inputs_of(node)]
            return min(low for low, _ in ends), max(high for _, high in ends)
        case Lut8():
            low, high = ranges[node.x]
            reached = graph.constants[node.table][..., low + 128 : high + 129]
            return int(reached.min()), int(reached.max())
        case Softmax():
            dtype = graph.tensors[node.y].dtype
            return dtype.low, dtype.high
        case _:
            assert_never(node)


def _low_bit_range(graph: Graph, node: LowBitNode, ranges: Ranges) -> Range:
    if isinstance(node, Thermometer | LutLayer):
        return -1, 1
    if isinstance(node, GroupCount):
        return 0, graph.tensors[node.x].size // graph.tensors[node.y].size
    if node.thresholds is None:
        low, high = accumulator_bounds(graph, node, ranges)
        return int(low.min()), int(high.max())
    levels = graph.tensors[node.thresholds].shape[-1]
    return node.low, node.low + levels * step_of(graph.tensors[node.y].dtype)


def accumulator_range(graph: Graph, node: Node) -> Range:
    """Return the lowest and highest accumulator that `node` can reach.

    It is what `node` requantizes (or, without a requant, the value or sum that it clamps),
    from the actual weights and biases and the reachable values of the inputs.
    """
    low, high = accumulator_bounds(graph, node, value_ranges(graph))
    return int(low.min()), int(high.max())


def accumulator_bounds(graph: Graph, node: Node, ranges: Ranges) -> tuple[Ints, Ints]:
    """Return (lowest, highest) accumulator for each output channel, or one pair for all."""
    match node:
        case Conv2D() | DepthwiseConv2D() | Dense():
            return _weighted(graph, node, ranges[node.x])
        case LowBitConv2D() | LowBitDepthwiseConv2D() | LowBitDense():
            return _weighted(graph, node, ranges[node.x])
        case Threshold() | Thermometer() | LutLayer() | GroupCount():
            return _pair(*ranges[node.x])
        case Add():
            return _added(node, ranges[node.a], ranges[node.b])
        case Mul():
            return _multiplied(node, ranges[node.a], ranges[node.b])
        case AveragePool():
            centre = 0 if node.requant is None else node.input_zero_point
            cells = node.kernel[0] * node.kernel[1]
            low, high = (value - centre for value in ranges[node.x])
            # A window at the border may hold as little as one cell.
            return _pair(min(low, low * cells), max(high, high * cells))
        case Requantize():
            low, high = ranges[node.x]
            return _pair(low - node.input_zero_point, high - node.input_zero_point)
        case MaxPool() | Pad() | Reshape() | Clamp() | Softmax() | Rows() | Lut8():
            return _pair(*ranges[node.x])
        case Stack() | Concat() | Transpose() | Slice() | ResizeNearest() | ResizeBilinear():
            return _pair(*output_range(graph, node, ranges))
        case _:
            assert_never(node)


def partial_sum_bound(graph: Graph, node: Weighted) -> Ints:
    """Return, per channel, a bound of every partial sum in any order of summation (SPEC 6).

    It holds with the input's zero point subtracted from each value or folded into the bias.
    """
    weight, bias = channel_weights(graph, node), graph.constants[node.bias]
    folded = bias - node.input_zero_point * weight.sum(axis=1)
    reach = 32768 if graph.tensors[node.x].dtype is DType.INT16 else 255
    return np.asarray(np.maximum(np.abs(bias), np.abs(folded)) + reach * np.abs(weight).sum(axis=1))


def channel_weights(graph: Graph, node: Weighted) -> Ints:
    """Return the weights as (C_out, weights of one output)."""
    weight = graph.constants[node.weight]
    if isinstance(node, DepthwiseConv2D | LowBitDepthwiseConv2D):
        return weight.reshape(-1, weight.shape[2]).T
    return weight.reshape(weight.shape[0], -1)


def _weighted(graph: Graph, node: Weighted, values: Range) -> tuple[Ints, Ints]:
    low, high = values[0] - node.input_zero_point, values[1] - node.input_zero_point
    if not isinstance(node, Dense | LowBitDense) and node.padding != _NO_PADDING:
        cell = 0 if isinstance(node, Conv2D | DepthwiseConv2D) else node.padding_value
        low, high = min(low, cell), max(high, cell)
    weight, bias = channel_weights(graph, node), graph.constants[node.bias]
    positive = np.maximum(weight, 0).sum(axis=1)
    negative = np.minimum(weight, 0).sum(axis=1)
    return bias + positive * low + negative * high, bias + positive * high + negative * low


def _added(node: Add, a: Range, b: Range) -> tuple[Ints, Ints]:
    # Rounding never reverses an order, so the extremes of the inputs give those of the sum.
    ends_a, ends_b = np.array(a) - node.a_zero_point, np.array(b) - node.b_zero_point
    if node.requant.rounding is Rounding.FLOAT32_RNE:
        low, high = np.rint(add_float32_sum(node, ends_a, ends_b)).astype(np.int64)
        return _pair(int(low), int(high))
    low, high = add_fixed_sum(node, ends_a, ends_b[::-1] if node.subtract else ends_b)
    return _pair(int(low), int(high))


def _multiplied(node: Mul, a: Range, b: Range) -> tuple[Ints, Ints]:
    ends_a, ends_b = np.array(a) - node.a_zero_point, np.array(b) - node.b_zero_point
    products = np.multiply.outer(ends_a, ends_b)
    return _pair(int(products.min()), int(products.max()))


def requant_of(node: Node) -> Requant | None:
    """Return the node's requant, if it has one."""
    match node:
        case Conv2D() | DepthwiseConv2D() | Dense() | Add() | Mul() | Requantize() | AveragePool():
            return node.requant
        case MaxPool() | Pad() | Reshape() | Clamp() | Softmax() | Rows() | Stack():
            return None
        case Lut8() | Concat() | Transpose() | Slice() | ResizeNearest() | ResizeBilinear():
            return None
        case LowBitConv2D() | LowBitDepthwiseConv2D() | LowBitDense() | Threshold():
            return None
        case Thermometer() | LutLayer() | GroupCount():
            return None
        case _:
            assert_never(node)


def _clip(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)


def _pair(low: int, high: int) -> tuple[Ints, Ints]:
    return np.array([low], np.int64), np.array([high], np.int64)
