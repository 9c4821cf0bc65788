"""Softmax in fixed point (SPEC 4.9, steps 4 to 6)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.arithmetic import divide_by_power, high_product

Ints = NDArray[np.int64]

_48_OVER_17 = 1515870810  # Q2.29
_MINUS_32_OVER_17 = -1010580540  # Q2.29


def softmax(x: Ints, table: Ints) -> Ints:
    """Return softmax over the last axis, scale 1/256 and zero point -128; table (256,)."""
    exponentials = table[x.max(axis=-1, keepdims=True) - x]
    present = exponentials >= 0
    shares = np.where(present, divide_by_power(exponentials, 12), 0)
    total = shares.sum(axis=-1, keepdims=True)
    zeros = _leading_zeros(total)
    scaled = high_product(reciprocal((total << zeros) - (1 << 31)), exponentials)
    out = divide_by_power(scaled, 35 - zeros) - 128
    return np.where(present, np.clip(out, -128, 127), -128)


def _leading_zeros(total: Ints) -> Ints:
    # 32 minus the bit length; float64 holds a 32-bit integer exactly.
    _, length = np.frexp(total.astype(np.float64))
    return np.asarray(32 - length).astype(np.int64)


def reciprocal(fraction: Ints) -> Ints:
    """Return 1 / (1 + f) in Q0.31 for f in [0, 1) given in Q0.31, by three Newton steps."""
    # The sum is not negative, so halves away from zero are halves up.
    half_denominator = (fraction + (1 << 31)) >> 1
    value = _48_OVER_17 + high_product(half_denominator, _MINUS_32_OVER_17)
    for _ in range(3):
        error = (1 << 29) - high_product(half_denominator, value)
        value = value + 4 * high_product(value, error)
    return np.minimum(2 * value, (1 << 31) - 1)
