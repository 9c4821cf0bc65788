"""Time per inference, from the cycles that the board counted or the twin credited."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.measure.types import Source
from edgekit.report.types import Cycles, Latency
from edgekit.virtual.process import Counts


def of_cycles(
    cycles: NDArray[np.int64],
    clock_hz: int,
    *,
    counts: Counts | None,
    cold_start_us: float | None,
    virtual: bool,
) -> Latency:
    """Return the latency of a run; `counts` is the twin's, None where it cannot be asked.

    A twin counts one inference and credits it to all others: there is then no spread to tell. On a
    core without a timing table it counts instructions, and nothing is known of the time.
    """
    us = cycles / clock_hz * 1e6
    source: Source = "modelled" if virtual else "measured"
    interval: Cycles | None = Cycles(int(cycles.min()), int(cycles.max()))
    if counts is not None:
        interval = Cycles.of(counts.cycles_lo, counts.cycles_hi)
        if interval is None:
            us, cold_start_us = us[:0], None
    return Latency(
        inferences=int(cycles.size),
        instructions=None if counts is None else counts.instructions,
        cycles=interval,
        p50_us=_percentile(us, 50.0, 1),
        p90_us=_percentile(us, 90.0, 10),
        p99_us=_percentile(us, 99.0, 100),
        p999_us=_percentile(us, 99.9, 1000),
        cv=float(us.std() / us.mean()) if not virtual else None,
        cold_start_us=cold_start_us,
        source=source,
    )


def _percentile(us: NDArray[np.float64], share: float, least: int) -> float | None:
    """Return the percentile, or None where fewer than `least` samples cannot tell it."""
    return float(np.percentile(us, share)) if us.size >= least else None
