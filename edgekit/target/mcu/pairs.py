"""Weights of two channels in one word, as the DSP kernels multiply them (ek_dsp.h)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.target.mcu.direct import Channels

_BOTH_LIMIT = 1 << 23


def packed(weight: NDArray[np.int64], multiple: int) -> tuple[int, ...] | None:
    """Return (C_out, rows, run) weights in the kernels' order, or None where one does not fit.

    Runs are padded with zeros to a multiple of `multiple`, channels to an even number. Of every
    four depths that a kernel loads as one word, the order is 0, 2, 1, 3.
    """
    out_c, rows, run = weight.shape
    padded = np.zeros((out_c + out_c % 2, rows, -(-run // multiple) * multiple), np.int64)
    padded[:out_c, :, :run] = weight
    whole = padded.shape[2] // 4 * 4
    order = [first + step for first in range(0, whole, 4) for step in (0, 2, 1, 3)]
    order += range(whole, padded.shape[2])
    # channel pair, depth, channel
    both = padded[:, :, order].reshape(-1, 2, rows * padded.shape[2]).transpose(0, 2, 1).copy()
    # A half is a + 256 * b: its upper byte is one less where a is negative.
    both[:, :, 1] -= both[:, :, 0] < 0
    if both.min(initial=0) < -128:
        return None
    return tuple(both.ravel().tolist())


def keeps_24_bits(channels: Channels) -> bool:
    """Tell whether the sums of every second channel can be read back."""
    low, high = channels.limits()
    return bool((low >= -_BOTH_LIMIT).all() and (high < _BOTH_LIMIT).all())


def words(values: tuple[int, ...]) -> tuple[int, ...]:
    """Return int8 values four to a word, the first in the lowest byte."""
    return tuple(np.array(values, np.int8).view("<i4").tolist())
