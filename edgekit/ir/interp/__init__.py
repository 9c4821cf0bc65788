"""The reference interpreter: docs/SPEC.md as code. Every executor must equal it, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError
from edgekit.ir.geometry import padded_values
from edgekit.ir.graph import Graph
from edgekit.ir.interp.add import add
from edgekit.ir.interp.average_pool import average_pool
from edgekit.ir.interp.conv2d import conv2d
from edgekit.ir.interp.dense import dense
from edgekit.ir.interp.depthwise_conv2d import depthwise_conv2d
from edgekit.ir.interp.lookup import lookup
from edgekit.ir.interp.lowbit import group_count, low_bit_sum, lut_layer, thermometer, threshold
from edgekit.ir.interp.max_pool import max_pool
from edgekit.ir.interp.move import (
    concat,
    resize_bilinear,
    resize_nearest,
    slice_along,
    transpose,
)
from edgekit.ir.interp.mul import mul
from edgekit.ir.interp.pad import pad
from edgekit.ir.interp.requantize import requantize_node
from edgekit.ir.interp.softmax import softmax
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
    inputs_of,
)
from edgekit.ir.types import DType

Ints = NDArray[np.int64]

_CHUNK = 32  # samples evaluated together at most
_CHUNK_VALUES = 1 << 22  # values of the largest tensor that are evaluated together


def run(graph: Graph, x: Mapping[str, Ints], keep: bool = False) -> dict[str, Ints]:
    """Evaluate `graph` exactly.

    Args:
        graph: a graph that `check.verify` accepts.
        x: graph integers of every graph input, [batch, *shape] or [batch, any shape of as
            many elements], within the tensor's range.
        keep: return every activation instead of the outputs alone.

    Returns:
        int64 arrays [batch, *shape] by tensor name.

    Raises:
        ConfigError: an input is missing, or has a wrong size, dtype or value.
    """
    values = {edge.tensor: _input(graph, edge.tensor, x) for edge in graph.inputs}
    batches = {array.shape[0] for array in values.values()}
    if len(batches) != 1:
        raise ConfigError(f"the inputs have different numbers of samples: {sorted(batches)}")
    (batch,) = batches
    largest = max(padded_values(graph, node) for node in graph.nodes) if graph.nodes else 1
    step = max(1, min(_CHUNK, _CHUNK_VALUES // largest))
    chunks = [
        _run_chunk(graph, {name: array[i : i + step] for name, array in values.items()}, keep)
        for i in range(0, max(batch, 1), step)
    ]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def evaluate(graph: Graph, node: Node, values: Mapping[str, Ints]) -> Ints:
    """Return the output [batch, *shape] of one node; `values` holds its inputs."""
    return _evaluate(graph, node, values).reshape(-1, *graph.tensors[node.y].shape)


def _run_chunk(graph: Graph, values: dict[str, Ints], keep: bool) -> dict[str, Ints]:
    outputs = {edge.tensor for edge in graph.outputs}
    last_reader = {name: k for k, node in enumerate(graph.nodes) for name in inputs_of(node)}
    for k, node in enumerate(graph.nodes):
        values[node.y] = evaluate(graph, node, values)
        for name in set(inputs_of(node)):
            if not keep and name not in outputs and last_reader[name] == k:
                del values[name]
    return values if keep else {name: values[name] for name in outputs}


def _evaluate(graph: Graph, node: Node, values: Mapping[str, Ints]) -> Ints:  # noqa: C901
    constants = graph.constants
    match node:
        case Conv2D():
            return conv2d(node, values[node.x], constants[node.weight], constants[node.bias])
        case DepthwiseConv2D():
            weight, bias = constants[node.weight], constants[node.bias]
            return depthwise_conv2d(node, values[node.x], weight, bias)
        case Dense():
            return dense(node, values[node.x], constants[node.weight], constants[node.bias])
        case Add():
            return add(node, values[node.a], values[node.b])
        case Mul():
            return mul(node, values[node.a], values[node.b])
        case AveragePool():
            return average_pool(node, values[node.x])
        case MaxPool():
            return max_pool(node, values[node.x])
        case Pad():
            return pad(node, values[node.x])
        case Reshape():
            return values[node.x]
        case Clamp():
            return np.clip(values[node.x], node.low, node.high)
        case Requantize():
            return requantize_node(node, values[node.x])
        case Softmax():
            return softmax(values[node.x], constants[node.table])
        case Rows():
            return values[node.x][:, node.first : node.first + graph.tensors[node.y].shape[0]]
        case Stack():
            return np.concatenate([values[name] for name in node.parts], axis=1)
        case Lut8():
            return lookup(constants[node.table], values[node.x])
        case Concat():
            return concat(node, [values[name] for name in node.xs])
        case Transpose():
            return transpose(node, values[node.x])
        case Slice():
            return slice_along(node, values[node.x], graph.tensors[node.y].shape)
        case ResizeNearest():
            return resize_nearest(node, values[node.x])
        case ResizeBilinear():
            return resize_bilinear(node, values[node.x])
        case LowBitConv2D() | LowBitDepthwiseConv2D() | LowBitDense():
            return _low_bit(graph, node, values[node.x])
        case Threshold() | Thermometer() | LutLayer() | GroupCount():
            return _low_bit(graph, node, values[node.x])
        case _:
            assert_never(node)


def _low_bit(graph: Graph, node: LowBitNode, x: Ints) -> Ints:
    constants, y = graph.constants, graph.tensors[node.y]
    match node:
        case LowBitConv2D() | LowBitDepthwiseConv2D() | LowBitDense():
            levels = None if node.thresholds is None else constants[node.thresholds]
            return low_bit_sum(
                node, y.dtype, x, constants[node.weight], constants[node.bias], levels
            )
        case Threshold():
            return threshold(x, constants[node.thresholds], node.low, y.dtype)
        case Thermometer():
            return thermometer(x, constants[node.thresholds])
        case LutLayer():
            return lut_layer(x, constants[node.connections], constants[node.tables])
        case GroupCount():
            return group_count(x, y.size)
        case _:
            assert_never(node)


def _input(graph: Graph, name: str, x: Mapping[str, Ints]) -> Ints:
    tensor = graph.tensors[name]
    if name not in x:
        raise ConfigError(f"input {name} is missing; found {', '.join(sorted(x)) or 'nothing'}")
    array = np.asarray(x[name])
    if array.dtype.kind not in "iu":
        raise ConfigError(
            f"input {name} is {array.dtype}; graph integers are wanted",
            hint="quantize real values with edgekit.ir.edges.quantize",
        )
    if array.ndim == 0 or array.size != array.shape[0] * tensor.size:
        raise ConfigError(f"input {name} is {array.shape}; [batch, *{tensor.shape}] is wanted")
    if array.size and not tensor.dtype.low <= array.min() <= array.max() <= tensor.dtype.high:
        raise ConfigError(
            f"input {name} reaches {array.min()} to {array.max()}; "
            f"{tensor.dtype.low} to {tensor.dtype.high} is wanted"
        )
    if tensor.dtype is DType.BINARY and not array.all():
        raise ConfigError(f"input {name} holds 0; -1 and 1 are wanted")
    return array.astype(np.int64).reshape(array.shape[0], *tensor.shape)
