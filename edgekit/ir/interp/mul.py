"""Mul (SPEC 4.10)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.arithmetic import requantize
from edgekit.ir.nodes import Mul

Ints = NDArray[np.int64]


def mul(node: Mul, a: Ints, b: Ints) -> Ints:
    """Return the product of a [batch, *shape] and b [batch, *last axes of shape]."""
    b = b.reshape(b.shape[0], -1)
    product = (a.reshape(a.shape[0], -1, b.shape[1]) - node.a_zero_point) * (
        b[:, np.newaxis] - node.b_zero_point
    )
    return requantize(product.reshape(a.shape), node.requant)
