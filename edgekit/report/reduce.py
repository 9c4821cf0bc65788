"""Long arrays made small enough for a page: latencies to bins, a meter's trace to an envelope."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.measure.types import Trace
from edgekit.report.types import Histogram, PowerTrace

_MAX_WINDOWS = 400


def histogram(latencies_us: NDArray[np.float64], bins: int = 40) -> Histogram:
    """Return the latencies (n,) in at most `bins` bins of equal width; one bin if all are equal."""
    if latencies_us.size == 0:
        return Histogram((), ())
    low, high = float(latencies_us.min()), float(latencies_us.max())
    if low == high:
        return Histogram((low, high), (int(latencies_us.size),))
    counts, edges = np.histogram(latencies_us, bins=bins)
    return Histogram(tuple(float(e) for e in edges.round(3)), tuple(int(c) for c in counts))


def power_trace(
    trace: Trace, title: str, *, start_s: float, stop_s: float, bins: int = 1_500
) -> PowerTrace:
    """Return samples of [start_s, stop_s) as at most `bins` bins of power in mW.

    Time is the sample's place divided by the rate, so lost samples leave their gap: a bin without
    samples repeats the one before.
    """
    first, last = round(start_s * trace.rate_hz), round(stop_s * trace.rate_hz)
    low, high = np.searchsorted(trace.index, (first, last))
    index = trace.index[low:high] - first
    power = trace.current_ua[low:high] * trace.supply_mv * 1e-6
    width = max(1, -(-(last - first) // bins))  # samples per bin, rounded up
    place, begin = np.unique(index // width, return_index=True)
    count = -(-(last - first) // width)
    if place.size == 0:
        return PowerTrace(title, start_s, width / trace.rate_hz, (), (), ())
    sizes = np.diff(np.append(begin, power.size))
    source = np.clip(np.searchsorted(place, np.arange(count), side="right") - 1, 0, None)
    mean = np.add.reduceat(power, begin) / sizes
    return PowerTrace(
        title=title,
        start_s=start_s,
        bin_s=width / trace.rate_hz,
        low_mw=_rounded(np.minimum.reduceat(power, begin)[source]),
        mean_mw=_rounded(mean[source]),
        high_mw=_rounded(np.maximum.reduceat(power, begin)[source]),
        windows_s=_windows(trace.mark[low:high], trace.index[low:high], trace.rate_hz),
    )


def _windows(
    mark: NDArray[np.bool_], index: NDArray[np.int64], rate_hz: float
) -> tuple[tuple[float, float], ...]:
    """Return (start, end) in seconds of each run of samples with the mark high."""
    edges = np.diff(np.concatenate(([False], mark, [False])).astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    if starts.size > _MAX_WINDOWS:
        return ()
    return tuple(
        (float(index[a] / rate_hz), float((index[b - 1] + 1) / rate_hz))
        for a, b in zip(starts, ends, strict=True)
    )


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(v) for v in values.round(5))
