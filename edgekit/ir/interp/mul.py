"""Mul (SPEC 4.11)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.arithmetic import float32_value, requantize
from edgekit.ir.nodes import Mul

Ints = NDArray[np.int64]


def mul(node: Mul, a: Ints, b: Ints) -> Ints:
    """Return the product of a [batch, *shape] and b [batch, *last axes of shape]."""
    inner = math.prod(b.shape[1:])
    outer = math.prod(a.shape[1:]) // inner
    product = (a.reshape(-1, outer, inner) - node.a_zero_point) * (
        b.reshape(-1, 1, inner) - node.b_zero_point
    )
    return scale_product(node, product.reshape(a.shape))


def scale_product(node: Mul, product: Ints) -> Ints:
    """Return output integers of products of any shape."""
    requant = node.requant
    if not node.addend:
        return requantize(product, requant)
    # |product| < 2**24 is exactly a float32.
    scale = float32_value(requant.multiplier[0], requant.shift[0])
    real = product.astype(np.float32) * scale + np.float32(node.addend)
    out = np.asarray(np.rint(real)).astype(np.int64)
    return np.clip(out + requant.zero_point, requant.low, requant.high)
