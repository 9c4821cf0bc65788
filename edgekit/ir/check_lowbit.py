"""The checker's part for low-bit nodes (SPEC 4.15 to 4.18)."""

from __future__ import annotations

from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.check_moves import fail, want
from edgekit.ir.check_windows import check_weights, check_window
from edgekit.ir.graph import Graph
from edgekit.ir.interp.lowbit import step_of
from edgekit.ir.nodes import (
    GroupCount,
    LowBitConv2D,
    LowBitDense,
    LowBitDepthwiseConv2D,
    LowBitNode,
    LutLayer,
    Thermometer,
    Threshold,
)
from edgekit.ir.ranges import Ranges, accumulator_bounds
from edgekit.ir.types import DType

Ints = NDArray[np.int64]

# Types that a few bits hold: in the arena BINARY is packed, the others have a byte each.
FEW_BITS = (DType.BINARY, DType.TERNARY, DType.INT2, DType.INT4)
_SUMMED = (*FEW_BITS, DType.INT8, DType.INT16)
_LEVELS = (*FEW_BITS, DType.INT8)
_SUMS = (DType.INT16, DType.INT32)
_MOST_INPUTS = 6  # of a look-up table
_MOST_LEVELS = 255


def check_low_bit(graph: Graph, node: LowBitNode, ranges: Ranges) -> None:
    """Check types, thresholds and tables of a node whose shapes are checked.

    Raises:
        UnsupportedError: naming the node, what was found and what is wanted.
    """
    match node:
        case LowBitConv2D() | LowBitDepthwiseConv2D() | LowBitDense():
            _check_sum(graph, node, ranges)
        case Threshold():
            _check_type(graph, node, node.x, (*_LEVELS, *_SUMS))
            _check_step(graph, node, node.thresholds, graph.tensors[node.x].shape[-1])
            want(node, "output shape", graph.tensors[node.y].shape, graph.tensors[node.x].shape)
        case Thermometer():
            _check_thermometer(graph, node)
        case LutLayer():
            _check_tables(graph, node)
        case GroupCount():
            _check_type(graph, node, node.x, (DType.BINARY,))
            _check_type(graph, node, node.y, (DType.INT16,))
            size, groups = graph.tensors[node.x].size, graph.tensors[node.y].size
            if size % groups or size // groups > DType.INT16.high:
                fail(node, f"{size} bits in {groups} groups; as many in each, to 32767, are wanted")
        case _:
            assert_never(node)


def _check_type(graph: Graph, node: LowBitNode, name: str, wanted: tuple[DType, ...]) -> None:
    dtype = graph.tensors[name].dtype
    if dtype not in wanted:
        names = ", ".join(each.name for each in wanted)
        fail(node, f"type of {name} is {dtype.name}; one of {names} is wanted")


def _check_sum(
    graph: Graph, node: LowBitConv2D | LowBitDepthwiseConv2D | LowBitDense, ranges: Ranges
) -> None:
    _check_type(graph, node, node.x, _SUMMED)
    if isinstance(node, LowBitDense):
        outputs = graph.tensors[node.y].shape[-1]
        check_weights(graph, node, (outputs, graph.tensors[node.x].size), outputs)
        want(node, "output shape", graph.tensors[node.y].shape, (outputs,))
    else:
        check_window(graph, node)
    low, high = ranges[node.x]
    if not min(low, 0) <= node.input_zero_point <= max(high, 0):
        fail(node, f"input zero point is {node.input_zero_point}; {low} to {high} is wanted")
    if not isinstance(node, LowBitDense):
        source = graph.tensors[node.x].dtype
        if not source.low - node.input_zero_point <= node.padding_value:
            fail(node, f"padding value {node.padding_value} is below what {source.name} holds")
        if not node.padding_value <= source.high - node.input_zero_point:
            fail(node, f"padding value {node.padding_value} is above what {source.name} holds")
    least, most = accumulator_bounds(graph, node, ranges)
    dtype = graph.tensors[node.y].dtype
    if node.thresholds is not None:
        _check_step(graph, node, node.thresholds, graph.tensors[node.y].shape[-1])
        if graph.tensors[node.thresholds].shape[0] != graph.tensors[node.y].shape[-1]:
            fail(node, "it has one row of thresholds; a row for each channel is wanted")
        return
    _check_type(graph, node, node.y, _SUMS)
    want(node, "lowest value of sums", node.low, 0)
    if least.min() < dtype.low or most.max() > dtype.high:
        fail(node, f"sums reach {least.min()} to {most.max()}, which {dtype.name} cannot hold")


def _check_step(
    graph: Graph,
    node: LowBitConv2D | LowBitDepthwiseConv2D | LowBitDense | Threshold,
    name: str,
    channels: int,
) -> None:
    _check_thresholds(graph, node, name, channels)
    _check_type(graph, node, node.y, _LEVELS)
    dtype, levels = graph.tensors[node.y].dtype, graph.tensors[name].shape[1]
    top = node.low + levels * step_of(dtype)
    if node.low < dtype.low or top > dtype.high or (dtype is DType.BINARY and node.low != -1):
        fail(node, f"levels {node.low} to {top}; {dtype.name} holds {dtype.low} to {dtype.high}")


def _check_thresholds(graph: Graph, node: LowBitNode, name: str, channels: int) -> None:
    tensor, values = graph.tensors[name], graph.constants[name]
    want(node, "threshold type", tensor.dtype.name, DType.INT32.name)
    shape = tensor.shape
    if len(shape) != 2 or shape[0] not in (1, channels) or shape[1] > _MOST_LEVELS:
        fail(
            node,
            f"threshold shape {shape}; ({channels}, levels) with at most {_MOST_LEVELS} levels "
            "is wanted",
        )
    if (np.diff(values, axis=1) < 0).any():
        channel = int(np.flatnonzero((np.diff(values, axis=1) < 0).any(axis=1))[0])
        fail(node, f"the thresholds of channel {channel} fall; rising ones are wanted")


def _check_thermometer(graph: Graph, node: Thermometer) -> None:
    _check_type(graph, node, node.x, (DType.INT8, DType.INT4, DType.INT2, *_SUMS))
    _check_type(graph, node, node.y, (DType.BINARY,))
    shape = graph.tensors[node.x].shape
    _check_thresholds(graph, node, node.thresholds, shape[-1])
    levels = graph.tensors[node.thresholds].shape[1]
    wanted = (*shape[:-1], shape[-1] * levels)
    want(node, "output shape", graph.tensors[node.y].shape, wanted)


def _check_tables(graph: Graph, node: LutLayer) -> None:
    for name in (node.x, node.y, node.tables):
        _check_type(graph, node, name, (DType.BINARY,))
    connections, tables = graph.tensors[node.connections], graph.tensors[node.tables]
    want(node, "connection type", connections.dtype.name, DType.INT16.name)
    outputs = graph.tensors[node.y].size
    want(node, "output shape", graph.tensors[node.y].shape, (outputs,))
    if len(connections.shape) != 2 or not 1 <= connections.shape[-1] <= _MOST_INPUTS:
        fail(node, f"connections {connections.shape}; ({outputs}, 1 to {_MOST_INPUTS}) is wanted")
    want(node, "connections", connections.shape[0], outputs)
    want(node, "table shape", tables.shape, (outputs, 2 ** connections.shape[1]))
    places, size = graph.constants[node.connections], graph.tensors[node.x].size
    if places.min() < 0 or places.max() >= size:
        fail(node, f"connections {places.min()} to {places.max()}; 0 to {size - 1} is wanted")
