"""Integer arithmetic of SPEC sections 3 and 4.9: requantization, constants, softmax table.

Everything here is exact: int64 arrays whose products the checker keeps below 2**62, and
float32/float64 operations whose single rounding SPEC names.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UnsupportedError
from edgekit.ir.types import Requant, Rounding

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

_EXP_CONSTANT = 1895147668  # round(2**31 * exp(-1/8))
_ONE_THIRD = 715827883  # round(2**31 / 3)
# round(2**31 * exp(-2**k)) for k = -2 ... 4; bit 26 + k of the exponent selects it.
_EXP_BARREL = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)


def requantize(acc: Ints, requant: Requant, channel_axis: int = -1) -> Ints:
    """Scale accumulators to output integers, `clamp(R(acc) + zero_point)` (SPEC section 3).

    Args:
        acc: accumulators of any shape, within the limits that `check.verify` proves.
        requant: one scale, or one per index of `channel_axis`.
        channel_axis: the axis that per-channel scales run along.
    """
    multiplier = np.asarray(requant.multiplier, np.int64)
    shift = np.asarray(requant.shift, np.int64)
    if multiplier.size > 1:
        along = [1] * acc.ndim
        along[channel_axis] = multiplier.size
        multiplier, shift = multiplier.reshape(along), shift.reshape(along)
    scaled = rescale(acc, multiplier, shift, requant.rounding)
    return np.clip(scaled + requant.zero_point, requant.low, requant.high)


def rescale(acc: Ints, multiplier: Ints, shift: Ints, rounding: Rounding) -> Ints:
    """Return R(acc) of SPEC section 3; `multiplier` and `shift` broadcast against `acc`."""
    match rounding:
        case Rounding.DOUBLE:
            return divide_by_power(high_product(acc, multiplier, shift), np.maximum(-shift, 0))
        case Rounding.TIES_UP:
            value = high_product(acc, multiplier, shift)
            right = np.maximum(-shift, 0)
            half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
            return np.asarray((value + half) >> right)
        case Rounding.SINGLE:
            return np.asarray((acc * multiplier + (np.int64(1) << (30 - shift))) >> (31 - shift))
        case Rounding.FLOAT32_RNE:
            scale = np.ldexp(multiplier.astype(np.float32), shift.astype(np.int32))
            product = acc.astype(np.float32) * scale
            return np.asarray(np.rint(product)).astype(np.int64)
        case _:
            assert_never(rounding)


def high_product(a: Ints, multiplier: Ints | int, shift: Ints | int = 0) -> Ints:
    """Return `(a * 2**max(shift, 0) * multiplier + 2**30) >> 31`."""
    left = np.maximum(shift, 0)
    return np.asarray(((a << left) * multiplier + (1 << 30)) >> 31)


def divide_by_power(value: Ints, exponent: Ints | int) -> Ints:
    """Return `value / 2**exponent`, ties away from zero; `exponent >= 0`."""
    one = np.int64(1)
    mask = (one << np.asarray(exponent, np.int64)) - 1
    threshold = (mask >> 1) + (value < 0)
    return np.asarray((value >> exponent) + ((value & mask) > threshold))


def fused_multiply_add(x: Ints | Floats, scale: np.float32 | Floats, addend: Floats) -> Floats:
    """Return `f32(x * scale + addend)` with one rounding, as a fused multiply-add does.

    The product of a float32, or an integer `|x| < 2**29`, and a float32 is exact in float64.
    The float64 sum is then rounded to odd, so that rounding it again to float32 gives the
    nearest-even result.
    """
    product = np.asarray(x.astype(np.float64) * np.asarray(scale, np.float64))
    other = addend.astype(np.float64)
    total = np.asarray(product + other)
    part = total - product
    error = (product - (total - part)) + (other - part)
    bits = total.view(np.int64)
    away = np.where((error > 0) == (total > 0), 1, -1)
    odd = np.where((error != 0) & ((bits & 1) == 0), bits + away, bits)
    return np.asarray(odd.view(np.float64).astype(np.float32))


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Return (multiplier, shift) of a real scale `>= 0` by TFLite's frexp rule (SPEC 3).

    Raises:
        UnsupportedError: the scale is negative, not finite, or 2**30 and above.
    """
    if not (math.isfinite(real) and real >= 0):
        raise UnsupportedError(
            f"scale {real} cannot be represented: a finite scale of at least 0 is wanted",
            hint="check the quantization parameters of the model",
        )
    multiplier, exponent = _fixed_point(real)
    if exponent > 30:
        raise UnsupportedError(
            f"scale {real} cannot be represented: below 2**30 is wanted",
            hint="check the quantization parameters of the model",
        )
    return multiplier, exponent


