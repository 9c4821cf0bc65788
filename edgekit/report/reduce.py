"""Long arrays made small enough for a page: latencies to bins, a meter's trace to an envelope."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.measure.types import Plot, Trace
from edgekit.report.types import Histogram, PowerTrace

_MAX_WINDOWS = 400
_ZOOM_BINS = 24  # fewer would be no curve


def histogram(latencies_us: NDArray[np.float64], bins: int = 40) -> Histogram:
    """Return the latencies (n,) in at most `bins` bins of equal width; one bin if all are equal."""
    if latencies_us.size == 0:
        return Histogram((), ())
    low, high = float(latencies_us.min()), float(latencies_us.max())
    if low == high:
        return Histogram((low, high), (int(latencies_us.size),))
    counts, edges = np.histogram(latencies_us, bins=bins)
    return Histogram(tuple(float(e) for e in edges.round(3)), tuple(int(c) for c in counts))


def power_traces(trace: Trace) -> tuple[PowerTrace, ...]:
    """Return the pictures of a recording: all inferences, and one.

    What lies before the first mark and after the last is left out: nothing is judged there. The
    second picture is the first whole period, or its beginning where the inference is a sliver.
    """
    windows = _windows(trace)
    whole = _drawn("all inferences", trace.plot, trace.supply_mv, windows)
    if len(windows) > 1:
        margin = (windows[-1][1] - windows[0][0]) * 0.003
        whole = _cut(whole, windows[0][0] - margin, windows[-1][1] + margin)
    if trace.zoom is None:
        return (whole,)
    zoom = _drawn("one inference", trace.zoom, trace.supply_mv, windows)
    if zoom.windows_s:
        first, last = zoom.windows_s[0]
        needed = max(4 * (last - first), _ZOOM_BINS * zoom.bin_s)
        zoom = _cut(zoom, zoom.start_s, zoom.start_s + needed)
    return (whole, zoom)


def _cut(picture: PowerTrace, start_s: float, stop_s: float) -> PowerTrace:
    """Return the bins of `picture` that lie in [start_s, stop_s)."""
    count = len(picture.mean_mw)
    first = max(0, int((start_s - picture.start_s) / picture.bin_s))
    last = min(count, -int((picture.start_s - stop_s) // picture.bin_s))
    if last <= first:
        return picture
    begin = picture.start_s + first * picture.bin_s
    end = picture.start_s + last * picture.bin_s
    return PowerTrace(
        title=picture.title,
        start_s=begin,
        bin_s=picture.bin_s,
        low_mw=picture.low_mw[first:last],
        mean_mw=picture.mean_mw[first:last],
        high_mw=picture.high_mw[first:last],
        windows_s=tuple(w for w in picture.windows_s if w[1] > begin and w[0] < end),
    )


def _drawn(
    title: str, plot: Plot, supply_mv: float, windows: tuple[tuple[float, float], ...]
) -> PowerTrace:
    """Return currents as power; a bin whose samples were all lost repeats the one before."""
    stop_s = plot.start_s + plot.bin_s * len(plot.mean_ua)
    seen = np.flatnonzero(~np.isnan(plot.mean_ua))
    if seen.size == 0:
        return PowerTrace(title, plot.start_s, plot.bin_s, (), (), ())
    before = np.searchsorted(seen, np.arange(len(plot.mean_ua)), side="right") - 1
    source = seen[np.clip(before, 0, None)]
    milliwatt = supply_mv * 1e-6  # µA times mV is nW
    return PowerTrace(
        title=title,
        start_s=plot.start_s,
        bin_s=plot.bin_s,
        low_mw=_rounded(plot.low_ua[source] * milliwatt),
        mean_mw=_rounded(plot.mean_ua[source] * milliwatt),
        high_mw=_rounded(plot.high_ua[source] * milliwatt),
        windows_s=tuple(w for w in windows if w[1] > plot.start_s and w[0] < stop_s),
    )


def _windows(trace: Trace) -> tuple[tuple[float, float], ...]:
    """Return (start, end) in seconds of each stretch with the mark high; none if too many."""
    marked = np.flatnonzero(trace.segments.mark)
    if marked.size > _MAX_WINDOWS:
        return ()
    start, stop = trace.segments.start[marked], trace.segments.stop[marked]
    pairs = zip(start / trace.rate_hz, stop / trace.rate_hz, strict=True)
    return tuple((float(a), float(b)) for a, b in pairs)


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(v) for v in values.round(5))
