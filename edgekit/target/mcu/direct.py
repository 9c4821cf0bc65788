"""Requantize forms of the DSP kernels: `ek_dsp_scale` of `edgekit.h`, proven for each channel.

An output integer is a rising function of its accumulator, so two ways of computing it are equal on
an interval of accumulators if they step at the same places: at most 255 of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.arithmetic import requantize
from edgekit.ir.types import Requant, Rounding
from edgekit.target.mcu import ctext
from edgekit.target.mcu.code import Array

Ints = NDArray[np.int64]

_FRACTION = 14  # EK_DSP_FRACTION
_MAX_SHIFT = 31 - 1
_START_LIMIT = 1 << 23
_SUM_LIMIT = 1 << 31
_NO_HALF = 31
_CONSTANT_MULTIPLIER = 1 << 30
_FEW = 16  # outputs of a channel that is worth a search
_MOVES = 64


@dataclass(frozen=True, slots=True)
class Channels:
    """A weighted node as its kernel will see it: weights (C, depth), sums of q - zero point."""

    requant: Requant
    weights: Ints
    bias: Ints
    zero_point: int

    def limits(self) -> tuple[Ints, Ints]:
        """Return the lowest and highest accumulator of each channel over all int8 inputs."""
        low, high = -128 - self.zero_point, 127 - self.zero_point
        positive = np.maximum(self.weights, 0).sum(axis=1)
        negative = np.minimum(self.weights, 0).sum(axis=1)
        return (
            self.bias + low * positive + high * negative,
            self.bias + high * positive + low * negative,
        )


@dataclass(frozen=True, slots=True)
class Direct:
    """Fields of an `ek_dsp_scale`, its array, and the weights to go with them."""

    fields: dict[str, ctext.Value]
    array: Array
    weights: Ints


def choose(channels: Channels, index: int, *, away: bool) -> Direct | None:
    """Return the form for node `index`, or None if none is exact for all its accumulators.

    A channel whose output never changes keeps no weights. `away`: whether the kernel has the
    longer form, which rounds ties of negative sums away from zero.
    """
    requant = channels.requant
    low, high = channels.limits()
    lowest, highest = (requantize(limit[:, None], requant, 0)[:, 0] for limit in (low, high))
    fixed = lowest == highest
    forms = [_floored(channels, low, high, fixed, lowest)]
    if away and requant.rounding is Rounding.DOUBLE:
        forms.append(_away(channels, low, high, fixed, lowest))
    for form in forms:
        if form is not None:
            fields, start, multiplier, shift = form
            return _direct(channels, index, fixed, fields, (start, multiplier, shift))
    return None


_Form = tuple[dict[str, ctext.Value], Ints, Ints, Ints]


def _floored(
    channels: Channels, low: Ints, high: Ints, fixed: NDArray[np.bool_], output: Ints
) -> _Form | None:
    requant = channels.requant
    multiplier, right = _normalized(requant, len(low))
    half = 2 if requant.rounding in (Rounding.DOUBLE, Rounding.TIES_UP) else _NO_HALF
    base = (requant.zero_point << _FRACTION) + (1 << (_FRACTION - 1))
    shift = 1 + _FRACTION - right
    start = np.broadcast_to(channels.bias, shift.shape).copy()
    exact = fixed | _is_exact(
        requant, low, high, _Candidates(start, 0 * start, multiplier, shift, base, half)
    )
    for c in np.flatnonzero(~exact):
        one = _channel(requant, int(c))
        found = _fitted(one, int(low[c]), int(high[c]), channels, int(c), base, half)
        if found is None:
            return None
        start[c], multiplier[c], shift[c] = found
    # A channel that never changes: output - zero point, times 2^14 by a product with 2^-2.
    whole = _FRACTION + 2
    constant = output - requant.zero_point - ((1 << whole >> half) >> _FRACTION)
    start = np.where(fixed, constant, start)
    multiplier = np.where(fixed, _CONSTANT_MULTIPLIER, multiplier)
    shift = np.where(fixed, whole, shift)
    return {"addend": base, "half": half, "away": 0}, start, multiplier, shift


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Rows of a table: one for each channel, or several for one.

    Their sums are `moved` from the accumulators of the node.
    """

    start: Ints
    moved: Ints
    multiplier: Ints
    shift: Ints
    base: int
    half: int


