"""From a trained network to the integer graph that means the same, score for score.

A layer's sums are exact, everything after them is a rising function of one sum, and that function
is evaluated here in the same float32 operations as in `layers`; so its integer thresholds, found
by bisection over the sums that the weights can reach, are exact by construction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekit.errors import UnsupportedError
from edgekit.frontend.lowering.nodes import Nodes
from edgekit.ir import check, ladder, nodes
from edgekit.ir.graph import Graph, Source
from edgekit.ir.types import DType, Edge, Padding
from edgekit.train import quantizers
from edgekit.train.export_input import Coding, enter
from edgekit.train.layers import AveragePool, Weighted, Window, product
from edgekit.train.lut import GroupCount, LookUpTables
from edgekit.train.network import Network

Ints: TypeAlias = NDArray[np.int64]
Real: TypeAlias = NDArray[np.float32]
Levels: TypeAlias = Callable[[Real], Ints]

_STORED = {
    "binary": DType.BINARY,
    "ternary": DType.TERNARY,
    "int2": DType.INT2,
    "int4": DType.INT4,
    "int8": DType.INT8,
}


@dataclass(frozen=True, slots=True, eq=False)
class Activation:
    """What follows a layer's sums: levels 0, 1, ... of real values, and the codes they are."""

    levels: Levels
    count: int  # levels above the lowest
    dtype: DType
    low: int  # codes
    high: int
    scale: Tensor | None


@torch.no_grad()
def to_graph(network: Network, name: str, shape: tuple[int, ...], sample: np.dtype) -> Graph:  # type: ignore[type-arg]
    """Return the verified graph of a trained network for samples of `shape` and dtype `sample`.

    Raises:
        UnsupportedError: float weights, or a layer whose output has no few-bit activation.
    """
    network.eval()
    built = Nodes()
    first = network.blocks[0]
    flat = isinstance(first, LookUpTables) or (
        isinstance(first, Weighted) and first.spec.window is None
    )
    edge, coding = enter(built, network.encoding, shape, sample, flat=flat)
    output: Edge | None = None
    for position, block in enumerate(network.blocks):
        label = f"layer{position}"
        last = position == len(network.blocks) - 1
        if isinstance(block, Weighted):
            coding, output = _weighted(built, block, coding, label, last=last)
        elif isinstance(block, AveragePool):
            coding = _average(built, block, coding, label)
        elif isinstance(block, LookUpTables):
            coding = _tables(built, block, coding, label)
        elif isinstance(block, GroupCount):
            output = _count(built, block, coding, label)
    if output is None:
        raise UnsupportedError(
            "the network ends in no scores", hint="end it with dense or group_count"
        )
    graph = Graph(
        name=name,
        source=Source("edgekit", "none", ""),
        inputs=(edge,),
        outputs=(output,),
        nodes=tuple(built.nodes),
        tensors=built.tensors,
        constants=built.constants,
    )
    check.verify(graph)
    return graph


def activation_of(quantizer: nn.Module, label: str) -> Activation:
    """Return the levels of a trained activation.

    Raises:
        UnsupportedError: it is none, or a ReLU without a quantizer.
    """
    match quantizer:
        case quantizers.Sign():
            return Activation(lambda y: (y >= 0).astype(np.int64), 1, DType.BINARY, -1, 1, None)
        case quantizers.Ternary():
            return Activation(_ternary_levels, 2, DType.TERNARY, -1, 1, None)
        case quantizers.Uniform():
            scale = quantizer.step()
            inverse = (1 / scale).numpy()
            low, high = quantizer.low, quantizer.high

            def levels(y: Real) -> Ints:
                codes = np.rint(np.clip(y * inverse, low, high)).astype(np.int64)
                return np.asarray(codes - low)

            return Activation(levels, high - low, _holding(low, high), low, high, scale)
        case _:
            raise UnsupportedError(
                f"{label}: its activation is not quantized, and more layers follow",
                hint="give the layer an activation of few bits, or use `edgekit compress`",
            )


def _ternary_levels(y: Real) -> Ints:
    return (np.sign(y) * (np.abs(y) > 0.5)).astype(np.int64) + 1


def _holding(low: int, high: int) -> DType:
    """Return the smallest type with as many values; unsigned codes are moved down into it."""
    for dtype in (DType.INT2, DType.INT4):
        if high - low <= dtype.high - dtype.low:
            return dtype
    return DType.INT8


