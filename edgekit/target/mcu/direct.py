"""Requantize forms of the DSP kernels: `ek_dsp_scale` of `edgekit.h`, proven for each channel.

An output integer is a rising function of its accumulator, so two ways of computing it are equal on
an interval of accumulators if they step at the same places: at most 255 of them.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    addend = (requant.zero_point << _FRACTION) + (1 << (_FRACTION - 1))
    shift = 1 + _FRACTION - right
    # A channel that never changes: output - zero point, times 2^14 by a product with 2^-2.
    whole = _FRACTION + 2
    start = np.where(
        fixed, output - requant.zero_point - ((1 << whole >> half) >> _FRACTION), channels.bias
    )
    multiplier = np.where(fixed, _CONSTANT_MULTIPLIER, multiplier)
    shift = np.where(fixed, whole, shift)
    low, high = np.where(fixed, start, low), np.where(fixed, start, high)
    if not _in_range(start, shift, 0):
        return None
    reach = np.maximum(np.abs(low), np.abs(high))
    if (reach >= (_SUM_LIMIT >> shift)).any():
        return None
    addends = addend + ((1 << shift) >> half)
    if not _same_steps(requant, np.flatnonzero(~fixed), low, high, multiplier << shift, addends):
        return None
    return {"addend": addend, "half": half, "away": 0}, start, multiplier, shift


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


def _same_steps(
    requant: Requant, rows: Ints, low: Ints, high: Ints, factor: Ints, addend: Ints
) -> bool:
    """Is floor((floor(acc * factor / 2^32) + addend) / 2^14) the requantized acc, clamped?"""
    if rows.size == 0 or requant.low == requant.high:
        return True
    per_row = len(requant.multiplier) > 1
    part = Requant(
        tuple(requant.multiplier[r] for r in rows) if per_row else requant.multiplier,
        tuple(requant.shift[r] for r in rows) if per_row else requant.shift,
        requant.zero_point,
        requant.low,
        requant.high,
        requant.rounding,
    )
    steps = np.arange(requant.low + 1, requant.high + 1)
    if (factor[rows] <= 0).any():
        return False
    needed = ((steps << _FRACTION) - addend[rows, None]) << 32
    first = -((-needed) // factor[rows, None])  # the lowest accumulator that gives the step
    low, high = low[rows, None], high[rows, None]
    at = requantize(np.clip(first, low, high), part, 0)
    before = requantize(np.clip(first - 1, low, high), part, 0)
    return bool(
        (
            np.where(first <= high, at >= steps, True) & np.where(first > low, before < steps, True)
        ).all()
    )


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
