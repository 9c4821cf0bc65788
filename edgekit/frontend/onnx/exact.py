"""Fixed-point forms of float32 differences, proven for all inputs.

The runtime rounds a float32 value to the nearest integer. A fixed-point scale near the real one
gives the same integers unless a value lies on a tie or within a rounding error of one; candidates
are tried, and compared for every pair of inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekit.frontend.onnx.values import Quantization
from edgekit.ir.arithmetic import quantize_multiplier
from edgekit.ir.interp.add import add
from edgekit.ir.nodes import Add
from edgekit.ir.types import Requant, Rounding

Ints = NDArray[np.int64]

_LEFT_SHIFT = 20
_FIXED = (Rounding.SINGLE, Rounding.DOUBLE, Rounding.TIES_UP)
_NUDGES = (0, 64, -64, 512, -512, 4096, -4096)  # of a multiplier of 31 bits


def exact_sub(
    label: str, a: Quantization, b: Quantization, y: Quantization, limits: tuple[int, int]
) -> Add | None:
    """Return a difference that equals float32 arithmetic, its tensors unnamed; None if none does.

    Args:
        label: of the node.
        a: quantization of the first operand.
        b: of the second.
        y: of the difference.
        limits: lowest and highest output, graph integers.
    """
    q = np.arange(-128, 128)
    first, second = ((q - z.graph_zero).astype(np.float32) * np.float32(z.scale) for z in (a, b))
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


def _fixed_scales(real: float, zero_point: int, limits: tuple[int, int]) -> Iterator[Requant]:
    multiplier, shift = quantize_multiplier(real)
    for nudge in _NUDGES:
        nudged = multiplier + nudge
        if 2**30 <= nudged < 2**31:
            for rounding in _FIXED:
                yield Requant((nudged,), (shift,), zero_point, *limits, rounding)
