"""From the graph to the layers of a folded design: constants folded into starts and tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgekit.errors import UnsupportedError
from edgekit.ir.geometry import window_shape
from edgekit.ir.graph import Graph
from edgekit.ir.interp.move import transpose
from edgekit.ir.lowbit import (
    LowBitConv2D,
    LowBitDense,
    LowBitDepthwiseConv2D,
    LowBitSum,
    Thermometer,
    Threshold,
)
from edgekit.ir.nodes import MaxPool, Node, Pad, Reshape, Transpose
from edgekit.ir.types import DType, Padding
from edgekit.target.fpga.folded import layers
from edgekit.target.fpga.folded.layers import NOTHING, Ints, Layer, MatVec, Stream, Window
from edgekit.target.fpga.folded.sums import Sum, fold_sum

_HARD_WIRED = "the hard-wired style serves it"


def lower(graph: Graph) -> tuple[Stream, list[Layer], Stream]:
    """Return the stream that goes in, the layers in order and the stream that comes out.

    Raises:
        UnsupportedError: a node that this style does not serve, or more than a chain.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise UnsupportedError(
            f"the network has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; one "
            "of each is wanted"
        )
    first, stream, rest = _input(graph)
    found: list[Layer] = []
    last = graph.nodes[-len(rest) - 1].y if len(rest) < len(graph.nodes) else None
    name = graph.inputs[0].tensor if last is None else last
    for node in rest:
        if getattr(node, "x", None) != name:
            raise UnsupportedError(
                f"{node.label}: it does not read the node before it; a chain is wanted"
            )
        made, stream = _layer(graph, node, stream)
        found += made
        name = node.y
    if name != graph.outputs[0].tensor:
        raise UnsupportedError(f"output {graph.outputs[0].tensor} is not the last node's")
    return first, found, stream


