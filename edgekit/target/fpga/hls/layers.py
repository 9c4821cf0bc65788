"""Each node of a graph as one call of fpga/hls: its sizes, tables and types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UnsupportedError
from edgekit.ir.geometry import kernel_of
from edgekit.ir.graph import Graph
from edgekit.ir.interp import evaluate
from edgekit.ir.lowbit import LowBitSum
from edgekit.ir.nodes import (
    GroupCount,
    LowBitConv2D,
    LowBitDense,
    LowBitDepthwiseConv2D,
    LutLayer,
    MaxPool,
    Node,
    Pad,
    ResizeNearest,
    Slice,
    Thermometer,
    Threshold,
    Transpose,
)
from edgekit.ir.ranges import Ranges, accumulator_bounds
from edgekit.ir.types import DType
from edgekit.target.fpga.hls.fold import fold

Ints = NDArray[np.int64]
_BIT = "ek::Bit"


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A constant array of the generated code; `values` has one or two axes."""

    name: str
    type: str
    values: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One call: `function<name>(tables..., x, y)`; the template is fpga/hls/`header`.hpp."""

    name: str  # of the struct of its sizes; its tables begin with it
    node: Node
    function: str
    header: str
    sizes: Mapping[str, int]
    tables: tuple[Table, ...] = ()
    arguments: tuple[str, ...] = ()  # after the tables
    lanes_in: int = 1  # elements of x read in a clock
    lanes_out: int = 1  # of y written


def bits_of(low: int, high: int) -> int:
    """Return the fewest bits whose two's complement holds `low` to `high`."""
    return (
        max((low if low >= 0 else ~low).bit_length(), (high if high >= 0 else ~high).bit_length())
        + 1
    )


def type_of(graph: Graph, name: str, ranges: Ranges) -> str:
    """Return the C++ type of an activation: a bit, or as many bits as its values need."""
    return _BIT if graph.tensors[name].dtype is DType.BINARY else _signed(*ranges[name])


def layer(graph: Graph, index: int, ranges: Ranges, interval_cycles: int) -> Layer:
    """Return node `index` as a call.

    Raises:
        UnsupportedError: the node is of a kind that no template computes.
    """
    node = graph.nodes[index]
    name = f"node{index}"
    match node:
        case LowBitDense() | LowBitConv2D() | LowBitDepthwiseConv2D():
            return _sum(graph, node, name, ranges, interval_cycles)
        case Threshold() | Thermometer():
            return _steps(graph, node, name, ranges)
        case MaxPool():
            return _max_pool(graph, node, name, interval_cycles)
        case LutLayer():
            return _tables(graph, node, name)
        case GroupCount():
            groups = graph.tensors[node.y].size
            size = graph.tensors[node.x].size // groups
            simd = fold(1, size, groups, interval_cycles).simd
            sizes = {"GROUPS": groups, "SIZE": size, "SIMD": simd}
            return Layer(name, node, "group_count", "ek_group_count", sizes, lanes_in=simd)
        case Pad():
            return Layer(name, node, "pad", "ek_pad", _pad(graph, node))
        case Transpose() | Slice() | ResizeNearest():
            return _move(graph, node, name)
        case _:
            raise UnsupportedError(
                f"{node.label}: {type(node).__name__} has no HLS C++",
                hint="layers of bits, few-bit integers and thresholds have: quantize the model to "
                "binary, ternary or few-bit weights and activations",
            )


def _sum(graph: Graph, node: LowBitSum, name: str, ranges: Ranges, interval_cycles: int) -> Layer:
    low, high = accumulator_bounds(graph, node, ranges)
    bounds = int(low.min()), int(high.max())
    weight, bias = graph.constants[node.weight], graph.constants[node.bias]
    shape = graph.tensors[node.y].shape
    sizes = {"OUTPUTS": shape[-1], "ZERO_POINT": node.input_zero_point, "LOW": node.low}
    # Sums wrap, so partial ones may be wider than the result.
    sizes["SUM_BITS"] = bits_of(*bounds)
    match node:
        case LowBitDense():
            function, inputs, positions, rows = "dense", weight.shape[1], 1, weight
            sizes["INPUTS"] = inputs
        case LowBitConv2D():
            function, inputs, rows = "conv2d", weight.shape[3], weight.reshape(len(weight), -1)
            sizes |= _window(graph, node) | {"PADDING": node.padding_value}
            positions = shape[0] * shape[1] * sizes["TAPS"]
        case LowBitDepthwiseConv2D():
            function, inputs, rows = "depthwise_conv2d", 1, weight.reshape(-1, shape[2])
            sizes |= _window(graph, node) | {"PADDING": node.padding_value}
            positions = shape[0] * shape[1] * sizes["TAPS"]
    folding = fold(shape[-1], inputs, positions, interval_cycles)
    sizes["PE"] = folding.pe
    if function != "depthwise_conv2d":
        sizes["SIMD"] = folding.simd
    tables = [
        _weights(f"{name}_weights", rows, graph.tensors[node.weight].dtype),
        _integers(f"{name}_bias", bias),
    ]
    arguments: tuple[str, ...] = ("ek::NoThresholds()",)
    if node.thresholds is not None:
        tables.append(_thresholds(graph, node.thresholds, name, bounds))
        arguments = ()
    lanes = folding.simd if function != "depthwise_conv2d" else folding.pe
    return Layer(
        name, node, function, f"ek_{function}", sizes, tuple(tables), arguments, lanes, folding.pe
    )