def _fitted(
    requant: Requant, low: int, high: int, channels: Channels, c: int, base: int, half: int
) -> tuple[int, int, int] | None:
    """Return start, multiplier and shift of a channel with few outputs, found by trial.

    Small scales leave no fraction for the half that a rounding adds; another start and
    multiplier make up for it.
    """
    ends = requantize(np.array([[low], [high]]), requant, 0).ravel()
    if ends[1] - ends[0] > _FEW:
        return None
    multiplier, right = (int(v[0]) for v in _normalized(requant, 1))
    moved, shift = (v.ravel() for v in np.meshgrid(np.arange(-_MOVES, _MOVES + 1), np.arange(2, 9)))
    # The multiplier that meets the true line in the middle, where the sums are.
    middle = (low + high) // 2
    true_half = 0.0 if half == _NO_HALF else 2.0 ** (_FRACTION - 1 - right)
    height = math.ldexp(middle * multiplier, _FRACTION - 31 - right) + true_half
    span = np.where(middle + moved == 0, 1, middle + moved)
    fitted = np.rint((height - ((1 << shift) >> half)) * 2.0 ** (32 - shift) / span)
    start = int(channels.bias[c]) + moved
    multipliers = np.clip(fitted, 0, (1 << 31) - 1).astype(np.int64)
    rows = _Candidates(start, moved, multipliers, shift, base, half)
    good = np.flatnonzero(_is_exact(requant, np.array([low]), np.array([high]), rows))
    if good.size == 0:
        return None
    best = good[good.size // 2]
    return int(start[best]), int(rows.multiplier[best]), int(shift[best])


def _channel(requant: Requant, c: int) -> Requant:
    """Return the requantization of channel `c` alone."""
    index = c if len(requant.multiplier) > 1 else 0
    return replace(requant, multiplier=(requant.multiplier[index],), shift=(requant.shift[index],))


def _is_exact(requant: Requant, low: Ints, high: Ints, rows: _Candidates) -> NDArray[np.bool_]:
    """Tell for each row whether the kernel gives the requantized accumulator for all of them."""
    limits = (rows.start >= -_START_LIMIT) & (rows.start < _START_LIMIT)
    limits &= (rows.shift >= 0) & (rows.shift <= _MAX_SHIFT) & (rows.multiplier > 0)
    shift = np.clip(rows.shift, 0, _MAX_SHIFT)
    reach = np.maximum(np.abs(low + rows.moved), np.abs(high + rows.moved))
    limits &= reach < (_SUM_LIMIT >> shift)
    steps = np.arange(requant.low + 1, requant.high + 1)
    # The lowest accumulator that gives each step. Rows beyond the limits may hold anything.
    factor = np.where(limits, rows.multiplier << np.minimum(shift, 16), 1 << 31)
    limits &= shift <= 16
    addend = rows.base + ((1 << shift) >> rows.half)
    needed = ((steps << _FRACTION) - addend[:, None]) << 32
    first = -((-needed) // factor[:, None]) - rows.moved[:, None]
    low, high = low[:, None], high[:, None]
    at = requantize(np.clip(first, low, high), requant, 0)
    before = requantize(np.clip(first - 1, low, high), requant, 0)
    same = np.where(first <= high, at >= steps, True) & np.where(first > low, before < steps, True)
    return np.asarray(limits & same.all(axis=1))


def _away(
    channels: Channels, low: Ints, high: Ints, fixed: NDArray[np.bool_], output: Ints
) -> _Form | None:
    """SPEC section 3's short form of `double`: needs no proof beyond its limits."""
    requant = channels.requant
    multiplier, right = _normalized(requant, len(low))
    start = np.where(fixed, 4 * (output - requant.zero_point), channels.bias)
    multiplier = np.where(fixed, _CONSTANT_MULTIPLIER, multiplier)
    shift = np.where(fixed, 1, right)
    reach = np.where(fixed, 0, np.maximum(np.abs(low), np.abs(high)))
    if not _in_range(start, shift, 1) or (shift > 22).any() or (reach >= 1 << 30).any():
        return None
    fields: dict[str, ctext.Value] = {"addend": requant.zero_point, "half": 0, "away": 1}
    return fields, start, multiplier, shift


def _in_range(start: Ints, shift: Ints, least: int) -> bool:
    starts = (start >= -_START_LIMIT) & (start < _START_LIMIT)
    return bool((starts & (shift >= least) & (shift <= _MAX_SHIFT)).all())


def _normalized(requant: Requant, count: int) -> tuple[Ints, Ints]:
    """Return m in [2^30, 2^31) and n of each channel: its scale is m * 2^(-31 - n)."""
    multiplier = np.resize(np.asarray(requant.multiplier, np.int64), count)
    shift = np.resize(np.asarray(requant.shift, np.int64), count)
    if requant.rounding is not Rounding.FLOAT32_RNE:
        return multiplier, -shift
    bits = np.array([int(m).bit_length() for m in multiplier], np.int64)
    return multiplier << (31 - bits), 31 - bits - shift - 31


def _direct(
    channels: Channels,
    index: int,
    fixed: NDArray[np.bool_],
    fields: dict[str, ctext.Value],
    columns: tuple[Ints, Ints, Ints],
) -> Direct:
    start, multiplier, shift = columns
    table = np.stack([multiplier, start * 256 + shift], axis=1)
    array = Array("c", index, tuple(table.ravel().tolist()), "multiplier; start and shift")
    requant = channels.requant
    return Direct(
        {"channels": array.name, **fields, "low": requant.low, "high": requant.high},
        array,
        np.where(fixed[:, None], 0, channels.weights),
    )
