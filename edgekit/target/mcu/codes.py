"""Weights of few bits as unsigned codes, in the words of `ek_codes.h`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.types import DType

Ints = NDArray[np.int64]

_LANE = 1 << 16
_SUM_LIMIT = 1 << 31
FEW_BITS = (DType.BINARY, DType.TERNARY, DType.INT2, DType.INT4)


@dataclass(frozen=True, slots=True)
class Form:
    """`weight = factor * code - offset`, codes of `bits` bits, or two of them a weight."""

    bits: int
    factor: int
    offset: int
    parts: int = 1

    def codes(self, weight: Ints) -> Ints:
        """Return (C, ...) weights that the form holds as codes, (C * parts, ...)."""
        codes: Ints = (weight + self.offset) // self.factor
        if self.parts == 1:
            return codes
        both = np.stack([codes & 15, codes >> 4], axis=1)
        return np.asarray(both.reshape(-1, *weight.shape[1:]))


_BINARY = Form(1, 2, 1)
# By lowest and highest weight, narrowest first.
_FORMS = (
    (-1, 1, Form(2, 1, 1)),
    (-2, 1, Form(2, 1, 2)),
    (-8, 7, Form(4, 1, 8)),
    (-128, 127, Form(4, 1, 128, 2)),
)


@dataclass(frozen=True, slots=True)
class Values:
    """What a layer multiplies: activations q in [low, high], those outside the input included."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Packed:
    """Weights in the order of a kernel, and the numbers it wants with them."""

    form: Form
    words: tuple[int, ...]
    per_pair: int  # words of two channels
    run: int  # words whose sums keep to 16 bits


def form_of(weight: Ints) -> Form:
    """Return the narrowest form that holds `weight`, int8 integers."""
    if (np.abs(weight) == 1).all():
        return _BINARY
    low, high = int(weight.min()), int(weight.max())
    return next(form for first, last, form in _FORMS if first <= low and high <= last)


def packed(weight: Ints, values: Values, *, in_pairs: bool) -> Packed | None:
    """Return (C_out, rows, run) weights as words, or None where a sum may not fit.

    `in_pairs`: in the order of the DSP kernels, two depths side by side.
    """
    form = form_of(weight)
    codes = _filled(form.codes(weight), 16 // form.bits)
    largest = (values.high - values.low) * max(int(codes.max()), 1)
    run = (_LANE - 1) // (largest * (16 // form.bits))
    if largest * codes.shape[1] >= _SUM_LIMIT >> form.bits * form.parts or (
        run < 1 and not in_pairs
    ):
        return None
    words = _by_depth_pairs(codes, form.bits) if in_pairs else _by_channel_pairs(codes, form.bits)
    return Packed(form, tuple(words.ravel().tolist()), words.shape[1], run)


def _filled(codes: Ints, multiple: int) -> Ints:
    """Return (C_out, rows, run) codes as (channels, depth), with the zeros of `ek_codes.h`."""
    channels, rows, run = codes.shape
    filled = np.zeros((channels + channels % 2, rows, -(-run // 4) * 4), np.int64)
    filled[:channels, :, :run] = codes
    flat = filled.reshape(len(filled), -1)
    return np.pad(flat, ((0, 0), (0, -flat.shape[1] % multiple)))


def _by_channel_pairs(codes: Ints, bits: int) -> Ints:
    """Return (pairs, words): a in the lower half, b in the upper one."""
    # channel pair, channel, word, place
    places = codes.reshape(len(codes) // 2, 2, -1, 16 // bits)
    halves = (places << bits * np.arange(16 // bits)).sum(axis=3)
    return _signed(halves[:, 0] | halves[:, 1] << 16)


def _by_depth_pairs(codes: Ints, bits: int) -> Ints:
    """Return (pairs, words): even depths in lower halves, channels by turns."""
    fours = codes.reshape(len(codes), -1, 4)[:, :, (0, 2, 1, 3)].reshape(codes.shape)
    # channel pair, channel, word, place, half
    places = fours.reshape(len(codes) // 2, 2, -1, 8 // bits, 2)
    shift = bits * (2 * np.arange(8 // bits) + np.arange(2)[:, None])
    halves = (places << shift[:, None, :, None]).sum(axis=(1, 3))
    return _signed(halves[:, :, 0] | halves[:, :, 1] << 16)


def _signed(words: Ints) -> Ints:
    return words.astype(np.uint32).view(np.int32).astype(np.int64)
