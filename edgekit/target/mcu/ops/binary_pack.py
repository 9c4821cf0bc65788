"""Weights of one bit and thresholds on counts of equal bits, as the binary kernels want them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

LANES = 32


def words(bits: NDArray[np.bool_]) -> Ints:
    """Return the last axis in words of 32 bits as int32 values, the first element lowest."""
    missing = -bits.shape[-1] % LANES
    padded = np.pad(bits, [(0, 0)] * (bits.ndim - 1) + [(0, missing)])
    packed = np.packbits(padded, axis=-1, bitorder="little")
    return np.ascontiguousarray(packed).view("<i4").astype(np.int64)


def parities(weight: Ints) -> Ints:
    """Return (C, depth) weights, -1 or +1, as (even depth, C / 32) words of counted channels."""
    running = np.logical_xor.accumulate(weight < 0, axis=1)
    if running.shape[1] % 2:
        running = np.concatenate([running, running[:, -1:]], axis=1)
    return words(running.T)


def planes_of(depth: int) -> int:
    """Return the planes of a counter of up to `depth` equal bits and the number it starts with."""
    return max(depth.bit_length(), 5) + 1


def equal_bits_wanted(threshold: Ints, bias: Ints, depth: int) -> Ints:
    """Return how many of `depth` bits must equal their weight for bias + sum to reach `threshold`.

    A sum is 2 * (equal bits) - depth; 0: it always does; depth + 1: never.
    """
    return np.clip(-((bias - threshold - depth) // 2), 0, depth + 1)


def start_planes(wanted: Ints, planes: int) -> Ints:
    """Return (C,) numbers of equal bits as the (planes, C / 32) words that counters start with.

    The highest plane is then set in the lanes that counted as many.
    """
    start = (1 << (planes - 1)) - wanted
    return words((start[np.newaxis] >> np.arange(planes)[:, np.newaxis] & 1).astype(bool))


def start_words(wanted: Ints, planes: int, never: int) -> Ints:
    """Return `start_planes` of each word of (classes, C) numbers, (classes, words, planes).

    Channels that the last word lacks want `never`, more equal bits than there are.
    """
    padded = np.pad(wanted, ((0, 0), (0, -wanted.shape[1] % LANES)), constant_values=never)
    groups = padded.reshape(-1, LANES)
    found = np.stack([start_planes(group, planes).ravel() for group in groups])
    return np.asarray(found.reshape(len(wanted), -1, planes))
