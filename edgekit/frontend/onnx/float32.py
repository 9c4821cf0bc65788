"""Functions of one float32 as onnxruntime computes them on x86 with FMA, bit for bit.

Rational approximations of MLAS for Sigmoid and Tanh, plain float32 operations for the rest. Tests
compare every one with the runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.arithmetic import fused_multiply_add

Floats: TypeAlias = NDArray[np.float32]
Function: TypeAlias = Callable[[Floats], Floats]

# Coefficients of x * P(x^2) / Q(x^2), highest power first, for |x| up to the bound.
_SIGMOID = (
    18.0,
    (
        *(4.37031012579801e-11, 1.15627324459942e-07, 6.08574864600143e-05),
        *(8.51377133304701e-03, 2.48287947061529e-01),
    ),
    (
        *(6.10247389755681e-13, 5.76102136993427e-09, 6.29106785017040e-06),
        *(1.70198817374094e-03, 1.16817656904453e-01, 9.93151921023180e-01),
    ),
)
_TANH = (
    9.0,
    (
        *(-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11),
        *(5.12229709037114e-08, 1.48572235717979e-05, 6.37261928875436e-04),
        4.89352455891786e-03,
    ),
    (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03),
)
_HALF = np.float32(0.5)


def sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x))."""
    return np.asarray(np.clip(_rational(x, *_SIGMOID) + _HALF, 0, 1), np.float32)


def tanh(x: Floats) -> Floats:
    """Return the hyperbolic tangent."""
    return _rational(x, *_TANH)


def leaky_relu(alpha: float) -> Function:
    """Return the function `x` where it is positive, else `alpha * x`."""
    slope = np.float32(alpha)
    return lambda x: np.where(x >= 0, x, slope * x)


def hard_sigmoid(alpha: float, beta: float) -> Function:
    """Return the function `alpha * x + beta`, limited to [0, 1]."""
    slope, offset = np.float32(alpha), np.float32(beta)
    return lambda x: np.asarray(np.clip(slope * x + offset, 0, 1), np.float32)


def hard_swish(x: Floats) -> Floats:
    """Return `x * hard_sigmoid(x)` with slope 1/6 and offset 1/2."""
    return np.asarray(x * hard_sigmoid(1 / 6, 0.5)(x), np.float32)


def _rational(
    x: Floats, bound: float, numerator: Sequence[float], denominator: Sequence[float]
) -> Floats:
    limited = np.clip(x, np.float32(-bound), np.float32(bound))
    square = limited * limited
    p, q = (_polynomial(square, [np.float32(c) for c in k]) for k in (numerator, denominator))
    return np.asarray(p * limited / q, np.float32)


def _polynomial(x: Floats, coefficients: Sequence[np.float32]) -> Floats:
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = fused_multiply_add(value, x, np.full_like(x, coefficient))
    return value
