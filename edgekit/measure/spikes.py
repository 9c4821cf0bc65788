"""The PPK2's host-side spike filter, as its official application shows currents.

It smooths the four samples after a change of range. It is cosmetic: it moves energy about, so
edgekit reports its mean beside the unfiltered one and never judges by it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ALPHA = 0.18
_ALPHA_4 = 0.06
_AFTER = 3  # samples smoothed after the change itself
_MEMORY = 512  # 0.94 ** 512 is below 1e-13: older samples do not count
_DECAY = (1.0 - _ALPHA) ** np.arange(_MEMORY)[::-1]
_DECAY_4 = (1.0 - _ALPHA_4) ** np.arange(_MEMORY)[::-1]


class SpikeFilter:
    """Keeps the two rolling averages over a stream; start a new one at AverageStart."""

    def __init__(self) -> None:
        self._average: float | None = None
        self._average_4 = 0.0
        self._range = 0
        self._after = 0
        self._consecutive = 0

    def apply(self, current: NDArray[np.float64], ranges: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return `current` (n,), smoothed after changes of `ranges` (n,)."""
        out = current.copy()
        if len(current) == 0:
            return out
        if self._average is None:
            self._average = self._average_4 = float(current[0])
            self._range = int(ranges[0])
        change = np.flatnonzero(np.diff(ranges, prepend=self._range) != 0)
        at = 0
        while at < len(current):
            if self._after == 0:
                later = change[np.searchsorted(change, at) :]
                until = int(later[0]) if len(later) else len(current)
                self._quiet(current[at:until])
                at = until
                if at == len(current):
                    break
            out[at] = self.step(float(current[at]), int(ranges[at]))
            at += 1
        self._range = int(ranges[-1])
        return out

    def step(self, current: float, range_: int) -> float:
        """Return the smoothed value of one sample: the rule itself."""
        if self._average is None:
            self._average, self._average_4, self._range = current, current, range_
        before, before_4 = self._average, self._average_4
        self._average = _ALPHA * current + (1 - _ALPHA) * before
        self._average_4 = _ALPHA_4 * current + (1 - _ALPHA_4) * before_4
        changed = range_ != self._range
        self._range = range_
        if not changed and self._after == 0:
            return current
        if changed:
            self._consecutive, self._after = 0, _AFTER
        else:
            self._consecutive += 1
        self._after -= 1
        if range_ != 4:
            return self._average
        if self._consecutive < 2:
            self._average, self._average_4 = before, before_4
        return self._average_4

    def _quiet(self, current: NDArray[np.float64]) -> None:
        """Take samples that are shown as they are: only the averages move."""
        n = len(current)
        tail = current[-_MEMORY:]
        k = len(tail)
        older = self._average if self._average is not None else 0.0
        self._average = (
            float(_ALPHA * (tail @ _DECAY[-k:]) if k else 0.0) + older * (1 - _ALPHA) ** n
        )
        self._average_4 = float(
            _ALPHA_4 * (tail @ _DECAY_4[-k:]) if k else 0.0
        ) + self._average_4 * ((1 - _ALPHA_4) ** n)
