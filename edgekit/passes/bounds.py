"""Reachable integers of every element, by running the graph on intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.arithmetic import requantize
from edgekit.ir.graph import Graph
from edgekit.ir.interp import evaluate
from edgekit.ir.interp.add import add
from edgekit.ir.interp.conv2d import conv2d_accumulators
from edgekit.ir.interp.dense import dense_accumulators
from edgekit.ir.interp.depthwise_conv2d import depthwise_accumulators
from edgekit.ir.interp.lookup import lookup
from edgekit.ir.interp.lowbit import low_bit_accumulators, threshold
from edgekit.ir.nodes import (
    Add,
    AveragePool,
    Clamp,
    Concat,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    LowBitConv2D,
    LowBitDense,
    LowBitDepthwiseConv2D,
    Lut8,
    MaxPool,
    Node,
    Pad,
    Requantize,
    Reshape,
    ResizeBilinear,
    ResizeNearest,
    Rows,
    Slice,
    Stack,
    Threshold,
    Transpose,
    Weighted,
    inputs_of,
)

Ints = NDArray[np.int64]
Bounds = tuple[Ints, Ints]  # lowest and highest value of each element, both of the tensor's shape


def element_bounds(graph: Graph) -> dict[str, Bounds]:
    """Return bounds of every element of every activation, for all inputs of the graph.

    They are tight for one node alone. Padded cells count as what they are, so a value that holds
    at each place of a channel holds at its border too.
    """
    bounds: dict[str, Bounds] = {}
    for edge in graph.inputs:
        bounds[edge.tensor] = _anything(graph, edge.tensor)
    for node in graph.nodes:
        bounds[node.y] = _node_bounds(graph, node, bounds)
    return bounds


def weighted_sums(node: Weighted, x: Ints, weight: Ints, bias: Ints) -> Ints:
    """Return the accumulators [*shape of y] of one sample; x of the input's shape."""
    batch = x[np.newaxis]
    match node:
        case Conv2D():
            sums = conv2d_accumulators(node, batch, weight, bias)
        case DepthwiseConv2D():
            sums = depthwise_accumulators(node, batch, weight, bias)
        case Dense():
            sums = dense_accumulators(node, batch, weight, bias)
        case LowBitConv2D() | LowBitDepthwiseConv2D() | LowBitDense():
            sums = low_bit_accumulators(node, batch, weight, bias)
        case _:
            assert_never(node)
    return np.asarray(sums[0])


def _node_bounds(graph: Graph, node: Node, bounds: Mapping[str, Bounds]) -> Bounds:
    match node:
        case Conv2D() | DepthwiseConv2D() | Dense():
            return _weighted(graph, node, *bounds[node.x])
        case LowBitConv2D() | LowBitDepthwiseConv2D() | LowBitDense():
            return _weighted(graph, node, *bounds[node.x])
        case Add() if node.subtract:
            (low_a, high_a), (low_b, high_b) = bounds[node.a], bounds[node.b]
            # Both may be one tensor, at two scales: its lowest less its highest value, and back.
            low, high = add(node, np.stack([low_a, high_a]), np.stack([high_b, low_b]))
            return low, high
        case Add() | AveragePool() | MaxPool() | Pad() | Reshape() | Clamp() | Requantize():
            return _rising(graph, node, bounds)
        case Rows() | Stack() | Concat() | Transpose() | Slice() | Threshold():
            return _rising(graph, node, bounds)
        case ResizeNearest() | ResizeBilinear():
            return _rising(graph, node, bounds)
        case Lut8():
            return _looked_up(graph.constants[node.table], *bounds[node.x])
        case _:
            return _anything(graph, node.y)


def _rising(graph: Graph, node: Node, bounds: Mapping[str, Bounds]) -> Bounds:
    """The node reverses no order, so the ends of its inputs give the ends of its output."""
    ends = {name: np.stack(bounds[name]) for name in inputs_of(node)}
    low, high = evaluate(graph, node, ends)
    return low, high


def _looked_up(table: Ints, low: Ints, high: Ints) -> Bounds:
    if table.ndim == 2:
        # A function for each channel: exact for one value, else all that it can return.
        ends = table.min(axis=1), table.max(axis=1)
        one, only = low == high, lookup(table, low)
        return np.where(one, only, ends[0]), np.where(one, only, ends[1])
    # Row i holds the extremes of table[i], table[i + 1], ... up to each place.
    rows = [table[start:] for start in range(256)]
    least = np.stack([np.pad(np.minimum.accumulate(row), (256 - row.size, 0)) for row in rows])
    most = np.stack([np.pad(np.maximum.accumulate(row), (256 - row.size, 0)) for row in rows])
    return least[low + 128, high + 128], most[low + 128, high + 128]


def _weighted(graph: Graph, node: Weighted, low: Ints, high: Ints) -> Bounds:
    weight, bias = graph.constants[node.weight], graph.constants[node.bias]
    rising, falling = np.maximum(weight, 0), np.minimum(weight, 0)
    zero = np.zeros_like(bias)

    def reached(below: Ints, above: Ints) -> Ints:
        acc = weighted_sums(node, below, rising, bias) + weighted_sums(node, above, falling, zero)
        if isinstance(node, Conv2D | DepthwiseConv2D | Dense):
            return requantize(acc, node.requant)
        if node.thresholds is None:
            return acc
        dtype = graph.tensors[node.y].dtype
        return threshold(acc, graph.constants[node.thresholds], node.low, dtype)

    return reached(low, high), reached(high, low)


def _anything(graph: Graph, name: str) -> Bounds:
    tensor = graph.tensors[name]
    return np.full(tensor.shape, tensor.dtype.low), np.full(tensor.shape, tensor.dtype.high)
