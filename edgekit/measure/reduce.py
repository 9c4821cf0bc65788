"""Reduction of a sample stream while it arrives: hours of trace leave only sums and a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.measure.types import MeterInfo, Plot, Samples, Segments, Trace

_PLOT_BINS = 1024  # the picture has between this many and twice as many bins
_ZOOM_SAMPLES = 200_000  # at most 2 s at 100 kHz are kept until the first period has ended


@dataclass(slots=True)
class _Bins:
    """Minimum, sum, maximum and count per bin; neighbours are merged when the bins run out."""

    width: int = 1
    low: NDArray[np.float64] = field(default_factory=lambda: np.full(2 * _PLOT_BINS, np.inf))
    high: NDArray[np.float64] = field(default_factory=lambda: np.full(2 * _PLOT_BINS, -np.inf))
    total: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2 * _PLOT_BINS))
    count: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2 * _PLOT_BINS, np.int64))

    def add(self, index: NDArray[np.int64], value: NDArray[np.float64]) -> None:
        while index[-1] // self.width >= 2 * _PLOT_BINS:
            self._halve()
        bins = index // self.width
        at = np.concatenate(([0], np.flatnonzero(np.diff(bins)) + 1))
        where = bins[at]
        self.low[where] = np.minimum(self.low[where], np.minimum.reduceat(value, at))
        self.high[where] = np.maximum(self.high[where], np.maximum.reduceat(value, at))
        self.total[where] += np.add.reduceat(value, at)
        self.count[where] += np.diff(np.append(at, len(bins)))

    def _halve(self) -> None:
        empty = np.zeros(_PLOT_BINS)
        self.low = np.concatenate((self.low.reshape(-1, 2).min(axis=1), empty + np.inf))
        self.high = np.concatenate((self.high.reshape(-1, 2).max(axis=1), empty - np.inf))
        self.total = np.concatenate((self.total.reshape(-1, 2).sum(axis=1), empty))
        self.count = np.concatenate((self.count.reshape(-1, 2).sum(axis=1), empty.astype(np.int64)))
        self.width *= 2

    def plot(self, rate_hz: float, start_s: float = 0.0) -> Plot:
        seen = np.flatnonzero(self.count)
        used = int(seen[-1]) + 1 if len(seen) else 0
        count = self.count[:used]
        gap = count == 0
        return Plot(
            start_s=start_s,
            bin_s=self.width / rate_hz,
            low_ua=np.where(gap, np.nan, self.low[:used]),
            mean_ua=np.where(gap, np.nan, self.total[:used] / np.maximum(count, 1)),
            high_ua=np.where(gap, np.nan, self.high[:used]),
        )


@dataclass(slots=True)
class _Part:
    """Segments of one piece, or of the whole once joined; columns as in Segments."""

    mark: NDArray[np.bool_]
    start: NDArray[np.int64]
    count: NDArray[np.int64]
    sum_ua: NDArray[np.float64]
    sum_step_ua: NDArray[np.float64]
    peak_ua: NDArray[np.float64]


class Reducer:
    """Takes pieces of a stream in order and keeps what figures and pictures need of them."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._parts: list[_Part] = []
        self._bins = _Bins()
        self._zoom = _Zoom(rate_hz)
        self._next_index = 0
        self.samples = 0
        self._sum_ua = 0.0
        self._sum_filtered_ua: float | None = None

    def add(self, piece: Samples) -> None:
        """Take the next piece of the stream; its indices are above all before it."""
        if len(piece.index) == 0:
            return
        part = _segments(piece)
        before = self._parts[-1] if self._parts else None
        if before is not None and before.mark[-1] == part.mark[0]:
            _join(before, part)
        if len(part.mark):
            self._parts.append(part)
        self._bins.add(piece.index, piece.current_ua)
        self._zoom.add(piece)
        self._next_index = int(piece.index[-1]) + 1
        self.samples += len(piece.index)
        self._sum_ua += float(piece.current_ua.sum())
        if piece.filtered_ua is not None:
            self._sum_filtered_ua = (self._sum_filtered_ua or 0.0) + float(piece.filtered_ua.sum())

    def finish(self, supply_mv: float, meter: MeterInfo, lost: int) -> Trace:
        """Return what was kept."""
        filtered = self._sum_filtered_ua
        return Trace(
            rate_hz=self._rate_hz,
            supply_mv=supply_mv,
            meter=meter,
            samples=self.samples,
            lost=lost,
            segments=self._segments(),
            plot=self._bins.plot(self._rate_hz),
            zoom=self._zoom.plot(),
            filtered_mean_ua=None if filtered is None else filtered / max(self.samples, 1),
            mean_ua=self._sum_ua / max(self.samples, 1),
        )

    def _segments(self) -> Segments:
        parts = self._parts
        start = _all([p.start for p in parts], np.int64)
        return Segments(
            mark=_all([p.mark for p in parts], np.bool_),
            start=start,
            stop=np.append(start[1:], self._next_index)[: len(start)].astype(np.int64),
            count=_all([p.count for p in parts], np.int64),
            sum_ua=_all([p.sum_ua for p in parts], np.float64),
            sum_step_ua=_all([p.sum_step_ua for p in parts], np.float64),
            peak_ua=_all([p.peak_ua for p in parts], np.float64),
        )


