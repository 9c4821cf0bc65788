"""Sums of two tensors that are, for every pair of integers, one multiply-add and one shift."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.arithmetic import float32_value
from edgekit.ir.interp.add import add
from edgekit.ir.nodes import Add
from edgekit.ir.types import DType, Rounding

Ints = NDArray[np.int64]

_SHIFTS = range(24, 13, -1)
_NEAR = sorted(
    itertools.product(range(-2, 3), repeat=2), key=lambda step: abs(step[0]) + abs(step[1])
)
_LIMIT = 1 << 31


@dataclass(frozen=True, slots=True)
class LinearAdd:
    """`clamp((a_factor * q_a + b_factor * q_b + offset) >> shift, low, high)`.

    No sum of its terms leaves int32, in any order, for int8 inputs.
    """

    a_factor: int
    b_factor: int
    offset: int
    shift: int


def linear_form(node: Add) -> LinearAdd | None:
    """Return the form that equals `node` for all 65,536 pairs of int8, or None if none is found.

    The real scales rounded to a multiple of 2^-shift, and their neighbours, are tried; each fits
    if one offset puts every pair on the right side of both its steps.
    """
    values = np.arange(DType.INT8.low, DType.INT8.high + 1)
    a, b = (grid.ravel() for grid in np.meshgrid(values, values, indexing="ij"))
    wanted = add(node, a, b)
    rises, falls = wanted > node.requant.low, wanted < node.requant.high
    at_least = np.stack([a, b, wanted])[:, rises]  # (..) >> shift must reach the wanted value here,
    at_most = np.stack([a, b, wanted + 1])[:, falls]  # and must stay below the next one here
    if not rises.any() or not falls.any():
        return None  # it always is at one end of its clamp
    scales = _real_scales(node)
    for shift in _SHIFTS:
        for steps in _NEAR:
            factors = [round(s * 2.0**shift) + step for s, step in zip(scales, steps, strict=True)]
            offset = _offset(factors, shift, at_least, at_most)
            if offset is not None:
                return LinearAdd(factors[0], factors[1], offset, shift)
    return None


def _real_scales(node: Add) -> tuple[float, float]:
    if node.requant.rounding is Rounding.FLOAT32_RNE:
        return float(float32_value(*node.a_scale)), float(float32_value(*node.b_scale))
    (multiplier,), (shift,) = node.requant.multiplier, node.requant.shift
    out = multiplier * 2.0 ** (shift - 31 + node.left_shift)
    a, b = (m * 2.0 ** (e - 31) * out for m, e in (node.a_scale, node.b_scale))
    return a, -b if node.subtract else b


def _offset(factors: list[int], shift: int, at_least: Ints, at_most: Ints) -> int | None:
    """Return an offset that fits all pairs and int32, or None."""
    few = slice(None, None, 61)
    for some in (few, slice(None)):
        lowest = int((_steps(at_least[:, some], shift) - _sums(at_least[:, some], factors)).max())
        highest = (
            int((_steps(at_most[:, some], shift) - _sums(at_most[:, some], factors)).min()) - 1
        )
        if lowest > highest:
            return None
    offset = (lowest + highest) // 2
    reach = 128 * (abs(factors[0]) + abs(factors[1])) + abs(offset)
    return offset if reach < _LIMIT else None


def _sums(pairs: Ints, factors: list[int]) -> Ints:
    return np.asarray(factors[0] * pairs[0] + factors[1] * pairs[1])


def _steps(pairs: Ints, shift: int) -> Ints:
    return np.asarray(pairs[2] << shift)
