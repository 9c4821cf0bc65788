"""What the Keras model computes, layer by layer in float32, with numpy alone.

It knows nothing of graphs, thresholds or folds: quantized weights are multiplied as the floats
that they are. Runs inside the reference process (`edgekit.frontend.reference_worker`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError
from edgekit.frontend.keras import float32, hdf5, model, quantizers, weights
from edgekit.frontend.keras.archive import read_archive
from edgekit.frontend.keras.convert import stored_type
from edgekit.frontend.keras.levels import level_grid
from edgekit.frontend.keras.reader import model_of

Real = model.Real
_SAMPLES_AT_ONCE = 64


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Values [n, ...], and the last integers that stand behind them, if any.

    `unit`: what one step of the last quantizer (or of the input's grid) is worth.
    """

    values: Real
    unit: np.float32
    integers: NDArray[np.int64] | None = None


def run(path: Path, x: NDArray[Any], unit: float = 1.0) -> NDArray[np.int64]:
    """Return the last integers of the model as the graph has them, [samples, ...].

    They are what the last quantizer gives; where sums follow it, the sums of its levels times
    the weights' integers, and of the bias if that is whole steps of them in every channel.

    Args:
        path: a `.h5` or `.keras` file.
        x: float32 [samples, *input shape].
        unit: the step of the input's values, where no quantizer comes before the weights.
    """
    if not len(x):
        raise ConfigError("x holds no samples", hint="give at least one")
    found = model_of(read_archive(path, hdf5.read))
    parts = []
    for start in range(0, len(x), _SAMPLES_AT_ONCE):
        part = np.asarray(x[start : start + _SAMPLES_AT_ONCE], np.float32)
        integers = evaluate(found, part, np.float32(unit)).integers
        if integers is None:
            raise ConfigError("the model computes nothing in integers")
        parts.append(integers)
    return np.concatenate(parts)


def evaluate(source: model.Model, x: Real, unit: np.float32) -> State:
    """Return the model's float output for `x` [n, *input shape], and the last integers."""
    state = State(x.reshape(len(x), *source.image_shape), unit)
    for layer in source.layers:
        state = _step(layer, state)
    return state


def _step(layer: model.Layer, state: State) -> State:
    match layer:
        case model.Weighted():
            return _weighted(layer, state)
        case model.Activation():
            return _activation(layer, state)
        case model.BatchNorm() | model.Function() | model.Scaling():
            return replace(state, values=float32.function(layer)(state.values))
        case model.Pool():
            return _pool(layer, state)
        case model.Flatten():
            return replace(state, values=state.values.reshape(len(state.values), -1))
        case model.Softmax():
            below = state.values - state.values.max(axis=-1, keepdims=True)
            total = np.exp(below).sum(axis=-1, keepdims=True)
            values = below - np.log(total) if layer.log else np.exp(below) / total
            return replace(state, values=np.asarray(values, np.float32))
        case _:
            assert_never(layer)


def _activation(layer: model.Activation, state: State) -> State:
    values, unit = quantize(layer.quantizer, state.values)
    grid = level_grid(layer.quantizer, layer.label)
    _, zero_point = stored_type(grid.low, grid.high, grid.signs, layer.label)
    levels = np.rint(values.astype(np.float64) / float(unit)).astype(np.int64)
    return State(values, unit, levels + zero_point)


def quantize(quantizer: quantizers.Quantizer, x: Real) -> tuple[Real, np.float32]:
    """Return quantized activations as floats, by the formula in Larq's and QKeras' words."""
    one = np.float32(1)
    match quantizer:
        case quantizers.Sign():
            return np.where(x < 0, -one, one), one
        case quantizers.Heaviside():
            return np.where(x > 0, one, 0 * one), one
        case quantizers.SteTern():
            t = np.float32(quantizer.threshold or 0)
            return np.where(x >= t, one, 0) - np.where(x <= -t, one, 0).astype(np.float32), one
        case quantizers.DoReFa():
            n = np.float32(2**quantizer.bits - 1)
            return np.rint(np.clip(x, 0 * one, one) * n) / n, one / n
        case quantizers.Binary():
            return _binary(quantizer, x)
        case quantizers.Ternary():
            return _ternary(quantizer, x)
        case quantizers.QuantizedBits():
            return _fixed_point(quantizer, x)
        case quantizers.QuantizedRelu():
            return _fixed_point_relu(quantizer, x)
        case _:
            raise ConfigError("no quantizer of activations")


def _binary(quantizer: quantizers.Binary, x: Real) -> tuple[Real, np.float32]:
    alpha = np.float32(1.0 if quantizer.alpha is None else quantizer.alpha)
    low = np.float32(0 if quantizer.zero_one else -1)
    return np.where(x < 0, low, np.float32(1)) * alpha, alpha


def _ternary(quantizer: quantizers.Ternary, x: Real) -> tuple[Real, np.float32]:
    alpha = np.float32(1.0 if quantizer.alpha is None else quantizer.alpha)
    t = np.float32(0.33 if quantizer.threshold is None else quantizer.threshold)
    kept = np.where(np.abs(x) < t, np.float32(0), np.sign(x))
    return np.asarray(kept * alpha, np.float32), alpha


