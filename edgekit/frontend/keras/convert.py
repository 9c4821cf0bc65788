"""From the typed chain to the layers of the shared lowering, in channels-last integers."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias, assert_never

import numpy as np

from edgekit.errors import UnsupportedError
from edgekit.frontend import lowering
from edgekit.frontend.keras import model, weights
from edgekit.frontend.keras.float32 import function
from edgekit.frontend.keras.levels import level_grid
from edgekit.frontend.keras.weights import Ints, WeightGrid
from edgekit.ir.geometry import window_shape
from edgekit.ir.graph import Graph, NotCompared, Source
from edgekit.ir.types import DType, InputGrid, Padding

Shape: TypeAlias = tuple[int, ...]


def convert(source: model.Model, grid: InputGrid | None) -> Graph:
    """Return the integer graph of a Keras model.

    Raises:
        UnsupportedError: a layer that has no exact integer meaning here; names it.
    """
    walk = _Walk(source.image_shape)
    for layer in _flattened_late(source.layers):
        walk.add(layer)
    spec = lowering.InputSpec(source.input_name, (1, *source.input_shape), channels_first=False)
    origin = Source("keras", "keras", source.sha256)
    graph = lowering.lower(
        source.name, origin, spec, walk.layers, grid, output_name=source.output_name
    )
    return replace(graph, not_compared=(*graph.not_compared, *walk.notes))


def _flattened_late(layers: tuple[model.Layer, ...]) -> list[model.Layer]:
    """Return the layers with each Flatten behind the functions of one value that follow it.

    They mean the same there; a batch norm only where channels and features are the same.
    """
    found = list(layers)
    for place in reversed(range(len(found))):
        at, flatten = place, found[place]
        if not isinstance(flatten, model.Flatten):
            continue
        while at + 1 < len(found) and _commutes(flatten, found[at + 1]):
            found[at], found[at + 1] = found[at + 1], found[at]
            at += 1
    return found


def _commutes(flatten: model.Flatten, layer: model.Layer) -> bool:
    if isinstance(layer, model.BatchNorm):
        return flatten.of_one_cell
    return isinstance(layer, model.Activation | model.Function | model.Scaling)


class _Walk:
    """The lowering's layers so far, the shape behind them, and what the last quantizer gives."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.layers: list[lowering.Layer] = []
        self.notes: list[NotCompared] = []
        self.unit: np.float32 | None = None  # scale of the activation, None for the input

    def add(self, layer: model.Layer) -> None:
        """Append one layer of the source."""
        match layer:
            case model.Weighted():
                self._weighted(layer)
            case model.Activation():
                self._activation(layer)
            case model.BatchNorm() | model.Function() | model.Scaling():
                self._elementwise(layer)
            case model.Pool():
                self._pool(layer)
            case model.Flatten():
                if len(self.shape) == 3:
                    self.layers.append(lowering.Flatten(layer.label, channels_first=False))
                self.shape = (int(np.prod(self.shape)),)
            case model.Softmax():
                self.layers.append(lowering.Softmax(layer.label, layer.log))
            case _:
                assert_never(layer)

    def _elementwise(self, layer: model.BatchNorm | model.Function | model.Scaling) -> None:
        if isinstance(layer, model.BatchNorm) and layer.mean.size != self.shape[-1]:
            raise UnsupportedError(
                f"{layer.label}: it has {layer.mean.size} channels, its input {self.shape[-1]}"
            )
        self.layers.append(lowering.Elementwise(layer.label, function(layer)))

    def _activation(self, layer: model.Activation) -> None:
        grid = level_grid(layer.quantizer, layer.label)
        dtype, zero_point = stored_type(grid.low, grid.high, grid.signs, layer.label)
        self.unit = grid.scale
        self.layers.append(
            lowering.Quantizer(
                label=layer.label,
                levels=lambda x: grid.levels(x) + zero_point,
                dtype=dtype,
                scale=grid.scale,
                zero_point=zero_point,
                low=grid.low + zero_point,
                high=grid.high + zero_point,
            )
        )

    def _weighted(self, layer: model.Weighted) -> None:
        grid = weights.quantized(layer.quantizer, layer.kernel, layer.quantizer_label)
        bias = layer.bias
        doubtful = grid.doubtful
        if bias is not None and layer.bias_quantizer is not None:
            found = weights.quantized(layer.bias_quantizer, bias, f"{layer.label}: bias")
            bias, doubtful = found.real, doubtful + found.doubtful
        if doubtful:
            reason = f"{doubtful} weights lie so near a rounding boundary that TensorFlow's own "
            self.notes.append(NotCompared(layer.label, reason + "float32 functions decide"))
        integers, scale = _oriented(layer, grid, self.shape)
        padding, self.shape = self._window(layer)
        dtype = weights.narrowest(integers)
        if dtype is None:
            integers = self._split(layer, integers)
            dtype = DType.INT8
        self.layers.append(
            lowering.Weighted(
                label=layer.label,
                kind=layer.kind,
                weight=integers,
                dtype=dtype,
                scale=scale,
                bias=bias,
                stride=layer.stride,
                dilation=layer.dilation,
                padding=padding,
                padding_value=self._padding_value(layer, padding),
            )
        )

    def _split(self, layer: model.Weighted, integers: Ints) -> Ints:
        """Return weights of more than 8 bits as two of 8 each, for the input (64 * x, x).

        A layer in front makes that input, in 16 bits.
        """
        high = (integers + 32) >> 6
        low = integers - (high << 6)
        if layer.kind != "dense" or np.abs(high).max() > DType.INT8.high:
            raise UnsupportedError(
                f"{layer.quantizer_label}: its weights reach {int(integers.min())} to "
                f"{int(integers.max())}; 8 bits hold -128 to 127",
                hint="quantize the layer's weights to 8 bits or fewer",
            )
        same = np.eye(integers.shape[1], dtype=np.int64)
        label = f"{layer.label}: input twice"
        twice = np.concatenate([64 * same, same])
        one = np.ones(1, np.float32)
        self.layers.append(lowering.Weighted(label, "dense", twice, DType.INT8, one))
        return np.concatenate([high, low], axis=1)

    def _window(self, layer: model.Weighted) -> tuple[Padding, Shape]:
        if layer.kind == "dense":
            return Padding(), (*self.shape[:-1], layer.kernel.shape[-1])
        kernel = (layer.kernel.shape[0], layer.kernel.shape[1])
        return self._geometry(
            layer.label, kernel, layer.stride, layer.dilation, layer.padding, _channels(layer)
        )

    def _geometry(
        self,
        label: str,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        dilation: tuple[int, int],
        padding: str,
        channels: int,
    ) -> tuple[Padding, Shape]:
        if len(self.shape) != 3:
            raise UnsupportedError(f"{label}: its input has shape {self.shape}, an image is wanted")
        inside = (self.shape[0], self.shape[1])
        sides = [
            _sides(padding, *each) for each in zip(inside, kernel, stride, dilation, strict=True)
        ]
        (top, bottom), (left, right) = sides
        pad = Padding(top, left, bottom, right)
        size = window_shape(inside, kernel, stride, dilation, pad)
        if min(size) < 1:
            raise UnsupportedError(f"{label}: its window {kernel} does not fit {inside}")
        return pad, (*size, channels)

    def _padding_value(self, layer: model.Weighted, padding: Padding) -> int:
        if padding == Padding() or layer.pad_value == 0.0:
            return 0
        if self.unit is None:
            raise UnsupportedError(
                f"{layer.label}: pad_values {layer.pad_value:g} around an input that is not "
                "quantized before it",
                hint="pad with zeros there",
            )
        value = layer.pad_value / float(self.unit)
        if value not in (-1.0, 1.0):
            raise UnsupportedError(
                f"{layer.label}: pad_values {layer.pad_value:g} is no value of its activations: "
                f"0, {-float(self.unit):g} and {float(self.unit):g} are",
                hint="pad with 0, or with -1 or +1 around signs",
            )
        return int(value)

    def _pool(self, layer: model.Pool) -> None:
        if len(self.shape) != 3:
            raise UnsupportedError(
                f"{layer.label}: its input has shape {self.shape}, an image is wanted"
            )
        size = layer.size or (self.shape[0], self.shape[1])
        channels = self.shape[2]
        pad, self.shape = self._geometry(
            layer.label, size, layer.stride, (1, 1), layer.padding, channels
        )
        if layer.kind == "max":
            self.layers.append(lowering.MaxPool(layer.label, size, layer.stride, pad))
        else:
            self.layers.append(lowering.AveragePool(layer.label, size, layer.stride))


