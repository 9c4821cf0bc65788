"""Integer thresholds of a function that rises with an integer, found exactly by bisection."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UnsupportedError

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Index = Callable[[Ints], Ints]  # integers [n, C] to levels [n, C], 0 for the lowest

_PROBES = 1 << 20  # values of all channels at which a function is looked at, at most
_FLOAT_SIGN = np.int64(1) << 31


def falling(index: Index, low: Ints, high: Ints) -> Bools:
    """Return for each channel whether its level falls from `low` to `high`, both (C,)."""
    ends = index(np.stack([low, high]))
    return np.asarray(ends[0] > ends[1])


def thresholds(index: Index, low: Ints, high: Ints, count: int) -> Ints:
    """Return (C, count): the least integer in [low, high] whose level is above l, for each l.

    `index` rises in every channel. A level that is never reached has the threshold `high + 1`.
    """
    wanted = np.arange(1, count + 1, dtype=np.int64)[:, np.newaxis]
    least = np.broadcast_to(low, (count, low.size)).astype(np.int64)
    most = np.broadcast_to(high + 1, (count, low.size)).astype(np.int64)
    while (least < most).any():
        middle = (least + most) >> 1
        reached = index(np.minimum(middle, high)) >= wanted
        most = np.where(reached, middle, most)
        least = np.where(reached, least, np.minimum(middle + 1, most))
    return np.ascontiguousarray(most.T)


def check_rising(index: Index, low: Ints, high: Ints, found: Ints, where: str) -> None:
    """Look at `index` all over [low, high] and beside the thresholds `found` (C, L).

    Every integer is looked at where there are at most 2**20 of them in all channels.

    Raises:
        UnsupportedError: a level falls, or is not the number of thresholds passed; names `where`.
    """
    steps = int(min((high - low).max() + 1, max(_PROBES // low.size, 2)))
    even = np.linspace(0.0, 1.0, steps)[:, np.newaxis]
    points = low + np.rint(even * (high - low)).astype(np.int64)
    beside = np.concatenate([found.T - 1, found.T])
    points = np.concatenate([points, np.clip(beside, low, high)])
    passed = np.zeros(points.shape, np.int64)
    for level in range(found.shape[1]):
        passed += points >= found[:, level]
    wrong = index(points) != passed
    if wrong.any():
        row, channel = (int(place[0]) for place in np.nonzero(wrong))
        raise UnsupportedError(
            f"{where}: it neither rises nor falls throughout in channel {channel}, near the "
            f"integer {int(points[row, channel])}",
            hint="thresholds can hold quantizers and functions that keep or reverse the order",
        )


def key_of(values: NDArray[np.float32]) -> Ints:
    """Return integers that order float32 numbers as their values do; +0 and -0 are neighbours."""
    bits = np.asarray(values, np.float32).view(np.uint32).astype(np.int64)
    return np.where(bits >= _FLOAT_SIGN, _FLOAT_SIGN - 1 - bits, bits)


def float_of(keys: Ints) -> NDArray[np.float32]:
    """Return the float32 numbers of `key_of`."""
    bits = np.where(keys < 0, _FLOAT_SIGN - 1 - keys, keys)
    return np.asarray(bits.astype(np.uint32).view(np.float32))