def _steps(graph: Graph, node: Threshold | Thermometer, name: str, ranges: Ranges) -> Layer:
    shape = graph.tensors[node.x].shape
    table = _thresholds(graph, node.thresholds, name, ranges[node.x])
    rows, levels = table.values.shape
    sizes = {"COUNT": graph.tensors[node.x].size, "CHANNELS": shape[-1], "ROWS": rows}
    if isinstance(node, Threshold):
        sizes["LOW"] = node.low
        return Layer(name, node, "threshold", "ek_threshold", sizes, (table,))
    return Layer(name, node, "thermometer", "ek_threshold", sizes, (table,), lanes_out=levels)


def _tables(graph: Graph, node: LutLayer, name: str) -> Layer:
    connections, tables = graph.constants[node.connections], graph.constants[node.tables]
    inputs, fan_in = graph.tensors[node.x].size, connections.shape[1]
    sizes = {"INPUTS": inputs, "OUTPUTS": len(tables), "FAN_IN": fan_in}
    places = np.arange(tables.shape[1])
    packed = [sum(1 << int(p) for p in places[row > 0]) for row in tables]
    arrays = (
        Table(f"{name}_connections", _unsigned(inputs - 1), connections),
        # A table of 64 bits is beyond int64.
        Table(f"{name}_tables", f"ek::Unsigned<{tables.shape[1]}>", np.array(packed, object)),
    )
    return Layer(name, node, "lut_layer", "ek_lut_layer", sizes, arrays, (), inputs, len(tables))


def _move(graph: Graph, node: Transpose | Slice | ResizeNearest, name: str) -> Layer:
    source = graph.tensors[node.x]
    indices = np.arange(source.size, dtype=np.int64).reshape(1, *source.shape)
    places = evaluate(graph, node, {node.x: indices}).reshape(-1)
    table = Table(f"{name}_places", _unsigned(source.size - 1), places)
    sizes = {"INPUTS": source.size, "OUTPUTS": len(places)}
    return Layer(name, node, "move", "ek_move", sizes, (table,))


def _window(graph: Graph, node: LowBitConv2D | LowBitDepthwiseConv2D | MaxPool) -> dict[str, int]:
    height, width, channels = graph.tensors[node.x].shape
    out_height, out_width, _ = graph.tensors[node.y].shape
    kernel = kernel_of(graph, node)
    dilation = (1, 1) if isinstance(node, MaxPool) else node.dilation
    return {
        "HEIGHT": height,
        "WIDTH": width,
        "CHANNELS": channels,
        "OUT_HEIGHT": out_height,
        "OUT_WIDTH": out_width,
        "KERNEL_WIDTH": kernel[1],
        "TAPS": kernel[0] * kernel[1],
        "STRIDE_Y": node.stride[0],
        "STRIDE_X": node.stride[1],
        "DILATION_Y": dilation[0],
        "DILATION_X": dilation[1],
        "TOP": node.padding.top,
        "LEFT": node.padding.left,
    }


def _max_pool(graph: Graph, node: MaxPool, name: str, interval_cycles: int) -> Layer:
    sizes = _window(graph, node) | {"LOW": node.low, "HIGH": node.high}
    positions = sizes["OUT_HEIGHT"] * sizes["OUT_WIDTH"] * sizes["TAPS"]
    pe = fold(sizes["CHANNELS"], 1, positions, interval_cycles).pe
    sizes["PE"] = pe
    return Layer(name, node, "max_pool", "ek_max_pool", sizes, lanes_in=pe, lanes_out=pe)


def _pad(graph: Graph, node: Pad) -> dict[str, int]:
    missing = 3 - len(graph.tensors[node.x].shape)
    ones = (1,) * missing
    height, width, channels = ones + graph.tensors[node.x].shape
    out_height, out_width, out_channels = ones + graph.tensors[node.y].shape
    top, left, front = (0,) * missing + node.before
    return {
        "HEIGHT": height,
        "WIDTH": width,
        "CHANNELS": channels,
        "TOP": top,
        "LEFT": left,
        "FRONT": front,
        "OUT_HEIGHT": out_height,
        "OUT_WIDTH": out_width,
        "OUT_CHANNELS": out_channels,
        "VALUE": node.value,
    }


def _weights(name: str, values: Ints, dtype: DType) -> Table:
    if dtype is DType.BINARY:
        return Table(name, _BIT, (values > 0).astype(np.int64))
    return Table(name, f"ek::Signed<{dtype.bits}>", values)


def _thresholds(graph: Graph, constant: str, name: str, values: tuple[int, int]) -> Table:
    """Return thresholds no further away than what is compared can reach."""
    low, high = values
    return _integers(f"{name}_thresholds", np.clip(graph.constants[constant], low, high + 1))


def _integers(name: str, values: Ints) -> Table:
    return Table(name, _signed(int(values.min()), int(values.max())), values)


def _signed(low: int, high: int) -> str:
    return f"ek::Signed<{bits_of(low, high)}>"


def _unsigned(high: int) -> str:
    return f"ek::Unsigned<{max(1, high.bit_length())}>"