def _fixed_point(quantizer: quantizers.QuantizedBits, x: Real) -> tuple[Real, np.float32]:
    alpha = np.float32(1.0 if quantizer.alpha is None else quantizer.alpha)
    magnitude = quantizer.bits - int(quantizer.keep_negative)
    if magnitude == 0:
        return np.where(x < 0, -alpha, alpha), alpha
    m, unit = np.float32(2.0**magnitude), np.float32(2.0**quantizer.integer)
    low = np.float32(quantizer.keep_negative) * (np.float32(quantizer.symmetric) - m)
    values = alpha * (unit * np.clip(np.rint(x * m / unit), low, m - 1) / m)
    return np.asarray(values, np.float32), np.float32(alpha * unit / m)


def _fixed_point_relu(quantizer: quantizers.QuantizedRelu, x: Real) -> tuple[Real, np.float32]:
    one = np.float32(1)
    m = np.float32(2.0 ** (quantizer.bits - int(quantizer.slope != 0)))
    unit, slope = np.float32(2.0**quantizer.integer), np.float32(quantizer.slope)
    if quantizer.sigmoid:
        p = np.clip(np.float32(0.5) * (x / unit) + np.float32(0.5), 0 * one, one) * m
        values = unit * np.clip(2 * one * (np.rint(p) / m) - one, 0 * one, one - one / m)
    else:
        p = x * m / unit
        values = unit * np.clip(np.rint(p) / m, 0 * one, one - one / m)
        if slope > 0:
            below = np.rint(p * slope) * (one / (slope * m))
            values = values + unit * slope * np.clip(below, -one, 0 * one)
    return np.asarray(values, np.float32), np.float32(unit / m)


def _weighted(layer: model.Weighted, state: State) -> State:
    grid = weights.quantized(layer.quantizer, layer.kernel, layer.quantizer_label)
    pad = layer.pad_value
    real = _sums(layer, state.values, grid.real, pad)
    levels = np.rint(state.values.astype(np.float64) / float(state.unit))
    sums = _sums(layer, levels, grid.integers.astype(np.float64), pad / float(state.unit))
    if layer.bias is not None:
        bias = layer.bias
        if layer.bias_quantizer is not None:
            bias = weights.quantized(layer.bias_quantizer, bias, layer.label).real
        real = real + bias
        sums = sums + _whole_steps(layer, bias, grid.scale.astype(np.float64) * float(state.unit))
    return State(np.asarray(real, np.float32), state.unit, np.rint(sums).astype(np.int64))


def _whole_steps(
    layer: model.Weighted, bias: Real, step: NDArray[np.float64]
) -> NDArray[np.float64] | float:
    """Return the bias in steps of the sums where it is whole ones in every channel, else 0."""
    flat = step.reshape(-1)
    if layer.kind == "depthwise" and flat.size > 1:
        flat = np.tile(flat, layer.kernel.shape[2])
    steps = bias.astype(np.float64) / flat
    whole = bool((steps == np.rint(steps)).all() and (np.abs(steps) < 2.0**24).all())
    return steps if whole else 0.0


def _sums(layer: model.Weighted, x: NDArray[Any], kernel: NDArray[Any], pad: float) -> NDArray[Any]:
    """Return the layer's sums of products in the type of `x`."""
    if layer.kind == "dense":
        return np.asarray(x @ kernel)
    size = (kernel.shape[0], kernel.shape[1])
    patches = _patches(x, size, layer.stride, layer.dilation, layer.padding, pad)
    if layer.kind == "depthwise":
        product = np.einsum("nhwklc,klcm->nhwcm", patches, kernel)
        return np.asarray(product.reshape(*product.shape[:3], -1))
    flat = patches.reshape(*patches.shape[:3], -1)
    return np.asarray(flat @ kernel.reshape(-1, kernel.shape[-1]))


def _patches(
    x: NDArray[Any],
    size: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: str,
    pad: float,
) -> NDArray[Any]:
    """Return the windows of images [n, h, w, c], as [n, rows, columns, kh, kw, c]."""
    widths = [(0, 0)]
    for inside, kernel, step, spread in zip(x.shape[1:3], size, stride, dilation, strict=True):
        reach = (kernel - 1) * spread
        if padding == "same":
            total = max((-(-inside // step) - 1) * step + reach + 1 - inside, 0)
            widths.append((total // 2, total - total // 2))
        else:
            widths.append((reach if padding == "causal" else 0, 0))
    around = np.pad(x, [*widths, (0, 0)], constant_values=pad)
    reach_h, reach_w = (1 + (k - 1) * d for k, d in zip(size, dilation, strict=True))
    view: Any = np.lib.stride_tricks.sliding_window_view  # its types allow one axis only
    windows = view(around, (reach_h, reach_w), axis=(1, 2))
    chosen = windows[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    return np.asarray(chosen.transpose(0, 1, 2, 4, 5, 3))


def _pool(layer: model.Pool, state: State) -> State:
    size = layer.size or (state.values.shape[1], state.values.shape[2])

    def windows(x: NDArray[Any]) -> NDArray[Any]:
        return _patches(x, size, layer.stride, (1, 1), layer.padding, -np.inf)

    if layer.kind == "max":
        values = windows(state.values).max(axis=(3, 4))
        integers = state.integers
        if integers is not None:
            pooled = windows(integers.astype(np.float64)).max(axis=(3, 4))
            integers = pooled.astype(np.int64)
        return State(values, state.unit, integers)
    cells = np.float32(size[0] * size[1])
    values = windows(state.values).sum(axis=(3, 4), dtype=np.float32) / cells
    levels = np.rint(state.values.astype(np.float64) / float(state.unit))
    integers = windows(levels).sum(axis=(3, 4)).astype(np.int64)
    return State(np.asarray(values, np.float32), state.unit, integers)
