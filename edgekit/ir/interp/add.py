"""Add (SPEC 4.6)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.arithmetic import float32_value, fused_multiply_add, requantize, rescale
from edgekit.ir.nodes import Add
from edgekit.ir.types import Rounding

Ints = NDArray[np.int64]


def add(node: Add, a: Ints, b: Ints) -> Ints:
    """Return the sum or difference of two tensors [batch, *shape] of one shape."""
    a, b = a - node.a_zero_point, b - node.b_zero_point
    if node.requant.rounding is not Rounding.FLOAT32_RNE:
        return requantize(add_fixed_sum(node, a, b), node.requant)
    out = np.asarray(np.rint(add_float32_sum(node, a, b))).astype(np.int64)
    return np.clip(out + node.requant.zero_point, node.requant.low, node.requant.high)


def add_fixed_sum(node: Add, a: Ints, b: Ints) -> Ints:
    """Return what `requant` scales; `a` and `b` have their zero points subtracted."""
    sign = -1 if node.subtract else 1
    return _scaled(node, a, node.a_scale) + sign * _scaled(node, b, node.b_scale)


def add_float32_sum(node: Add, a: Ints, b: Ints) -> NDArray[np.float32]:
    """Return the float32 sum that is rounded; `a` and `b` have their zero points subtracted."""
    # The requant's (multiplier, shift) is onnxruntime's fixed part: an addend, not a scale.
    fixed = float32_value(node.requant.multiplier[0], node.requant.shift[0])
    partial = fused_multiply_add(b, float32_value(*node.b_scale), np.full(b.shape, fixed))
    return fused_multiply_add(a, float32_value(*node.a_scale), partial)


def _scaled(node: Add, centred: Ints, scale: tuple[int, int]) -> Ints:
    multiplier, shift = (np.asarray(value, np.int64) for value in scale)
    return rescale(centred << node.left_shift, multiplier, shift, node.requant.rounding)
