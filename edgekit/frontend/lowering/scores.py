"""Sums that no quantizer follows: what they mean as real numbers."""

from __future__ import annotations

import numpy as np

from edgekit.errors import UnsupportedError
from edgekit.frontend.lowering.layers import Ints, Real
from edgekit.frontend.lowering.steps import composed
from edgekit.frontend.lowering.sums import Doubles, Sum

_PROBES = 1 << 18
_ULPS = 4
_TOLERANCE = 2.0**-18  # of the largest magnitude: float32 functions of a few operations


def affine(total: Sum, label: str) -> tuple[Real, Real, bool]:
    """Return (scale, offset, kept): real = scale[c] * sum + offset[c] in float32.

    `kept` says that the largest real value is the source's for all sums that were looked at (each
    one where there are few): the numbers are equal, or one rising function serves all channels.

    Raises:
        UnsupportedError: the functions after the sum are not affine; names the layer.
    """
    if total.pool is not None:
        raise UnsupportedError(
            f"{total.pool.label}: a max-pool ends the model with no quantizer before it",
            hint="end the model in a layer of sums",
        )
    points = _points(total.low, total.high)
    found = composed(total.before, total.real(points)).astype(np.float64)
    common = _points(
        np.full_like(total.low, total.low.min()), np.full_like(total.high, total.high.max())
    )
    shared = composed(total.before, total.real(common)).astype(np.float64)
    alike = bool((shared == shared[:, :1]).all())
    if alike:
        points, found = common, shared
    scale, offset = _fitted(total, points, found)
    host = points.astype(np.float32) * scale + offset
    bound = _TOLERANCE * max(float(np.abs(found).max()), 2.0**-100)
    if not np.isfinite(found).all() or not (np.abs(host - found) <= bound).all():
        raise UnsupportedError(
            f"{label}: what follows its sums is no multiple of them and an offset",
            hint="end the model in a layer of sums, a batch norm or a softmax",
        )
    rising = alike and bool(
        (np.diff(host, axis=0) > 0).all() and (np.diff(found, axis=0) > 0).all()
    )
    return scale, offset, rising or bool((host == found.astype(np.float32)).all())


def _fitted(total: Sum, points: Ints, found: Doubles) -> tuple[Real, Real]:
    """Return the scale and offset (C,) that give most of the source's own float32 numbers."""
    spans = np.maximum(points[-1] - points[0], 1)
    slope = ((found[-1] - found[0]) / spans).astype(np.float32)
    # At 0 a product vanishes: what the source gives there is the offset itself.
    offset = composed(total.before, total.real(np.zeros((1, total.channels), np.int64)))[0]
    best, equal = slope, np.full(slope.shape, -1)
    for ulps in range(-_ULPS, _ULPS + 1):
        scale = (slope + ulps * np.spacing(slope)).astype(np.float32)
        same = (points.astype(np.float32) * scale + offset == found).sum(axis=0)
        best, equal = np.where(same > equal, scale, best), np.maximum(same, equal)
    return best, offset


def linear_scale(total: Sum, label: str) -> np.float32:
    """Return the one scale of sums that another layer reads.

    Raises:
        UnsupportedError: channels have several scales, or an offset; names the layer and scales.
    """
    scale, offset, _ = affine(total, label)
    least, most = float(scale.min()), float(scale.max())
    if most - least > _TOLERANCE * most or least <= 0 or np.any(np.abs(offset) > _TOLERANCE * most):
        raise UnsupportedError(
            f"{label}: it reads sums of scales {least:.9g} to {most:.9g} and offsets "
            f"{float(offset.min()):.9g} to {float(offset.max()):.9g}, which do not fold",
            hint="quantize the activation before this layer",
        )
    return np.float32(scale[0])


def _points(low: Ints, high: Ints) -> Ints:
    """Return integers [n, C] from `low` to `high`, both (C,): all, where there are few."""
    count = int(min((high - low).max() + 1, max(_PROBES // low.size, 2)))
    share = np.linspace(0.0, 1.0, max(count, 2))[:, np.newaxis]
    return np.asarray(low + np.rint(share * (high - low)).astype(np.int64))
