"""What the integers of a layer's sum mean in the source, and how exactly the source adds them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UnsupportedError
from edgekit.frontend.lowering.layers import (
    NO_PADDING,
    Elementwise,
    Ints,
    MaxPool,
    Real,
    Weighted,
)
from edgekit.ir.types import DType

Doubles: TypeAlias = NDArray[np.float64]

_EXACT = 2.0**24  # integers up to here are float32 numbers
_UNIT_ROUNDOFF = 2.0**-24


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """An integer activation of the graph: real = scale * (q - zero_point), low <= q <= high.

    Where `flipped` (one for each index of the last axis), the tensor holds low + high - q.
    `places` gives, after a Flatten, the place in the tensor of each feature of the source.
    """

    tensor: str
    shape: tuple[int, ...]
    dtype: DType
    low: int
    high: int
    scale: np.float32
    zero_point: int
    flipped: NDArray[np.bool_]
    places: Ints | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """Integers of a layer (or of an activation, `layer` None) and what the source does to them.

    Channel c reaches `low[c]` to `high[c]`; the source's float is within `error[c]` of
    `unit[c] * acc + bias[c]`, 0 where it is exact. `before` and `after` stand around `pool`.
    """

    source: Stored
    layer: Weighted | None
    shape: tuple[int, ...]  # of the sums, before the pool
    weight: Ints
    offset: Ints  # the integer bias: what flipped inputs need, and a bias that is one
    dtype: DType  # that holds the weights
    low: Ints
    high: Ints
    unit: Doubles
    bias: Doubles
    error: Doubles
    before: tuple[Elementwise, ...] = ()
    pool: MaxPool | None = None
    after: tuple[Elementwise, ...] = ()

    @property
    def channels(self) -> int:
        """Number of output channels."""
        return self.shape[-1]

    def then(self, function: Elementwise) -> Sum:
        """Return the sum with one more function."""
        if self.pool is None:
            return replace(self, before=(*self.before, function))
        return replace(self, after=(*self.after, function))

    def real(self, acc: Ints, side: int = 0) -> Real:
        """Return the source's float of accumulators [n, C]; `side` +1 or -1 adds the error."""
        value = acc * self.unit + self.bias + side * self.error
        return np.asarray(value.astype(np.float32))


def of_activation(source: Stored) -> Sum:
    """Return the values of an activation themselves, to be thresholded again."""
    channels = source.shape[-1]
    ones = np.ones(channels)
    low = np.full(channels, source.low, np.int64)
    high = np.full(channels, source.high, np.int64)
    unit = ones * float(source.scale)
    bias = -source.zero_point * unit  # scale * zero_point is exact in float64
    empty = np.zeros((channels, 0), np.int64)
    zero = np.zeros(channels, np.int64)
    return Sum(
        source=source,
        layer=None,
        shape=source.shape,
        weight=empty,
        offset=zero,
        dtype=DType.BINARY,
        low=low,
        high=high,
        unit=unit,
        bias=bias,
        error=ones * 0.0,
    )


def of_layer(source: Stored, layer: Weighted, shape: tuple[int, ...]) -> Sum:
    """Return the sums of `layer`, which reads `source` and gives (H, W, C) or (N,) `shape`.

    Raises:
        UnsupportedError: NaN or infinite scales or biases; a flipped input that cannot be undone.
    """
    channels = shape[-1]
    scale = np.broadcast_to(np.asarray(layer.scale, np.float32), (channels,))
    bias = np.zeros(channels, np.float32) if layer.bias is None else layer.bias
    if not (np.isfinite(scale).all() and (scale > 0).all() and np.isfinite(bias).all()):
        raise UnsupportedError(
            f"{layer.label}: its scale or bias holds NaN, infinity or a scale of 0 or below",
            hint="check the training: a weight or batch norm diverged",
        )
    weight, offset = _unflipped(source, layer)
    rows = _rows(layer, weight)
    unit = float(source.scale) * scale.astype(np.float64)
    low, high = _reach(source, layer, rows)
    largest = max(abs(source.low - source.zero_point), abs(source.high - source.zero_point), 1)
    most = np.abs(rows).sum(axis=1) * largest
    error = _errors(source.scale, scale, bias, most, rows.shape[1])
    steps = bias / unit
    if (steps == np.rint(steps)).all() and (np.abs(steps) < _EXACT).all():
        offset, bias = offset + steps.astype(np.int64), np.zeros(channels, np.float32)
    return Sum(
        source=source,
        layer=layer,
        shape=shape,
        weight=weight,
        offset=offset,
        dtype=holding(weight, layer),
        low=low + offset,
        high=high + offset,
        unit=unit,
        bias=bias.astype(np.float64),
        error=error,
    )