def _all(arrays: list[NDArray[Any]], dtype: type[np.generic]) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype)


def _segments(piece: Samples) -> _Part:
    at = np.concatenate(([0], np.flatnonzero(piece.mark[1:] != piece.mark[:-1]) + 1))
    return _Part(
        mark=piece.mark[at],
        start=piece.index[at],
        count=np.diff(np.append(at, len(piece.mark))).astype(np.int64),
        sum_ua=np.add.reduceat(piece.current_ua, at),
        sum_step_ua=np.add.reduceat(piece.step_ua, at),
        peak_ua=np.maximum.reduceat(piece.current_ua, at),
    )


def _join(before: _Part, part: _Part) -> None:
    """Add the first segment of `part`, which goes on with the last of `before`, to that one."""
    before.count[-1] += part.count[0]
    before.sum_ua[-1] += part.sum_ua[0]
    before.sum_step_ua[-1] += part.sum_step_ua[0]
    before.peak_ua[-1] = max(before.peak_ua[-1], part.peak_ua[0])
    for name in ("mark", "start", "count", "sum_ua", "sum_step_ua", "peak_ua"):
        setattr(part, name, getattr(part, name)[1:])


class _Zoom:
    """The first whole period (rising edge to rising edge) at full resolution, then a picture."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._last_mark: bool | None = None
        self._index: list[NDArray[np.int64]] = []
        self._current: list[NDArray[np.float64]] = []
        self._kept = 0
        self._plot: Plot | None = None
        self._open = False
        self._closed = False

    def add(self, piece: Samples) -> None:
        if self._closed:
            return
        before = piece.mark[0] if self._last_mark is None else self._last_mark
        shifted = np.concatenate(([before], piece.mark[:-1]))
        rising = np.flatnonzero(piece.mark & ~shifted)
        self._last_mark = bool(piece.mark[-1])
        first, last = 0, len(piece.index)
        if not self._open:
            if len(rising) == 0:
                return
            self._open, first, rising = True, int(rising[0]), rising[1:]
        if len(rising):
            last, self._closed = int(rising[0]), True
        self._keep(piece, first, last)

    def _keep(self, piece: Samples, first: int, last: int) -> None:
        self._index.append(piece.index[first:last])
        self._current.append(piece.current_ua[first:last])
        self._kept += last - first
        if self._kept >= _ZOOM_SAMPLES:
            self._closed = True
        if self._closed and self._kept:
            self._draw()

    def _draw(self) -> None:
        index = np.concatenate(self._index)
        bins = _Bins()
        bins.add(index - index[0], np.concatenate(self._current))
        self._plot = bins.plot(self._rate_hz, start_s=float(index[0]) / self._rate_hz)
        self._index, self._current = [], []

    def plot(self) -> Plot | None:
        return self._plot