def _fixed_point(real: float) -> tuple[int, int]:
    fraction, exponent = math.frexp(real)
    # fraction * 2**31 is exact in a double, and adding the half keeps every bit that floor sees.
    multiplier = math.floor(fraction * 2.0**31 + 0.5)
    if multiplier == 1 << 31:
        multiplier //= 2
        exponent += 1
    return (0, 0) if exponent < -31 else (multiplier, exponent)


def float32_scale(value: np.float32) -> tuple[int, int]:
    """Return (mantissa, exponent) with `value == mantissa * 2**exponent`, `|mantissa| < 2**24`.

    Raises:
        UnsupportedError: the value is infinite or NaN.
    """
    if not np.isfinite(value):
        raise UnsupportedError(
            f"scale {value} cannot be represented: a finite float32 number is wanted",
            hint="check the quantization parameters of the model",
        )
    fraction, exponent = math.frexp(float(np.float32(value)))
    return (int(fraction * 2**24), exponent - 24) if fraction else (0, 0)


def float32_value(mantissa: int, exponent: int) -> np.float32:
    """Return the float32 number `mantissa * 2**exponent`, the inverse of `float32_scale`."""
    return np.float32(math.ldexp(mantissa, exponent))


def float32_exact(mantissa: int, exponent: int) -> bool:
    """Say whether `mantissa * 2**exponent` is exactly a float32 number."""
    if abs(mantissa) >= 1 << 24 or not -200 <= exponent <= 127:
        return False
    real = Fraction(mantissa) * Fraction(2) ** exponent
    return abs(real) < 2**128 and Fraction(float(np.float32(float(real)))) == real


def softmax_table(beta: float, input_scale: float) -> Ints:
    """Return the (256,) table of `Softmax`: exp in Q0.31 of `d`, entry `-d`, or -1 (SPEC 4.9).

    Raises:
        UnsupportedError: `beta * input_scale` is below 2**-26, where the reference has no meaning.
    """
    real = min(beta * input_scale * 2.0**26, 2.0**31 - 1.0)
    if not real > 1.0:
        raise UnsupportedError(
            f"softmax with beta {beta} and input scale {input_scale}: "
            "their product must be above 2**-26",
            hint="check the quantization parameters of the softmax's input",
        )
    multiplier, shift = _fixed_point(real)  # shift may be 31 here
    lowest = -math.floor(31.0 * 2.0**26 / 2.0**shift)
    d = -np.arange(256, dtype=np.int64)
    inside = d >= lowest
    x = high_product(np.where(inside, d, 0), multiplier, shift)
    table = np.where(inside, _exp_on_negative(x), -1)
    table.setflags(write=False)
    return table


def _exp_on_negative(x: Ints) -> Ints:
    """Return exp(x) in Q0.31 for x <= 0 in Q5.26, step 3 of SPEC 4.9."""
    a = (x & ((1 << 24) - 1)) - (1 << 24)
    z = (a << 5) + (1 << 28)
    z2 = high_product(z, z)
    z3 = high_product(z2, z)
    z4 = high_product(z2, z2)
    inner = divide_by_power(z4, 2) + z3
    p = divide_by_power(high_product(inner, _ONE_THIRD) + z2, 1)
    result = _EXP_CONSTANT + high_product(z + p, _EXP_CONSTANT)
    for bit, factor in enumerate(_EXP_BARREL, start=24):
        selected = ((a - x) >> bit) & 1
        result = np.where(selected == 1, high_product(result, factor), result)
    return np.where(x == 0, (1 << 31) - 1, result)