def _weighted(
    built: Nodes, block: Weighted, x: Coding, label: str, *, last: bool
) -> tuple[Coding, Edge | None]:
    spec = block.spec
    if spec.weight == "float":
        raise UnsupportedError(
            f"{label}: its weights are float", hint="give the layer a weight of few bits"
        )
    codes, weight_scale, _ = block.weights()
    weight = codes.numpy().astype(np.int64)
    bias = block.scaling.integer_bias().numpy().astype(np.int64)
    scale = product(x.scale, weight_scale)
    factor, offset = (None if t is None else t.numpy() for t in block.scaling.affine(scale))
    dtype = _STORED[spec.weight]
    if dtype is DType.BINARY and (weight == 0).any():
        dtype = DType.TERNARY
    low, high = _reach(weight, bias, x, 0 if spec.window is None else spec.window.pad_value)
    stored = _layout(weight, spec.kind, x)
    shape: tuple[int, ...] = (spec.outputs,)
    if spec.window is not None:
        shape = (*_sums_shape(spec.window, x.shape), spec.outputs)

    def real(acc: Ints) -> Real:
        y = acc.astype(np.float32)
        y = y if factor is None else y * factor
        return y if offset is None else y + offset

    if last:
        edge = _scores(built, shape, low, high, factor, offset)
        _add(built, block.spec.window, spec.kind, label, x, edge.tensor,
             stored, dtype, bias, None, 0)  # fmt: skip
        return x, edge
    after = activation_of(block.activation, label)
    rows = _thresholds(lambda acc: after.levels(real(acc)), low, high, after.count, label)
    y = _quantized(built, shape, after)
    thresholds = built.constant("thresholds", rows, DType.INT32, label)
    _add(built, block.spec.window, spec.kind, label, x, y.tensor,
         stored, dtype, bias, thresholds, y.low + y.zero_point)  # fmt: skip
    return (y if spec.window is None else _max_pool(built, spec.window, y, label)), None


def _add(
    built: Nodes,
    window: Window | None,
    kind: str,
    label: str,
    x: Coding,
    y: str,
    weight: Ints,
    dtype: DType,
    bias: Ints,
    thresholds: str | None,
    low: int,
) -> None:
    """Append the node of a sum."""
    w = built.constant("weight", weight, dtype, label)
    b = built.constant("bias", bias, DType.INT32, label)
    if window is None:
        dense = nodes.LowBitDense(label, x.tensor, y, w, b, x.zero_point, thresholds, low)
        built.nodes.append(dense)
        return
    node = nodes.LowBitDepthwiseConv2D if kind == "depthwise" else nodes.LowBitConv2D
    rows, columns = window.padding
    built.nodes.append(
        node(
            label=label,
            x=x.tensor,
            y=y,
            weight=w,
            bias=b,
            stride=window.stride,
            dilation=(1, 1),
            padding=Padding(rows, columns, rows, columns),
            padding_value=window.pad_value,
            input_zero_point=x.zero_point,
            thresholds=thresholds,
            low=low,
        )
    )


def _average(built: Nodes, block: AveragePool, x: Coding, label: str) -> Coding:
    """Sums over windows are a depthwise convolution with ones."""
    channels = x.shape[-1]
    ones = np.ones((channels, 1, *block.window.kernel), np.int64)
    none = np.zeros(channels, np.int64)
    low, high = _reach(ones, none, x, 0)
    factor = block.factor(x.scale)
    shape = (*_sums_shape(block.window, x.shape), channels)
    rows = None
    if block.keeps_sums:
        y = _sums(built, shape, low, high, factor)
    else:
        after, times = activation_of(block.activation, label), factor.numpy()
        levels = _thresholds(
            lambda acc: after.levels(acc.astype(np.float32) * times), low, high, after.count, label
        )
        y = _quantized(built, shape, after)
        rows = built.constant("thresholds", levels, DType.INT32, label)
    lowest = 0 if rows is None else y.low + y.zero_point
    _add(built, block.window, "depthwise", label, x, y.tensor, _layout(ones, "depthwise", x),
         DType.BINARY, none, rows, lowest)  # fmt: skip
    return y


def _tables(built: Nodes, block: LookUpTables, x: Coding, label: str) -> Coding:
    if x.dtype is not DType.BINARY:
        raise UnsupportedError(
            f"{label}: look-up tables read bits, found {x.dtype.name}",
            hint="begin with a thermometer input, or a layer with a binary activation",
        )
    source = x.tensor
    if len(x.shape) != 1:
        source = built.activation((int(np.prod(x.shape)),), DType.BINARY)
        built.nodes.append(nodes.Reshape(label, x.tensor, source))
    entries = np.where(block.tables.numpy() >= 0, 1, -1).astype(np.int64)
    connections = block.connections().numpy().astype(np.int64)
    if x.places is not None:
        connections = x.places[connections]
    c = built.constant("connections", connections, DType.INT16, label)
    t = built.constant("tables", entries, DType.BINARY, label)
    y = built.activation((len(entries),), DType.BINARY)
    built.nodes.append(nodes.LutLayer(label, source, y, c, t))
    return Coding(y, (len(entries),), DType.BINARY, 0, -1, 1, None)