def stored_type(low: int, high: int, signs: bool, label: str) -> tuple[DType, int]:
    """Return the smallest type for levels `low` to `high`, and the zero point that fits them."""
    if signs:
        return DType.BINARY, 0
    for dtype in (DType.TERNARY, DType.INT2, DType.INT4, DType.INT8):
        if high - low <= dtype.high - dtype.low:
            inside = dtype.low <= low and high <= dtype.high
            return dtype, 0 if inside else dtype.low - low
    raise UnsupportedError(
        f"{label}: activations of {low} to {high} need more than 8 bits",
        hint="quantize activations to 8 bits or fewer",
    )


def _channels(layer: model.Weighted) -> int:
    inner, last = layer.kernel.shape[-2:]
    return inner * last if layer.kind == "depthwise" else last


def _oriented(layer: model.Weighted, grid: WeightGrid, shape: Shape) -> tuple[Ints, model.Real]:
    """Return weights in the graph's layout and the scale of each output channel."""
    integers = grid.integers
    deep = integers.shape[-2]
    if (layer.kind == "dense" and len(shape) != 1) or deep != shape[-1]:
        raise UnsupportedError(
            f"{layer.label}: weights for {deep} inputs, its input has shape {shape}",
            hint="put a Flatten before a dense layer" if layer.kind == "dense" else "",
        )
    scale = np.broadcast_to(grid.scale, (*(1,) * (integers.ndim - 1), integers.shape[-1]))
    scale = scale.reshape(-1)
    match layer.kind:
        case "dense":
            return integers.T, scale
        case "conv2d":
            return integers.transpose(3, 0, 1, 2), scale
        case "depthwise":
            return integers.reshape(*integers.shape[:2], -1), np.tile(scale, deep)


def _sides(padding: str, inside: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Return the cells before and after one axis, as TensorFlow adds them."""
    reach = (kernel - 1) * dilation + 1
    if padding == "valid":
        return 0, 0
    if padding == "causal":
        return reach - 1, 0
    total = max((-(-inside // stride) - 1) * stride + reach - inside, 0)
    return total // 2, total - total // 2
