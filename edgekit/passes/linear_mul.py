"""Products whose float32 scale is, for every accumulator, one multiplication and one shift."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgekit.ir.arithmetic import float32_value, quantize_multiplier
from edgekit.ir.interp.mul import scale_product
from edgekit.ir.nodes import Mul
from edgekit.ir.types import Requant, Rounding


def fixed_form(node: Mul, low: int, high: int) -> Mul | None:
    """Return `node` with a fixed-point scale that gives the same for products in [low, high].

    None if there is none: a product that lies on a tie, or within a rounding error of one, may ask
    for more than one multiplier can give.
    """
    requant = node.requant
    scale = float(float32_value(requant.multiplier[0], requant.shift[0]))
    if scale >= 1:
        return None
    products = np.arange(low, high + 1, dtype=np.int64)
    wanted = scale_product(node, products)
    zero_point = requant.zero_point + node.addend
    _, shift = quantize_multiplier(scale)
    multiplier = _multiplier(
        [int(products[k]) for k in np.flatnonzero(np.diff(wanted))],
        [(int(wanted[k]), int(wanted[k + 1])) for k in np.flatnonzero(np.diff(wanted))],
        zero_point,
        31 - shift,
    )
    if multiplier is None or not -128 <= zero_point <= 127:
        return None
    fixed = Requant((multiplier,), (shift,), zero_point, requant.low, requant.high, Rounding.SINGLE)
    found = replace(node, requant=fixed, addend=0)
    return found if np.array_equal(scale_product(found, products), wanted) else None


def _multiplier(
    below: list[int], values: list[tuple[int, int]], zero_point: int, right: int
) -> int | None:
    """Return m with `(p * m + half) >> right` stepping where it must: from `below` to the next."""
    half = 1 << (right - 1)
    least, most = 2**30, 2**31 - 1
    for product, (before, after) in zip(below, values, strict=True):
        reached = ((after - zero_point) << right) - half
        passed = ((before + 1 - zero_point) << right) - half - 1
        # (product + 1) * m >= reached and product * m <= passed
        for factor, bound, sign in ((product + 1, reached, 1), (product, passed, -1)):
            if factor == 0:
                if sign * bound > 0:
                    return None
            elif factor * sign > 0:
                least = max(least, -(-bound // factor))
            else:
                most = min(most, bound // factor)
    return (least + most) // 2 if least <= most else None
