"""A scale in place of many thresholds, where it gives the same integer for every sum."""

from __future__ import annotations

import numpy as np

from edgekit.frontend.lowering.layers import Ints, Quantizer, Real
from edgekit.frontend.lowering.steps import Steps, composed, level_count, reach
from edgekit.frontend.lowering.sums import Sum
from edgekit.ir import ladder
from edgekit.ir.arithmetic import float32_scale
from edgekit.ir.types import DType, Requant, Rounding

_FEW_LEVELS = 16  # up to here thresholds are taken: they are as small as a scale
_ULPS = 4
_LEAST, _MOST = 2.0**-60, 2.0**20  # of a scale other than 0, SPEC section 3


def requant_of(total: Sum, quantizer: Quantizer, steps: Steps) -> tuple[Requant, Ints] | None:
    """Return a requantization and the integer biases (C,) of sums whose `steps.rows` are negated.

    Each sum gives the level that its thresholds give; where the source's own rounding leaves
    these open, one of the levels that they may give. None where there is no such scale.
    """
    count = level_count(quantizer)
    layer = total.layer
    if layer is None or layer.padding_value or count <= _FEW_LEVELS or steps.flipped.any():
        return None
    if total.source.dtype not in (DType.INT8, DType.INT16) or quantizer.dtype is not DType.INT8:
        return None
    low, high = reach(total, steps.rows)
    slope, shift = _line(total, quantizer, steps)
    base = int((steps.thresholds <= low[:, np.newaxis]).sum(axis=1).min()) + quantizer.low
    flat = (steps.thresholds > low[:, np.newaxis]) & (steps.thresholds <= high[:, np.newaxis])
    slope = np.where(flat.any(axis=1), slope, np.float32(0)).astype(np.float32)
    if not (((slope >= _LEAST) & (slope < _MOST)) | (slope == 0)).all():
        return None
    found, bias, open_ = slope.copy(), np.zeros_like(low), np.ones(slope.shape, bool)
    for ulps in sorted(range(-_ULPS, _ULPS + 1), key=abs):
        scale = (slope + ulps * np.where(slope > 0, np.spacing(slope), 0)).astype(np.float32)
        for more in (0, -1, 1):
            added = shift + more

            def index(acc: Ints, scale: Real = scale, added: Ints = added) -> Ints:
                scaled = np.rint((acc + added).astype(np.float32) * scale)
                limited = np.clip(scaled, base - quantizer.zero_point, 255)
                levels = limited.astype(np.int64) + quantizer.zero_point - quantizer.low
                return np.asarray(np.clip(levels, 0, count))

            rows = ladder.thresholds(index, low, high, count)
            good = ((steps.earliest <= rows) & (rows <= steps.latest)).all(axis=1) & open_
            found, bias = np.where(good, scale, found), np.where(good, added, bias)
            open_ &= ~good
            if not open_.any():
                return _requant(found, quantizer, base), bias
    return None


def _line(total: Sum, quantizer: Quantizer, steps: Steps) -> tuple[Real, Ints]:
    """Return the slope (C,) of levels over sums and the nearest integer bias (C,)."""
    sign = np.where(steps.rows, -1, 1)
    low, high = (each[:, np.newaxis] for each in reach(total, steps.rows))
    inside = (steps.thresholds > low) & (steps.thresholds <= high)
    first = np.where(inside, steps.thresholds, high + 1).min(axis=1)
    last = np.where(inside, steps.thresholds, low - 1).max(axis=1)
    first = np.where(last > first, first, last - 1)
    ends = np.clip(np.stack([first, last]), low.T, high.T)
    values = composed(total.after, composed(total.before, total.real(ends * sign)))
    levels = values.astype(np.float64) / float(quantizer.scale)
    slope = (levels[1] - levels[0]) / np.maximum(ends[1] - ends[0], 1)
    usable = slope > 0
    shift = np.where(usable, levels[0] / np.where(usable, slope, 1) - ends[0], 0)
    return slope.astype(np.float32), np.rint(np.clip(shift, -(2.0**30), 2.0**30)).astype(np.int64)


def _requant(scale: Real, quantizer: Quantizer, low: int) -> Requant:
    pairs = [float32_scale(np.float32(value)) for value in scale]
    return Requant(
        multiplier=tuple(mantissa for mantissa, _ in pairs),
        shift=tuple(exponent for _, exponent in pairs),
        zero_point=quantizer.zero_point,
        low=low,
        high=quantizer.high,
        rounding=Rounding.FLOAT32_RNE,
    )