def holding(weight: Ints, layer: Weighted) -> DType:
    """Return the layer's weight type, or a wider one where flipping made it necessary."""
    order = (DType.BINARY, DType.TERNARY, DType.INT2, DType.INT4, DType.INT8)
    least, most = (int(weight.min()), int(weight.max())) if weight.size else (0, 0)
    for dtype in order[order.index(layer.dtype) :]:
        if (
            dtype.low <= least
            and most <= dtype.high
            and (dtype is not DType.BINARY or weight.all())
        ):
            return dtype
    raise UnsupportedError(
        f"{layer.label}: its weights reach {least} to {most}, which INT8 does not hold",
        hint="quantize weights with a narrow range, -127 to 127",
    )


def reads_reversed(source: Stored, layer: Weighted) -> bool:
    """Say whether `layer` can read a tensor with reversed channels: not where it pads them.

    A padded cell counts the same in every channel; reversed ones would want another value.
    """
    windows = layer.kind != "dense" and layer.padding != NO_PADDING
    extra = source.low + source.high - 2 * source.zero_point
    return not (windows and (extra or layer.padding_value))


def _unflipped(source: Stored, layer: Weighted) -> tuple[Ints, Ints]:
    """Return weights for the tensor as it is stored, and what the sums need beside them."""
    weight = layer.weight
    channels = weight.shape[-1] if layer.kind == "depthwise" else weight.shape[0]
    if layer.kind == "dense" and source.places is not None:
        stored = np.empty_like(weight)
        stored[:, source.places] = weight
        weight = stored
    none = np.zeros(channels, np.int64)
    if not source.flipped.any():
        return weight, none
    # q - z = -(s - z) + (low + high - 2 z), s what is stored
    extra = source.low + source.high - 2 * source.zero_point
    flipped = source.flipped
    if layer.kind == "dense":
        flipped = np.resize(flipped, weight.shape[1])
    elif layer.kind == "depthwise":
        flipped = np.repeat(flipped, channels // flipped.size)
    turned = np.where(flipped, -weight, weight)
    part = extra * np.where(flipped, weight, 0)
    axes = (0, 1) if layer.kind == "depthwise" else tuple(range(1, weight.ndim))
    return turned, np.asarray(part.sum(axis=axes), dtype=np.int64)


def _rows(layer: Weighted, weight: Ints) -> Ints:
    if layer.kind == "depthwise":
        return weight.reshape(-1, weight.shape[2]).T
    return weight.reshape(weight.shape[0], -1)


def _reach(source: Stored, layer: Weighted, rows: Ints) -> tuple[Ints, Ints]:
    low, high = source.low - source.zero_point, source.high - source.zero_point
    if layer.kind != "dense" and layer.padding != NO_PADDING:
        low, high = min(low, layer.padding_value), max(high, layer.padding_value)
    positive, negative = np.maximum(rows, 0).sum(axis=1), np.minimum(rows, 0).sum(axis=1)
    return positive * low + negative * high, positive * high + negative * low


def _errors(x: np.float32, w: Real, bias: Real, most: Ints, terms: int) -> Doubles:
    """Bound how far float32 sums of products lie from the real numbers, in any order of adding.

    Products and partial sums are multiples of the product of the scales' last bits; while they
    stay below 2**24 of those, float32 holds each exactly. Else the standard bound of a sum:
    (n + 3) roundings, each of at most 2**-24 of the sum of magnitudes.
    """
    odd = _odd(np.asarray(x)) * _odd(w)
    unit = float(x) * w.astype(np.float64)
    steps = bias * odd / unit
    exact = (steps == np.floor(steps)) & (odd * most + np.abs(steps) < _EXACT)
    magnitude = most * unit + np.abs(bias)
    return np.where(exact, 0.0, (terms + 3) * _UNIT_ROUNDOFF * 1.01 * magnitude)


def _odd(values: Real) -> Doubles:
    """Return the odd integers that the values are powers of two times."""
    mantissa = (np.frexp(values.astype(np.float64))[0] * 2**24).astype(np.int64)
    return np.asarray((mantissa // (mantissa & -mantissa)).astype(np.float64))
