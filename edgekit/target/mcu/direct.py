"""Requantize forms of the DSP kernels: `ek_dsp_scale` of `edgekit.h`, proven for each channel.

An output integer is a rising function of its accumulator, so two ways of computing it are equal on
an interval of accumulators if they step at the same places: at most 255 of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.arithmetic import requantize
from edgekit.ir.types import Requant, Rounding
from edgekit.target.mcu import ctext
from edgekit.target.mcu.code import Array

Ints = NDArray[np.int64]

_FRACTION = 14  # EK_DSP_FRACTION
_SHIFTS = (2, 16)  # what a layer's shift may be
_START_LIMIT = 1 << 23
_SHORT_LIMIT = 1 << 15
_SUM_LIMIT = 1 << 31
_FEW = 16  # outputs of a channel that is worth a search
_MOVES = 24
_NEAR = 6  # multipliers tried on each side of the nearest one


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
    """Fields of an `ek_dsp_scale`, its arrays, and the weights and starts to go with them."""

    fields: dict[str, ctext.Value]
    arrays: tuple[Array, ...]
    channels: Channels


@dataclass(frozen=True, slots=True)
class _Layer:
    """What all channels share."""

    shift: int
    half: int
    base: int
    away: bool


@dataclass(frozen=True, slots=True)
class _Rows:
    """Start and multiplier: one for each channel, or several for one.

    Their sums are `moved` from the accumulators of the node.
    """

    start: Ints
    moved: Ints
    multiplier: Ints


def choose(channels: Channels, index: int, *, away: bool, in_pairs: bool = False) -> Direct | None:
    """Return the form for node `index`, or None if none is exact for all its accumulators.

    A channel whose output never changes keeps no weights. `away`: whether the kernel has the
    longer form, which rounds ties of negative sums away from zero. `in_pairs`: it reads tables of
    an even number of channels.
    """
    requant = channels.requant
    low, high = channels.limits()
    lowest, highest = (requantize(limit[:, None], requant, 0)[:, 0] for limit in (low, high))
    fixed = lowest == highest
    weights = np.where(fixed[:, None], 0, channels.weights)
    longer = away and requant.rounding is Rounding.DOUBLE
    for form in (False, True) if longer else (False,):
        multiplier, layer = _layer(requant, fixed, form)
        rows = _proven(channels, layer, multiplier, fixed, (low, high))
        rows = None if rows is None else _constants(rows, layer, fixed, lowest)
        if rows is not None:
            fields, arrays = _emitted(requant, layer, rows, index, in_pairs)
            served = replace(channels, weights=weights, bias=rows.start)
            return Direct(fields, arrays, served)
    return None


def _layer(requant: Requant, fixed: NDArray[np.bool_], away: bool) -> tuple[Ints, _Layer]:
    """Return each channel's multiplier in units of the layer's shift, and the latter."""
    multiplier, right = _normalized(requant, len(fixed))
    shift = 1 + _FRACTION - right
    common = int(np.clip(shift[~fixed].max(initial=_SHIFTS[0]), *_SHIFTS))
    # Halves round up here; what leaves 31 bits is caught by the proof.
    gap = np.clip(common - shift, -1, 40)
    scaled = np.where(gap >= 0, (multiplier + ((1 << np.maximum(gap, 0)) >> 1)) >> gap.clip(0), 0)
    half = 1 << (common - 1) if requant.rounding in (Rounding.DOUBLE, Rounding.TIES_UP) else 0
    base = (requant.zero_point << _FRACTION) + (1 << (_FRACTION - 1))
    return scaled, _Layer(common, half, base, away)


def _normalized(requant: Requant, count: int) -> tuple[Ints, Ints]:
    """Return m in [2^30, 2^31) and n of each channel: its scale is m * 2^(-31 - n)."""
    multiplier = np.resize(np.asarray(requant.multiplier, np.int64), count)
    shift = np.resize(np.asarray(requant.shift, np.int64), count)
    if requant.rounding is not Rounding.FLOAT32_RNE:
        return multiplier, -shift
    bits = np.array([int(m).bit_length() for m in multiplier], np.int64)
    return multiplier << (31 - bits), 31 - bits - shift - 31


def _proven(
    channels: Channels,
    layer: _Layer,
    multiplier: Ints,
    fixed: NDArray[np.bool_],
    limits: tuple[Ints, Ints],
) -> _Rows | None:
    low, high = limits
    start, multiplier = channels.bias.copy(), multiplier.copy()
    exact = _is_exact(channels.requant, low, high, _Rows(start, 0 * start, multiplier), layer)
    for c in np.flatnonzero(~(fixed | exact)):
        one = _channel(channels.requant, int(c))
        interval = low[c : c + 1], high[c : c + 1]
        tries = [_near(int(start[c]), int(multiplier[c]))]
        ends = requantize(np.stack(interval), one, 0).ravel()
        if ends[1] - ends[0] <= _FEW:
            tries.append(_moved(int(start[c]), int(multiplier[c]), layer, interval))
        for rows in tries:
            good = np.flatnonzero(_is_exact(one, *interval, rows, layer))
            if good.size:
                best = good[good.size // 2]
                start[c], multiplier[c] = rows.start[best], rows.multiplier[best]
                break
        else:
            return None
    return _Rows(start, 0 * start, multiplier)


def _near(start: int, multiplier: int) -> _Rows:
    multipliers = multiplier + np.arange(-_NEAR, _NEAR + 1)
    return _Rows(np.full_like(multipliers, start), 0 * multipliers, multipliers)


def _moved(start: int, multiplier: int, layer: _Layer, limits: tuple[Ints, Ints]) -> _Rows:
    """Return other starts, each with multipliers that meet the true line in the middle.

    Small scales leave no fraction for the half that a rounding adds; another start and
    multiplier make up for it.
    """
    moves, near = np.arange(-_MOVES, _MOVES + 1), np.arange(-_NEAR, _NEAR + 1)
    middle = (int(limits[0][0]) + int(limits[1][0])) // 2
    lost = 0.0
    if layer.half:
        bits = max(multiplier, 1).bit_length()
        lost = 2.0 ** (bits - 1) - (layer.half >> (32 - bits)) * 2.0 ** (32 - layer.shift)
    span = np.where(middle + moves == 0, 1, middle + moves)
    fitted = np.rint((middle * float(multiplier) + lost) / span).astype(np.int64)
    multipliers = np.clip(fitted[:, None] + near, 0, (1 << 31) - 1).ravel()
    moved = np.repeat(moves, len(near))
    return _Rows(start + moved, moved, multipliers)


def _channel(requant: Requant, c: int) -> Requant:
    """Return the requantization of channel `c` alone."""
    index = c if len(requant.multiplier) > 1 else 0
    return replace(requant, multiplier=(requant.multiplier[index],), shift=(requant.shift[index],))


def _is_exact(
    requant: Requant, low: Ints, high: Ints, rows: _Rows, layer: _Layer
) -> NDArray[np.bool_]:
    """Tell for each row whether the kernel gives the requantized accumulator for all of them."""
    limits = (np.abs(rows.start) < _START_LIMIT) & (rows.multiplier > 0)
    limits &= rows.multiplier < 1 << 31
    reach = np.maximum(np.abs(low + rows.moved), np.abs(high + rows.moved))
    limits &= reach < (_SUM_LIMIT >> layer.shift)
    multiplier = np.where(limits, rows.multiplier, 1 << 30)
    steps = np.arange(requant.low + 1, requant.high + 1) << _FRACTION
    # The lowest sum that gives each step. Rows beyond the limits may hold anything.
    factor = (multiplier << layer.shift)[:, None]
    bits = np.ceil(np.log2(multiplier + 0.5)).astype(np.int64)
    half = (layer.half >> (32 - bits))[:, None]
    first = -(-((steps - layer.base - half) << 32) // factor)
    if layer.away:
        below = -(-((steps - layer.base + half) << 32) // factor)
        first = np.where(below < 0, below, np.maximum(first, 0))
    first = first - rows.moved[:, None]
    low, high, steps = low[:, None], high[:, None], steps >> _FRACTION
    at = requantize(np.clip(first, low, high), requant, 0)
    before = requantize(np.clip(first - 1, low, high), requant, 0)
    same = np.where(first <= high, at >= steps, True) & np.where(first > low, before < steps, True)
    return np.asarray(limits & same.all(axis=1))


def _constants(rows: _Rows, layer: _Layer, fixed: NDArray[np.bool_], output: Ints) -> _Rows | None:
    """Return rows where a channel that never changes starts at its output, or None."""
    largest = int(rows.multiplier[~fixed].max(initial=1))
    if fixed.all():
        largest = 1 << 30
    above = ((output << _FRACTION) + (1 << (_FRACTION - 1)) - layer.base) << 32
    start = np.where(fixed, np.rint(above / (largest << layer.shift)).astype(np.int64), rows.start)
    multiplier = np.where(fixed, largest, rows.multiplier)
    value = ((start << layer.shift) * multiplier >> 32) + layer.base
    half = layer.half >> (32 - largest.bit_length())
    value += np.where(layer.away & (start < 0), -half, half)
    good = ~fixed | (value >> _FRACTION == output)
    reach = min(_START_LIMIT, _SUM_LIMIT >> layer.shift)
    return _Rows(start, 0 * start, multiplier) if (good & (np.abs(start) < reach)).all() else None


def _emitted(
    requant: Requant, layer: _Layer, rows: _Rows, index: int, in_pairs: bool
) -> tuple[dict[str, ctext.Value], tuple[Array, ...]]:
    same = not in_pairs and bool((rows.multiplier == rows.multiplier[0]).all())
    short = bool((np.abs(rows.start) < _SHORT_LIMIT).all())
    start, factors = (
        np.append(v, v[: len(v) % 2 if in_pairs else 0]) for v in (rows.start, rows.multiplier)
    )
    factors = factors[:1] if same else factors
    multipliers = Array("m", index, tuple(factors.tolist()), "multipliers")
    starts = Array("h" if short else "b", index, tuple(start.tolist()), "where sums start")
    fields: dict[str, ctext.Value] = {
        "multipliers": multipliers.name,
        "starts": starts.name,
        "addend": layer.base,
        "half": layer.half,
        "step": int(not same),
        "is_short": int(short),
        "shift": layer.shift,
        "away": int(layer.away),
        "low": requant.low,
        "high": requant.high,
    }
    return fields, (multipliers, starts)