def _count(built: Nodes, block: GroupCount, x: Coding, label: str) -> Edge:
    y = built.activation((block.groups,), DType.INT16)
    built.nodes.append(nodes.GroupCount(label, x.tensor, y))
    return _output(y, (block.groups,), DType.INT16, scale=float(np.float32(1 / block.temperature)))


def _scores(
    built: Nodes,
    shape: tuple[int, ...],
    low: Ints,
    high: Ints,
    factor: Real | None,
    offset: Real | None,
) -> Edge:
    dtype = _sums_type(low, high)
    y = built.activation(shape, dtype)
    if offset is None and (factor is None or factor.size == 1):
        return _output(y, shape, dtype, scale=1.0 if factor is None else float(factor[0]))
    scales = np.broadcast_to(np.float32(1) if factor is None else factor, shape[-1:])
    offsets = np.zeros(shape[-1:], np.float32) if offset is None else offset
    edge = _output(y, shape, dtype, scale=1.0)
    return replace(
        edge,
        channel_scale=tuple(float(value) for value in scales),
        channel_offset=tuple(float(value) for value in offsets),
    )


def _output(tensor: str, shape: tuple[int, ...], dtype: DType, *, scale: float) -> Edge:
    return Edge(
        tensor=tensor,
        source_name="scores",
        source_shape=(1, *shape),
        source_dtype="float32",
        scale=scale,
        zero_point=0,
        host_ops=("dequantize",),
        dtype=dtype,
    )


def _sums(
    built: Nodes, shape: tuple[int, ...], low: Ints, high: Ints, scale: Tensor | None
) -> Coding:
    dtype = _sums_type(low, high)
    y = built.activation(shape, dtype)
    return Coding(y, shape, dtype, 0, int(low.min()), int(high.max()), scale)


def _quantized(built: Nodes, shape: tuple[int, ...], after: Activation) -> Coding:
    y = built.activation(shape, after.dtype)
    moved = min(after.dtype.high - after.high, 0)  # unsigned codes are stored lower
    return Coding(y, shape, after.dtype, moved, after.low, after.high, after.scale)


def _max_pool(built: Nodes, window: Window, x: Coding, label: str) -> Coding:
    """The activation rises with the sum, so the greatest sum has the greatest code."""
    if max(window.pool) == 1:
        return x
    height, width, channels = x.shape
    shape = (height // window.pool[0], width // window.pool[1], channels)
    y = built.activation(shape, x.dtype)
    low, high = x.low + x.zero_point, x.high + x.zero_point
    built.nodes.append(
        nodes.MaxPool(label, x.tensor, y, window.pool, window.pool, Padding(), low, high)
    )
    return replace(x, tensor=y, shape=shape)


def _thresholds(
    levels: Callable[[Ints], Ints], low: Ints, high: Ints, count: int, label: str
) -> Ints:
    """Return (C, count) thresholds of sums that reach `low` to `high`, both (C,)."""
    rows = ladder.thresholds(levels, low, high, count)
    ladder.check_rising(levels, low, high, rows, label)
    return rows


def _reach(weight: Ints, bias: Ints, x: Coding, padded: int) -> tuple[Ints, Ints]:
    """Return the least and the greatest sum of each output; weight (C, ...)."""
    rows = weight.reshape(len(weight), -1)
    low, high = min(x.low, padded), max(x.high, padded)
    up, down = np.maximum(rows, 0).sum(axis=1), np.minimum(rows, 0).sum(axis=1)
    return up * low + down * high + bias, up * high + down * low + bias


def _layout(weight: Ints, kind: str, x: Coding) -> Ints:
    """Return torch's (O, I, H, W) or (O, N) as the graph has it."""
    if weight.ndim == 2:
        if x.places is None:
            return weight
        stored = np.empty_like(weight)
        stored[:, x.places] = weight
        return stored
    if kind == "depthwise":
        return np.ascontiguousarray(weight[:, 0].transpose(1, 2, 0))
    return np.ascontiguousarray(weight.transpose(0, 2, 3, 1))


def _sums_shape(window: Window, shape: tuple[int, ...]) -> tuple[int, int]:
    return replace(window, pool=(1, 1)).shape(shape[0], shape[1])


def _sums_type(low: Ints, high: Ints) -> DType:
    fits = DType.INT16.low <= low.min() and high.max() <= DType.INT16.high
    return DType.INT16 if fits else DType.INT32
