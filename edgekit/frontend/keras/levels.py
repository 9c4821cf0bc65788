"""Quantizers of activations as step functions: float32 in, integer levels out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UnsupportedError
from edgekit.frontend.keras.model import Real
from edgekit.frontend.keras.quantizers import (
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

Ints: TypeAlias = NDArray[np.int64]
Levels: TypeAlias = Callable[[Real], Ints]


@dataclass(frozen=True, slots=True, eq=False)
class LevelGrid:
    """Real values are `scale * level`, `low <= level <= high`; `signs`: -1 and +1 alone."""

    levels: Levels
    low: int
    high: int
    scale: np.float32
    signs: bool = False


def level_grid(quantizer: Quantizer, label: str) -> LevelGrid:
    """Return the step function of a quantizer whose scale does not depend on its data.

    Raises:
        UnsupportedError: it does, or no integers come out; names the quantizer.
    """
    match quantizer:
        case Sign() | Heaviside() | Binary():
            return _two_levels(quantizer, label)
        case SteTern():
            return _ste_tern(quantizer, label)
        case Ternary():
            return _ternary(quantizer, label)
        case DoReFa():
            return _dorefa(quantizer, label)
        case QuantizedBits():
            return _quantized_bits(quantizer, label)
        case QuantizedRelu():
            return _quantized_relu(quantizer)
        case MagnitudeAwareSign() | PowerOfTwo():
            raise UnsupportedError(
                f"{label}: it gives activations without one scale",
                hint="use it for weights only; for activations ste_sign or quantized_relu",
            )
        case _:
            assert_never(quantizer)


def _two_levels(quantizer: Sign | Heaviside | Binary, label: str) -> LevelGrid:
    match quantizer:
        case Sign():
            return LevelGrid(_sign, -1, 1, np.float32(1), signs=True)
        case Heaviside():
            return LevelGrid(lambda x: (x > 0).astype(np.int64), 0, 1, np.float32(1))
        case Binary():
            scale = np.float32(_fixed(quantizer.alpha, label))
            if quantizer.zero_one:
                return LevelGrid(lambda x: (x >= 0).astype(np.int64), 0, 1, scale)
            return LevelGrid(_sign, -1, 1, scale, signs=True)


def _sign(x: Real) -> Ints:
    return np.where(x >= 0, 1, -1).astype(np.int64)


def _fixed(alpha: float | str | None, label: str) -> float:
    if isinstance(alpha, str):
        raise UnsupportedError(
            f"{label}: alpha {alpha!r} takes the scale from each batch of activations",
            hint="give a number for alpha",
        )
    return 1.0 if alpha is None else alpha


def _ste_tern(quantizer: SteTern, label: str) -> LevelGrid:
    if quantizer.threshold is None:
        raise UnsupportedError(
            f"{label}: ternary_weight_networks takes the threshold from each batch of activations",
            hint="give threshold_value",
        )
    t = np.float32(quantizer.threshold)

    def levels(x: Real) -> Ints:
        return np.asarray(np.sign(np.sign(x + t) + np.sign(x - t)), np.int64)

    return LevelGrid(levels, -1, 1, np.float32(1))


def _dorefa(quantizer: DoReFa, label: str) -> LevelGrid:
    if quantizer.weights:
        raise UnsupportedError(f"{label}: mode 'weights' for activations", hint="mode activations")
    n = np.float32(2**quantizer.bits - 1)

    def levels(x: Real) -> Ints:
        return np.asarray(np.rint(np.clip(x, np.float32(0), np.float32(1)) * n), np.int64)

    return LevelGrid(levels, 0, int(n), np.float32(1) / n)


def _quantized_bits(quantizer: QuantizedBits, label: str) -> LevelGrid:
    alpha = _fixed(quantizer.alpha, label)
    magnitude_bits = quantizer.bits - int(quantizer.keep_negative)
    if magnitude_bits == 0:
        return LevelGrid(_sign, -1, 1, np.float32(alpha), signs=True)
    m = 2**magnitude_bits
    low = -m + int(quantizer.symmetric) if quantizer.keep_negative else 0
    factor = np.float32(2.0 ** (magnitude_bits - quantizer.integer))

    def levels(x: Real) -> Ints:
        return np.asarray(np.rint(x * factor).clip(low, m - 1), np.int64)

    scale = np.float32(alpha) * np.float32(2.0 ** (quantizer.integer - magnitude_bits))
    return LevelGrid(levels, low, m - 1, scale)


def _quantized_relu(quantizer: QuantizedRelu) -> LevelGrid:
    bits = quantizer.bits - int(quantizer.slope != 0)
    m = 2**bits
    factor = np.float32(2.0 ** (bits - quantizer.integer))
    scale = np.float32(2.0 ** (quantizer.integer - bits))
    slope = np.float32(quantizer.slope)
    low = -int(quantizer.slope * m)

    def sigmoid(x: Real) -> Ints:
        unit = np.float32(2.0**quantizer.integer)
        share = np.clip(np.float32(0.5) * (x / unit) + np.float32(0.5), 0, 1).astype(np.float32)
        return np.asarray((2 * np.rint(share * np.float32(m)) - m).clip(0, m - 1), np.int64)

    def levels(x: Real) -> Ints:
        above = np.rint(x * factor).clip(0, m - 1)
        if low == 0:
            return np.asarray(above, np.int64)
        return np.asarray(above + np.rint(x * factor * slope).clip(low, 0), np.int64)

    return LevelGrid(sigmoid if quantizer.sigmoid else levels, low, m - 1, scale)


def _ternary(quantizer: Ternary, label: str) -> LevelGrid:
    alpha = _fixed(quantizer.alpha, label)
    t = np.float32(0.33 if quantizer.threshold is None else quantizer.threshold)

    def levels(x: Real) -> Ints:
        return np.asarray((np.abs(x) >= t) * np.sign(x), np.int64)

    return LevelGrid(levels, -1, 1, np.float32(alpha))
