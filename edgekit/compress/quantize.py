"""A float network and its grids as an integer graph (docs/reference/compress.md).

Weighted layers become nodes with a `Requant` of rounding `single`; a ReLU becomes its clamp.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

import numpy as np

from edgekit.compress import floatnet, weights
from edgekit.compress.calibrate import INPUT, Grid
from edgekit.compress.floatnet import (
    AveragePool,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    FloatNet,
    Layer,
    MaxPool,
    Permute,
    Relu,
    View,
    Weighted,
)
from edgekit.compress.weights import Ints, Scales, Word
from edgekit.errors import UnsupportedError
from edgekit.ir import check, nodes
from edgekit.ir.arithmetic import quantize_multiplier
from edgekit.ir.graph import Graph, Source
from edgekit.ir.types import DType, Edge, Padding, Requant, Rounding, Tensor

_BIAS_LIMIT = 1 << 22  # what the fast kernels start a sum from
_LOW, _HIGH = DType.INT8.low, DType.INT8.high


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How a network is rounded: a grid for each place, a word and scales for each weighted layer.

    `scales` holds (C_out,) arrays by layer label; a layer that is absent gets its own.
    """

    grids: Mapping[int, Grid]
    words: Mapping[str, Word]
    scales: Mapping[str, Scales] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A weighted layer in integers: real weight = scale * code, bias at scale * input scale."""

    rows: Ints  # (C_out, n)
    scale: Scales  # (C_out,), all above 0
    bias: Ints  # (C_out,)


@dataclass(slots=True, eq=False)
class _Builder:
    nodes: list[nodes.Node]
    tensors: dict[str, Tensor]
    constants: dict[str, Ints]

    def tensor(self, shape: tuple[int, ...]) -> str:
        name = f"t{sum(name.startswith('t') for name in self.tensors)}"
        self.tensors[name] = Tensor(name, shape, DType.INT8)
        return name

    def constant(self, prefix: str, values: Ints, dtype: DType) -> str:
        name = f"{prefix}{sum(name.startswith(prefix) for name in self.constants)}"
        stored = np.ascontiguousarray(values, np.int64)
        stored.setflags(write=False)
        self.tensors[name] = Tensor(name, stored.shape, dtype)
        self.constants[name] = stored
        return name


def lower(net: FloatNet, plan: Plan) -> Graph:
    """Return the integer graph of `net` under `plan`, verified.

    Raises UnsupportedError where a scale or an accumulator leaves what SPEC allows.
    """
    builder = _Builder([], {}, {})
    found = floatnet.shapes(net)
    x, at = builder.tensor(found[0]), plan.grids[INPUT]
    first = x
    layers = list(enumerate(net.layers))
    skip = -1
    for index, layer in layers:
        if index == skip:
            continue
        after = net.layers[index + 1] if index + 1 < len(net.layers) else None
        if isinstance(layer, Dense | Conv2D | DepthwiseConv2D | AveragePool):
            relu = after if isinstance(after, Relu) else None
            skip = index + 1 if relu is not None else -1
            out = plan.grids[skip if relu is not None else index]
            y = builder.tensor(found[index + 1])
            _scaled(builder, layer, relu, (x, y), (at, out), plan)
            x, at = y, out
        else:
            x = _kept(builder, layer, x, found[index + 1], at)
    source = Source("edgekit", "none", net.sha256)
    graph = Graph(
        name=_identifier(net.name),
        source=source,
        inputs=(_input_edge(net, first, plan.grids[INPUT]),),
        outputs=(_output_edge(net, x, at),),
        nodes=tuple(builder.nodes),
        tensors=builder.tensors,
        constants=builder.constants,
    )
    check.verify(graph)
    return graph


def coded(layer: Weighted, word: Word, scale: Scales | None, x: Grid, y: Grid) -> Coded:
    """Return a weighted layer in integers between two grids; `scale` None: its own.

    A row without weights, or whose bias is far above its weights, gets a scale that its bias
    fits.
    """
    rows = floatnet.rows(layer)
    own = weights.scales(rows, word) if scale is None else scale
    bias = layer.bias.astype(np.float64)
    integers = weights.codes(rows, own, word)
    # A dead row's scale is free: its bias is then in steps of the output, 2**8 to each.
    free = ~integers.any(axis=1)
    own = np.where(free, y.scale / (256.0 * x.scale), own)
    least = np.abs(bias) / (x.scale * _BIAS_LIMIT)
    if (own < least).any():
        own = np.maximum(own, least)
        integers = weights.codes(rows, own, word)
    return Coded(integers, own, np.rint(bias / (own * x.scale)).astype(np.int64))


def _scaled(
    builder: _Builder,
    layer: Weighted | AveragePool,
    relu: Relu | None,
    names: tuple[str, str],
    grids: tuple[Grid, Grid],
    plan: Plan,
) -> None:
    at, out = grids
    if isinstance(layer, AveragePool):
        cells = math.prod(layer.kernel)
        requant = _requant(np.array([at.scale / (out.scale * cells)]), relu, out, layer)
        node: nodes.Node = nodes.AveragePool(
            layer.label,
            *names,
            layer.kernel,
            layer.stride,
            Padding(),
            at.zero_point,
            requant.low,
            requant.high,
            requant,
        )
        builder.nodes.append(node)
        return
    word = plan.words[layer.label]
    found = coded(layer, word, plan.scales.get(layer.label), at, out)
    requant = _requant(found.scale * at.scale / out.scale, relu, out, layer)
    codes = np.asarray(floatnet.from_rows(layer, found.rows), np.int64)
    weight = builder.constant("w", codes, weights.DTYPES[word])
    bias = builder.constant("b", found.bias, DType.INT32)
    common = (layer.label, *names, weight, bias)
    if isinstance(layer, Dense):
        builder.nodes.append(nodes.Dense(*common, at.zero_point, requant))
        return
    kind = nodes.Conv2D if isinstance(layer, Conv2D) else nodes.DepthwiseConv2D
    place = (layer.stride, layer.dilation, layer.padding, at.zero_point, requant)
    builder.nodes.append(kind(*common, *place))


def _kept(builder: _Builder, layer: Layer, x: str, shape: tuple[int, ...], at: Grid) -> str:
    """Add a layer that keeps the grid of its input."""
    if isinstance(layer, View) and builder.tensors[x].shape == layer.shape:
        return x
    y = builder.tensor(shape)
    match layer:
        case Relu():
            low, high = _limits(layer, at)
            node: nodes.Node = nodes.Clamp(layer.label, x, y, low, high)
        case MaxPool():
            sides = (layer.kernel, layer.stride, layer.padding)
            node = nodes.MaxPool(layer.label, x, y, *sides, _LOW, _HIGH)
        case View():
            node = nodes.Reshape(layer.label, x, y)
        case Permute():
            node = nodes.Transpose(layer.label, x, y, layer.order)
        case Dense() | Conv2D() | DepthwiseConv2D() | AveragePool():
            raise AssertionError("it scales")
        case _:
            assert_never(layer)
    builder.nodes.append(node)
    return y


def _requant(scale: Scales, relu: Relu | None, out: Grid, layer: Layer) -> Requant:
    try:
        pairs = [quantize_multiplier(float(one)) for one in scale]
    except UnsupportedError as exc:
        raise UnsupportedError(f"{layer.label}: {exc.message}", hint=exc.hint) from exc
    low, high = _limits(relu, out)
    return Requant(
        multiplier=tuple(m for m, _ in pairs),
        shift=tuple(e for _, e in pairs),
        zero_point=out.zero_point,
        low=low,
        high=high,
        rounding=Rounding.SINGLE,
    )


def _limits(relu: Relu | None, at: Grid) -> tuple[int, int]:
    """Return the integers between which a ReLU (None: no ReLU) keeps values."""
    if relu is None:
        return _LOW, _HIGH
    high = _HIGH
    if relu.high is not None:
        high = min(max(at.zero_point + round(relu.high / at.scale), at.zero_point), _HIGH)
    return at.zero_point, high


def _input_edge(net: FloatNet, tensor: str, at: Grid) -> Edge:
    return Edge(
        tensor=tensor,
        source_name=net.source_name,
        source_shape=net.source_shape,
        source_dtype="float32",
        scale=at.scale,
        zero_point=at.zero_point,
        transpose=net.transpose,
        rounding="half_even",
        host_ops=("quantize",),
    )


def _output_edge(net: FloatNet, tensor: str, at: Grid) -> Edge:
    return Edge(
        tensor=tensor,
        source_name=net.output_name,
        source_shape=(1, *net.output_shape),
        source_dtype="float32",
        scale=at.scale,
        zero_point=at.zero_point,
        rounding="half_even",
        host_ops=net.host_ops or ("dequantize",),
    )


def _identifier(name: str) -> str:
    text = re.sub(r"[^A-Za-z0-9_]", "_", name)[:60]
    return text if check.is_name(text) else f"m_{text}"