def _input(graph: Graph) -> tuple[Stream, Stream, list[Node]]:
    """The input as it is sent, as the first arithmetic node names it, and the nodes left.

    Moves of whole bytes cost nothing: the bytes are sent in the order in which they are wanted.
    """
    tensor = graph.tensors[graph.inputs[0].tensor]
    index = np.arange(tensor.size).reshape(1, *tensor.shape)
    nodes = list(graph.nodes)
    whole_bytes = tensor.dtype is not DType.BINARY
    while nodes:
        node = nodes[0]
        if isinstance(node, Transpose) and whole_bytes:
            index = transpose(node, index)
        elif isinstance(node, Reshape):
            index = index.reshape(1, *graph.tensors[node.y].shape)
        else:
            break
        nodes.pop(0)
    shape = index.shape[1:]
    # Bits lie in rows of words: their places stay those of the input tensor.
    height, width, channels = _places(shape if whole_bytes else tensor.shape)
    sent = index.reshape(-1)
    if not whole_bytes and channels == sent.size and channels % 8:
        channels = -(-channels // 8) * 8  # a vector of bits, filled up to whole bytes
        sent = np.concatenate([sent, np.full(channels - sent.size, NOTHING)])
    first = Stream(height, width, channels, tensor.dtype, sent)
    named = np.where(sent == NOTHING, NOTHING, np.arange(sent.size))
    return first, _reshaped(replace(first, order=named), shape), nodes


def _places(shape: tuple[int, ...]) -> tuple[int, int, int]:
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    if len(shape) == 2:
        return 1, shape[0], shape[1]
    return 1, 1, int(np.prod(shape))


def _reshaped(stream: Stream, shape: tuple[int, ...]) -> Stream:
    """The same elements under another shape; where elements are missing it stays a vector."""
    height, width, channels = _places(shape)
    if height * width * channels != stream.size:
        return stream
    return replace(stream, height=height, width=width, channels=channels)


def _layer(graph: Graph, node: Node, stream: Stream) -> tuple[list[Layer], Stream]:
    match node:
        case LowBitDense() | LowBitConv2D() | LowBitDepthwiseConv2D():
            return _sum(graph, node, stream)
        case Threshold():
            table = _table(graph, node, stream)
            return _steps(node.label, graph.tensors[node.y].dtype, table, node.low, stream)
        case Thermometer():
            return _thermometer(graph, node, stream)
        case MaxPool():
            return _max_pool(graph, node, stream)
        case Pad():
            return _pad(graph, node, stream)
        case Reshape():
            return [], _reshaped(stream, graph.tensors[node.y].shape)
        case _:
            name = type(node).__name__
            raise UnsupportedError(
                f"{node.label}: the folded style has no unit for {name}",
                hint=_HARD_WIRED
                if name in ("LutLayer", "GroupCount")
                else "train with low-bit layers: binary, ternary or int2 to int8 with thresholds",
            )


def _channel_order(label: str, stream: Stream) -> Ints:
    """The graph's channel of each element of a place, which must be the same at every place."""
    places = stream.order.reshape(stream.height * stream.width, stream.channels)
    steps = np.arange(len(places))[:, None] * stream.channels
    order = places[0] - places[0].min()
    if (places - steps != places[0]).any() or places[0].min() != 0:
        raise UnsupportedError(
            f"{label}: its input comes in another order at each place",
            hint="let the network begin with a convolution or dense layer on this order",
        )
    return np.asarray(order)


def _window(
    graph: Graph, node: LowBitConv2D | LowBitDepthwiseConv2D | MaxPool, s: Stream
) -> Window:
    if isinstance(node, MaxPool):
        kernel, dilation = node.kernel, (1, 1)
    else:
        shape = graph.tensors[node.weight].shape
        kernel = (shape[1], shape[2]) if isinstance(node, LowBitConv2D) else (shape[0], shape[1])
        dilation = node.dilation
    out = graph.tensors[node.y].shape
    top, left = node.padding.top, node.padding.left
    return Window(
        s.height, s.width, s.channels, kernel, node.stride, dilation, top, left, out[0], out[1]
    )


def _sum(graph: Graph, node: LowBitSum, stream: Stream) -> tuple[list[Layer], Stream]:
    weight_type, dtype = graph.tensors[node.weight].dtype, graph.tensors[node.y].dtype
    window, columns, channels = _arranged(graph, node, stream)
    bias = graph.constants[node.bias][channels]
    table = None if node.thresholds is None else graph.constants[node.thresholds][channels]
    dense, depthwise = isinstance(node, LowBitDense), isinstance(node, LowBitDepthwiseConv2D)
    made = fold_sum(
        Sum(
            node.label,
            columns.reshape(len(channels), -1),
            bias,
            table,
            weight_type,
            stream.dtype,
            dtype,
            node.input_zero_point,
            0 if isinstance(node, LowBitDense) else node.padding_value,
            window.padded,
            int((stream.order != NOTHING).sum()) if dense else None,
        )
    )
    layer = MatVec(
        node.label,
        window,
        columns,
        made.start.reshape(columns.shape[:2]) if depthwise else made.start,
        weight_type.bits,
        stream.bits,
        made.acc_bits,
        made.double,
        made.sign,
        depthwise,
        made.pad_value,
    )
    order = (np.arange(window.places)[:, None] * len(channels) + channels).reshape(-1)
    bits = made.acc_bits if table is None else None
    sums = Stream(window.out_height, window.out_width, len(channels), dtype, order, bits)
    if table is None or made.sign:
        return [layer], sums
    ends = (made.acc_bits, table, node.low, dtype.bits)
    return [layer, layers.Steps(node.label, window.places, len(channels), *ends)], sums


def _arranged(graph: Graph, node: LowBitSum, stream: Stream) -> tuple[Window, Ints, Ints]:
    """The window, the weights in the stream's order and the graph's channel of each output."""
    weight = graph.constants[node.weight]
    if isinstance(node, LowBitDense):
        columns = _columns(weight, stream.order, graph.tensors[node.weight].dtype)
        return Window(1, 1, stream.size), columns, np.arange(len(weight))
    window, order = _window(graph, node, stream), _channel_order(node.label, stream)
    if isinstance(node, LowBitConv2D):
        columns = weight[..., order].reshape(len(weight), -1)
        return window, columns, np.arange(len(weight))
    multiplier = weight.shape[2] // stream.channels
    by_channel = weight.reshape(window.cells, stream.channels, multiplier)
    channels = (order[:, None] * multiplier + np.arange(multiplier)).reshape(-1)
    return window, by_channel.transpose(1, 2, 0)[order], channels


def _columns(weight: Ints, order: Ints, dtype: DType) -> Ints:
    """The weights of a dense layer, a column for each element of the stream."""
    nothing = 1 if dtype is DType.BINARY else 0  # a bit that is 0 does not equal it
    columns = np.where(order == NOTHING, nothing, weight[:, np.maximum(order, 0)])
    return np.asarray(columns)


def _table(graph: Graph, node: Threshold | Thermometer, stream: Stream) -> Ints:
    table = graph.constants[node.thresholds]
    if table.shape[0] == 1:
        return table
    return np.asarray(table[_channel_order(node.label, stream)])


def _steps(
    label: str, dtype: DType, table: Ints, low: int, stream: Stream
) -> tuple[list[Layer], Stream]:
    places = stream.height * stream.width
    made = replace(stream, dtype=dtype, sum_bits=None)
    if dtype is DType.BINARY:
        return [layers.Thermometer(label, places, stream.channels, stream.bits, table)], made
    layer = layers.Steps(label, places, stream.channels, stream.bits, table, low, dtype.bits)
    return [layer], made


def _thermometer(graph: Graph, node: Thermometer, s: Stream) -> tuple[list[Layer], Stream]:
    table = _table(graph, node, s)
    levels = table.shape[1]
    place, channel = np.divmod(s.order, s.channels)
    order = (place * levels * s.channels + channel)[:, None] + np.arange(levels) * s.channels
    made = Stream(s.height, s.width, s.channels * levels, DType.BINARY, order.reshape(-1))
    places = s.height * s.width
    return [layers.Thermometer(node.label, places, s.channels, s.bits, table)], made


def _max_pool(graph: Graph, node: MaxPool, s: Stream) -> tuple[list[Layer], Stream]:
    window = _window(graph, node, s)
    order = _channel_order(node.label, s)
    clamp = None if (node.low, node.high) == (s.dtype.low, s.dtype.high) else (node.low, node.high)
    if s.dtype is DType.BINARY and clamp is not None:
        raise UnsupportedError(f"{node.label}: a clamp of bits to {clamp}; -1 to 1 is wanted")
    out = (np.arange(window.places)[:, None] * s.channels + order).reshape(-1)
    made = Stream(window.out_height, window.out_width, s.channels, s.dtype, out, s.sum_bits)
    lowest = s.dtype.low if s.sum_bits is None else -(1 << (s.bits - 1))
    return [layers.MaxPool(node.label, window, s.bits, clamp, lowest)], made


def _pad(graph: Graph, node: Pad, s: Stream) -> tuple[list[Layer], Stream]:
    shape = graph.tensors[node.y].shape
    if len(shape) != 3 or node.before[2] or node.after[2]:
        raise UnsupportedError(f"{node.label}: padding of {shape}; of rows and columns is wanted")
    order = _channel_order(node.label, s)
    around = Padding(node.before[0], node.before[1], node.after[0], node.after[1])
    height, width = window_shape((s.height, s.width), (1, 1), (1, 1), (1, 1), around)
    window = Window(
        s.height,
        s.width,
        s.channels,
        pad_top=node.before[0],
        pad_left=node.before[1],
        out_height=height,
        out_width=width,
    )
    out = (np.arange(window.places)[:, None] * s.channels + order).reshape(-1)
    made = Stream(height, width, s.channels, s.dtype, out, s.sum_bits)
    return [layers.Padding(node.label, window, s.bits, node.value)], made
