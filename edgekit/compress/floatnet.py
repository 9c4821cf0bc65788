"""A chain of float layers: what compression works on before there are integers.

Layout is that of the graph, channels last; batch norms are already folded into the weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UnsupportedError
from edgekit.frontend.lowering.layers import NO_PADDING as NO_PADDING
from edgekit.frontend.lowering.layers import AveragePool as AveragePool
from edgekit.frontend.lowering.layers import MaxPool as MaxPool
from edgekit.ir.interp.window import valid_cells, windows
from edgekit.ir.types import HostOp, Padding

Floats = NDArray[np.float32]
Shape = tuple[int, ...]

_CHUNK = 256  # samples evaluated together


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """Fully connected; weight (N_out, N_in), bias (N_out,)."""

    label: str
    weight: Floats
    bias: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Conv2D:
    """Convolution; weight (C_out, kh, kw, C_in), bias (C_out,); padded cells hold 0."""

    label: str
    weight: Floats
    bias: Floats
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Padding = NO_PADDING


@dataclass(frozen=True, slots=True, eq=False)
class DepthwiseConv2D:
    """Depthwise convolution; weight (kh, kw, C_out), C_out = multiplier * C_in, bias (C_out,)."""

    label: str
    weight: Floats
    bias: Floats
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Padding = NO_PADDING


@dataclass(frozen=True, slots=True)
class Relu:
    """`min(max(x, 0), high)`; `high` None: no upper limit."""

    label: str
    high: float | None = None


@dataclass(frozen=True, slots=True)
class View:
    """The same elements in the same order under another shape."""

    label: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Permute:
    """Axis k of the output is axis `order[k]` of the input; no batch axis."""

    label: str
    order: tuple[int, ...]


Weighted: TypeAlias = Dense | Conv2D | DepthwiseConv2D
Layer: TypeAlias = Weighted | Relu | MaxPool | AveragePool | View | Permute


@dataclass(frozen=True, slots=True, eq=False)
class FloatNet:
    """A float network with one input and one output.

    `transpose` permutes the source's input axes (batch included) into the network's layout.
    `host_ops` are float operators behind the last layer, which stay on the host.
    """

    name: str
    sha256: str
    source_name: str
    source_shape: Shape  # batch axis included
    transpose: tuple[int, ...] | None
    input_shape: Shape  # (H, W, C) or (N,)
    layers: tuple[Layer, ...]
    output_name: str
    host_ops: tuple[HostOp, ...] = ()

    @property
    def output_shape(self) -> Shape:
        """Shape of one output."""
        return shapes(self)[-1]


def shapes(net: FloatNet) -> tuple[Shape, ...]:
    """Return the shape of the input and of each layer's output.

    Raises UnsupportedError where a layer does not fit its input.
    """
    found = [net.input_shape]
    for layer in net.layers:
        found.append(shape_after(layer, found[-1]))
    return tuple(found)


def weighted(net: FloatNet) -> tuple[tuple[int, Weighted], ...]:
    """Return the layers that have weights, each with its place in the chain."""
    return tuple(
        (index, layer)
        for index, layer in enumerate(net.layers)
        if isinstance(layer, Dense | Conv2D | DepthwiseConv2D)
    )


def with_layers(net: FloatNet, new: dict[int, Layer]) -> FloatNet:
    """Return `net` with the layers at the given places exchanged."""
    return replace(net, layers=tuple(new.get(i, layer) for i, layer in enumerate(net.layers)))


def rows(layer: Weighted) -> Floats:
    """Return the weights as (C_out, weights of one output)."""
    if isinstance(layer, DepthwiseConv2D):
        return layer.weight.reshape(-1, layer.weight.shape[2]).T
    return layer.weight.reshape(layer.weight.shape[0], -1)


def from_rows(layer: Weighted, matrix: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return what `rows` gave, as an array of the layer's own layout."""
    if isinstance(layer, DepthwiseConv2D):
        return np.ascontiguousarray(matrix.T).reshape(layer.weight.shape)
    return matrix.reshape(layer.weight.shape)


def shape_after(layer: Layer, shape: Shape) -> Shape:
    """Return the shape of the layer's output.

    Raises UnsupportedError where the layer does not fit an input of `shape`.
    """
    match layer:
        case Dense():
            _want(layer, math.prod(shape) == layer.weight.shape[1], shape)
            return (layer.weight.shape[0],)
        case Conv2D():
            _want(layer, len(shape) == 3 and shape[2] == layer.weight.shape[3], shape)
            return (*_spatial(layer, shape, layer.weight.shape[1:3]), layer.weight.shape[0])
        case DepthwiseConv2D():
            channels = layer.weight.shape[2]
            _want(layer, len(shape) == 3 and channels % shape[2] == 0, shape)
            return (*_spatial(layer, shape, layer.weight.shape[:2]), channels)
        case MaxPool() | AveragePool():
            _want(layer, len(shape) == 3, shape)
            return (*_spatial(layer, shape, layer.kernel), shape[2])
        case View():
            _want(layer, math.prod(shape) == math.prod(layer.shape), shape)
            return layer.shape
        case Permute():
            _want(layer, sorted(layer.order) == list(range(len(shape))), shape)
            return tuple(shape[axis] for axis in layer.order)
        case Relu():
            return shape
        case _:
            assert_never(layer)


