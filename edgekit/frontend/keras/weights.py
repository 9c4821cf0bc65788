"""Latent float weights to integers and scales: each quantizer's own formula, in float32.

Where TensorFlow's result depends on more than the formula (order of a sum, its approximations of
tanh, log and 1/sqrt), weights whose rounding could go either way are counted as doubtful.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UnsupportedError
from edgekit.frontend.keras.levels import level_grid
from edgekit.frontend.keras.model import Real
from edgekit.frontend.keras.quantizers import (
    Alpha,
    Binary,
    DoReFa,
    Heaviside,
    MagnitudeAwareSign,
    PowerOfTwo,
    QuantizedBits,
    QuantizedRelu,
    Quantizer,
    Sign,
    SteTern,
    Ternary,
)
from edgekit.ir.types import DType

Ints: TypeAlias = NDArray[np.int64]

_EPSILON = np.float32(1e-7)  # keras.backend.epsilon()
_LOG2 = np.log(2.0)
_ROUNDING = 4e-6  # of a float32 sum, tanh or quotient, relative, with room
_LOG_ROUNDING = 1e-4  # of a logarithm, absolute


@dataclass(frozen=True, slots=True, eq=False)
class WeightGrid:
    """Real weights are `integers * scale`; `scale` broadcasts to their shape."""

    integers: Ints
    scale: Real
    doubtful: int = 0

    @property
    def real(self) -> Real:
        """The weights that the source computes with."""
        return np.asarray(self.integers.astype(np.float32) * self.scale)


def quantized(quantizer: Quantizer, x: Real, label: str) -> WeightGrid:
    """Return the integers of float32 weights `x`, output channels on the last axis.

    Raises:
        UnsupportedError: the quantizer gives no small integers for them; names it.
    """
    with np.errstate(all="ignore"):
        found = _quantized(quantizer, x, label)
    if not np.isfinite(found.scale).all() or (found.scale < 0).any():
        raise UnsupportedError(f"{label}: its scale is NaN, infinite or negative for these weights")
    # A scale of 0 makes weights of 0.
    dead = found.scale == 0
    if dead.any():
        integers = np.where(dead, 0, found.integers)
        return WeightGrid(integers, np.where(dead, np.float32(1), found.scale), found.doubtful)
    return found


def _quantized(quantizer: Quantizer, x: Real, label: str) -> WeightGrid:
    match quantizer:
        case Sign() | MagnitudeAwareSign() | Heaviside() | Binary():
            return _two_levels(quantizer, x)
        case SteTern():
            return _ste_tern(quantizer.threshold, x)
        case DoReFa():
            return _dorefa(quantizer, x, label)
        case QuantizedBits() if isinstance(quantizer.alpha, str):
            return _auto_bits(quantizer, x, label)
        case QuantizedBits() | QuantizedRelu():
            grid = level_grid(quantizer, label)
            return WeightGrid(grid.levels(x), _scalar(float(grid.scale)))
        case Ternary():
            return _ternary(quantizer, x)
        case PowerOfTwo():
            return _power_of_two(quantizer, x)
        case _:
            assert_never(quantizer)


def narrowest(integers: Ints) -> DType | None:
    """Return the smallest type that holds all of `integers`, None where 8 bits do not."""
    if integers.size and (np.abs(integers) == 1).all():
        return DType.BINARY
    low, high = int(integers.min(initial=0)), int(integers.max(initial=0))
    for dtype in (DType.TERNARY, DType.INT2, DType.INT4, DType.INT8):
        if dtype.low <= low and high <= dtype.high:
            return dtype
    return None


def _two_levels(quantizer: Sign | MagnitudeAwareSign | Heaviside | Binary, x: Real) -> WeightGrid:
    match quantizer:
        case Sign():
            return WeightGrid(_sign(x), _scalar(1.0))
        case MagnitudeAwareSign():
            scale = np.abs(x).mean(axis=_inner_axes(x), keepdims=True, dtype=np.float32)
            return WeightGrid(_sign(x), scale)
        case Heaviside():
            return WeightGrid((x > 0).astype(np.int64), _scalar(1.0))
        case Binary():
            integers = (x >= 0).astype(np.int64) if quantizer.zero_one else _sign(x)
            scale, doubtful = _least_squares(quantizer.alpha, x, integers)
            return WeightGrid(integers, scale, doubtful)


def _sign(x: Real) -> Ints:
    return np.where(x >= 0, 1, -1).astype(np.int64)


def _scalar(value: float) -> Real:
    return np.full((1,), value, np.float32)


def _inner_axes(x: Real) -> tuple[int, ...]:
    return tuple(range(x.ndim - 1))


def _near(values: Real, edge: float, width: float | Real) -> int:
    return int(np.count_nonzero(np.abs(values - edge) < width))


def _ste_tern(threshold: float | None, x: Real) -> WeightGrid:
    if threshold is None:
        total = np.abs(x).sum(dtype=np.float32)
        t = np.float32(np.float32(0.7) * total) / np.float32(x.size)
        doubtful = _near(np.abs(x), float(t), float(t) * _ROUNDING)
    else:
        t, doubtful = np.float32(threshold), 0
    found = np.sign(np.sign(x + t) + np.sign(x - t))
    return WeightGrid(found.astype(np.int64), _scalar(1.0), doubtful)


def _dorefa(quantizer: DoReFa, x: Real, label: str) -> WeightGrid:
    if not quantizer.weights:
        grid = level_grid(quantizer, label)
        return WeightGrid(grid.levels(x), _scalar(float(grid.scale)))
    n = np.float32(2**quantizer.bits - 1)
    limited = np.tanh(x)
    most = np.float32(2) * np.abs(limited).max(initial=np.float32(0))
    normed = limited / most if most > 0 else np.zeros_like(limited)
    steps = (normed + np.float32(0.5)) * n
    tied = steps[x != 0]  # a weight of 0 is exactly in the middle
    doubtful = _near(tied - np.floor(tied), 0.5, float(n) * _ROUNDING)
    integers = 2 * np.rint(steps).astype(np.int64) - int(n)
    return WeightGrid(integers, _scalar(float(np.float32(1) / n)), doubtful)


def _auto_bits(quantizer: QuantizedBits, x: Real, label: str) -> WeightGrid:
    half = 2 ** (quantizer.bits - 1) - 1  # the largest level
    if half < 1:
        raise UnsupportedError(
            f"{label}: one bit with alpha {quantizer.alpha!r} divides by zero", hint="use binary"
        )
    unit = np.float32(2.0**quantizer.integer)
    x = np.asarray(x / unit)
    axes = _inner_axes(x) if x.ndim > 1 else (0,)
    scale = np.asarray(np.abs(x).max(axis=axes, keepdims=True) * np.float32(2)) / np.float32(
        2 * half
    )

    def levels(scale: Real) -> Real:
        steps = np.floor(np.abs(x) / scale + np.float32(0.5))
        return np.asarray(np.sign(x) * np.minimum(steps, np.float32(half)))

    doubtful = 0
    if quantizer.alpha == "auto_po2":
        scale, _ = _nearest_power(scale)
        for _ in range(5):
            scale, doubtful = _least_squares("auto_po2", x, levels(scale).astype(np.int64))
    else:
        steps = np.asarray(np.abs(x) / scale)
        doubtful = _near(steps - np.floor(steps), 0.5, half * _ROUNDING)
    integers = np.where(scale > 0, levels(scale), 0).astype(np.int64)
    return WeightGrid(integers, np.asarray(scale * unit, np.float32), doubtful)


def _nearest_power(scale: Real) -> tuple[Real, int]:
    exponent = np.log(scale + _EPSILON) / np.float32(_LOG2)
    doubtful = _near(exponent - np.floor(exponent), 0.5, _LOG_ROUNDING)
    return np.asarray(np.float32(2) ** np.rint(exponent), np.float32), doubtful


def _least_squares(alpha: Alpha, x: Real, q: Ints) -> tuple[Real, int]:
    """Return the scale of levels `q` for weights `x`, and how many scales are doubtful."""
    if alpha is None:
        return _scalar(1.0), 0
    if not isinstance(alpha, str):
        return _scalar(alpha), 0
    levels = q.astype(np.float32)
    products, squares = np.asarray(x * levels), np.asarray(levels * levels)
    if x.ndim > 1:
        axes = _inner_axes(x)
        products = products.mean(axis=axes, keepdims=True, dtype=np.float32)
        squares = squares.mean(axis=axes, keepdims=True, dtype=np.float32)
    scale = np.asarray(products / (squares + _EPSILON), np.float32)
    return (scale, 0) if alpha == "auto" else _nearest_power(scale)


def _ternary(quantizer: Ternary, x: Real) -> WeightGrid:
    if not isinstance(quantizer.alpha, str):
        alpha = 1.0 if quantizer.alpha is None else quantizer.alpha
        grid = level_grid(quantizer, "")
        return WeightGrid(grid.levels(x), _scalar(alpha))
    size = np.abs(x)
    axes = _inner_axes(x) if x.ndim > 1 else None
    scale = np.asarray(np.float32(2) * size.max(axis=axes, keepdims=True) / np.float32(3))
    if quantizer.alpha == "auto_po2":
        scale, _ = _nearest_power(scale)
    doubtful, integers = 0, np.zeros(x.shape, np.int64)
    for _ in range(quantizer.unrolls):
        half = np.asarray(scale / np.float32(2))
        integers = (size >= half).astype(np.int64) * np.sign(x).astype(np.int64)
        near = 0 if quantizer.alpha == "auto_po2" else _near(size - half, 0.0, half * _ROUNDING)
        scale, unsure = _least_squares(quantizer.alpha, x, integers)
        doubtful = near + unsure
    return WeightGrid(integers, scale, doubtful)


def _power_of_two(quantizer: PowerOfTwo, x: Real) -> WeightGrid:
    signed_exponent = 1 if quantizer.max_value is None or quantizer.max_value > 1 else 0
    bits = quantizer.bits - signed_exponent - (0 if quantizer.relu else 1)
    least, most = -(2**bits), 2**bits - 1
    if quantizer.quadratic:
        most = 2 * (most // 2)
    size = np.maximum(x, np.float32(0)) if quantizer.relu else np.abs(x)
    within = np.maximum(size, _EPSILON)
    if quantizer.max_value is not None:
        within = np.minimum(within, np.float32(quantizer.max_value))
    factor = 2 if quantizer.quadratic else 1
    exponent = np.log(np.sqrt(within) if quantizer.quadratic else within) / np.float32(_LOG2)
    doubtful = _near(exponent - np.floor(exponent), 0.5, _LOG_ROUNDING)
    found = factor * np.clip(np.rint(exponent), least, most).astype(np.int64)
    found = np.where(size < _EPSILON, least, found)
    found = np.maximum(found, -126)
    sign = np.ones(x.shape, np.int64) if quantizer.relu else _sign(x)
    lowest = int(found.min(initial=0))
    reach = np.minimum(found - lowest, 62)
    return WeightGrid(sign << reach, _scalar(2.0 ** max(lowest, -126)), doubtful)
