"""Fixed-point forms of onnxruntime's float32 products and differences, proven for all inputs.

The runtime rounds a float32 value to the nearest integer. A fixed-point scale near the real one
gives the same integers unless a value lies on a tie or within a rounding error of one; candidates
are tried, and compared for every pair of inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekit.frontend.onnx.scales import requant
from edgekit.frontend.onnx.values import Quantization
from edgekit.ir.arithmetic import quantize_multiplier, requantize
from edgekit.ir.interp.add import add
from edgekit.ir.nodes import Add
from edgekit.ir.types import Requant, Rounding

Ints = NDArray[np.int64]

_LEFT_SHIFT = 20
_FIXED = (Rounding.SINGLE, Rounding.DOUBLE, Rounding.TIES_UP)
_NUDGES = (0, 64, -64, 512, -512, 4096, -4096)  # of a multiplier of 31 bits


def exact_mul(
    a: Quantization, b: Quantization, y: Quantization, limits: tuple[int, int]
) -> Requant | None:
    """Return the requant of `(q_a - z_a) * (q_b - z_b)` that equals QLinearMul, None if none does.

    Args:
        a: quantization of the first factor.
        b: of the second.
        y: of the product.
        limits: lowest and highest output, graph integers.
    """
    low, high = limits
    with np.errstate(over="ignore", under="ignore"):
        scale = np.float32(np.float32(a.scale * b.scale) / y.scale)
    if not 2.0**-60 <= scale < 1:
        return None
    ends = np.multiply.outer(
        [-128 - a.graph_zero, 127 - a.graph_zero], [-128 - b.graph_zero, 127 - b.graph_zero]
    )
    acc = np.arange(int(ends.min()), int(ends.max()) + 1, dtype=np.int64)
    # QLinearMul adds the source's zero point in float32, before it rounds.
    real = acc.astype(np.float32) * scale + np.float32(y.zero_point)
    wanted = np.clip(np.rint(real).astype(np.int64) - y.offset, low, high)
    even = requant(np.asarray([scale]), y, low, high)
    candidates = (even, _fitted(acc, wanted, float(scale), y.graph_zero, limits))
    for rule in candidates:
        if rule is not None and np.array_equal(requantize(acc, rule), wanted):
            return rule
    return None


def exact_sub(
    label: str, a: Quantization, b: Quantization, y: Quantization, limits: tuple[int, int]
) -> Add | None:
    """Return a difference that equals float32 arithmetic, its tensors unnamed; None if none does.

    Arguments as for `exact_mul`.
    """
    q = np.arange(-128, 128)
    first, second = (
        (q - z.graph_zero).astype(np.float32) * np.float32(z.scale) for z in (a, b)
    )
    with np.errstate(over="ignore", under="ignore"):
        ratio = np.asarray(np.subtract.outer(first, second) / y.scale, np.float32)
    span = np.clip(ratio, -512.0, 512.0)
    wanted = np.clip(np.rint(span).astype(np.int64) + y.graph_zero, *limits)
    twice = 2.0 * max(float(a.scale), float(b.scale))
    out = twice / (float(1 << _LEFT_SHIFT) * float(y.scale))
    if not 2.0**-50 < out < 1.0:
        return None
    pair = [quantize_multiplier(float(z.scale) / twice) for z in (a, b)]
    if any(shift > 0 or shift < -31 for _, shift in pair):
        return None
    plain = Add(
        label=label,
        a="",
        b="",
        y="",
        a_zero_point=a.graph_zero,
        b_zero_point=b.graph_zero,
        left_shift=_LEFT_SHIFT,
        a_scale=pair[0],
        b_scale=pair[1],
        requant=Requant((0,), (0,), 0, 0, 0, Rounding.SINGLE),
        subtract=True,
    )
    grid = np.meshgrid(q, q, indexing="ij")
    for rule in _fixed_scales(out, y.graph_zero, limits):
        node = replace(plain, requant=rule)
        if np.array_equal(add(node, *grid), wanted):
            return node
    return None


def _fitted(
    acc: Ints, wanted: Ints, real: float, zero_point: int, limits: tuple[int, int]
) -> Requant | None:
    """Return the scale with one rounding that puts every step of `wanted` where it is, or None."""
    multiplier, shift = quantize_multiplier(real)
    right = 31 - shift
    least, most = 2**30, 2**31 - 1
    for place in np.flatnonzero(np.diff(wanted)):
        below, above = (int(acc[place + k]) for k in (0, 1))
        # (above * m + half) >> right reaches its value, and that of `below` stays under the next.
        reached = ((int(wanted[place + 1]) - zero_point) << right) - (1 << (right - 1))
        passed = ((int(wanted[place]) + 1 - zero_point) << right) - (1 << (right - 1))
        for factor, bound, at_least in ((above, reached, True), (below, passed - 1, False)):
            # factor * m >= bound, or factor * m <= bound
            if factor == 0:
                if (bound > 0) if at_least else (bound < 0):
                    return None
            elif (factor > 0) is at_least:
                least = max(least, -(-bound // factor))
            else:
                most = min(most, bound // factor)
    if least > most:
        return None
    return Requant(((least + most) // 2,), (shift,), zero_point, *limits, Rounding.SINGLE)


def _fixed_scales(real: float, zero_point: int, limits: tuple[int, int]) -> Iterator[Requant]:
    multiplier, shift = quantize_multiplier(real)
    for nudge in _NUDGES:
        nudged = multiplier + nudge
        if 2**30 <= nudged < 2**31:
            for rounding in _FIXED:
                yield Requant((nudged,), (shift,), zero_point, *limits, rounding)
