"""Add (SPEC 4.6)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.arithmetic import float32_value, fused_multiply_add, requantize, rescale
from edgekit.ir.nodes import Add
from edgekit.ir.types import Rounding

Ints = NDArray[np.int64]


def add(node: Add, a: Ints, b: Ints) -> Ints:
    """Return the sum of two tensors [batch, *shape] of one shape."""
    a, b = a - node.a_zero_point, b - node.b_zero_point
    if node.requant.rounding is Rounding.FLOAT32_RNE:
        return _add_float32(node, a, b)
    total = _scaled(node, a, node.a_scale) + _scaled(node, b, node.b_scale)
    return requantize(total, node.requant)


def _scaled(node: Add, centred: Ints, scale: tuple[int, int]) -> Ints:
    multiplier, shift = np.int64(scale[0]), np.int64(scale[1])
    rounding = node.requant.rounding
    return rescale(centred << node.left_shift, np.asarray(multiplier), np.asarray(shift), rounding)


def _add_float32(node: Add, a: Ints, b: Ints) -> Ints:
    # The requant's (multiplier, shift) is onnxruntime's fixed part: an addend, not a scale.
    requant = node.requant
    fixed = float32_value(requant.multiplier[0], requant.shift[0])
    value = fused_multiply_add(b, float32_value(*node.b_scale), np.full(b.shape, fixed))
    value = fused_multiply_add(a, float32_value(*node.a_scale), value)
    out = np.asarray(np.rint(value)).astype(np.int64) + requant.zero_point
    return np.clip(out, requant.low, requant.high)