def forward(net: FloatNet, x: Floats) -> Floats:
    """Return the output [n, *output shape] for network inputs [n, *input shape], in float32."""
    parts = []
    for chunk in chunks(x):
        value = chunk
        for layer in net.layers:
            value = apply(layer, value)
        parts.append(value)
    return np.concatenate(parts)


def chunks(x: Floats) -> Iterator[Floats]:
    """Yield `x` in parts that fit into memory together with their windows."""
    for start in range(0, x.shape[0], _CHUNK):
        yield x[start : start + _CHUNK]


def apply(layer: Layer, x: Floats) -> Floats:
    """Return one layer's output for [n, *its input shape]."""
    match layer:
        case Dense():
            return x.reshape(x.shape[0], -1) @ layer.weight.T + layer.bias
        case Conv2D():
            return _conv(layer, x)
        case DepthwiseConv2D():
            view = _windows(x, layer.weight.shape[:2], layer.stride, layer.dilation, layer.padding)
            spread = np.repeat(view, layer.weight.shape[2] // x.shape[3], axis=3)
            return np.asarray(
                np.einsum("bhwcij,ijc->bhwc", spread, layer.weight, optimize=True) + layer.bias
            )
        case Relu():
            return np.clip(x, 0, layer.high)
        case MaxPool():
            view = _windows(x, layer.kernel, layer.stride, (1, 1), layer.padding, -np.inf)
            return np.asarray(view.max(axis=(4, 5)))
        case AveragePool():
            view = _windows(x, layer.kernel, layer.stride, (1, 1), Padding())
            return np.asarray(view.mean(axis=(4, 5), dtype=np.float32))
        case View():
            return x.reshape(x.shape[0], *layer.shape)
        case Permute():
            return x.transpose(0, *(axis + 1 for axis in layer.order))
        case _:
            assert_never(layer)


def to_layout(net: FloatNet, x: NDArray[np.generic]) -> Floats:
    """Return source data [n, *source shape without batch] in the network's layout."""
    real = x.astype(np.float32)
    if net.transpose is not None:
        real = real.transpose(net.transpose)
    return np.ascontiguousarray(real).reshape(x.shape[0], *net.input_shape)


def _conv(layer: Conv2D, x: Floats) -> Floats:
    count, kernel_h, kernel_w, depth = layer.weight.shape
    view = _windows(x, (kernel_h, kernel_w), layer.stride, layer.dilation, layer.padding)
    n, height, width = view.shape[:3]
    patches = view.reshape(n * height * width, depth * kernel_h * kernel_w)
    flat = layer.weight.transpose(0, 3, 1, 2).reshape(count, -1)
    return (patches @ flat.T + layer.bias).reshape(n, height, width, count)


def _windows(
    x: Floats,
    kernel: tuple[int, ...],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: Padding,
    fill: float = 0.0,
) -> Floats:
    # The view is the interpreter's; it moves values of any type.
    sides = (kernel[0], kernel[1])
    return windows(x, sides, stride, dilation, padding, fill)  # type: ignore[arg-type,return-value]


def _spatial(
    layer: Conv2D | DepthwiseConv2D | MaxPool | AveragePool, shape: Shape, kernel: Shape
) -> tuple[int, int]:
    dilation = layer.dilation if isinstance(layer, Conv2D | DepthwiseConv2D) else (1, 1)
    padding = Padding() if isinstance(layer, AveragePool) else layer.padding
    before = (padding.top + padding.bottom, padding.left + padding.right)
    sizes = [
        (shape[k] + before[k] - ((kernel[k] - 1) * dilation[k] + 1)) // layer.stride[k] + 1
        for k in range(2)
    ]
    _want(layer, min(sizes) >= 1, shape)
    if isinstance(layer, MaxPool):
        inside = valid_cells(shape[0], shape[1], layer.kernel, layer.stride, padding)
        _want(layer, int(inside.min()) >= 1, shape)
    return (sizes[0], sizes[1])


def _want(layer: Layer, holds: bool, shape: Shape) -> None:
    if not holds:
        raise UnsupportedError(
            f"{layer.label}: {type(layer).__name__} does not fit an input of shape {shape}",
            hint="export a network whose layers follow one another",
        )
