"""A trace cut by the inference mark, and the figures of one contract made from it.

docs/reference/energy-contract.md has the formulas and the reasons.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.cost import energy
from edgekit.errors import UnsureError
from edgekit.measure import uncertainty as terms
from edgekit.measure.types import (
    MarkWidths,
    MeterInfo,
    Mode,
    PowerFigures,
    Source,
    Trace,
    Uncertainty,
)
from edgekit.measure.uncertainty import Model

SHORT_SAMPLES = 100  # shorter marks are better metered several inferences at a time

NO_METER = MeterInfo(
    "none", "", calibrated=False, sample_rate_hz=0.0, gain_percent=0.0, offset_ua=0.0
)


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Whole periods between the first and the last rising edge, arrays (n,), in order.

    Power in mW, lengths in meter samples; `high` is while the mark is up, `low` the rest.
    """

    start: NDArray[np.int64]
    high_samples: NDArray[np.int64]
    low_samples: NDArray[np.int64]
    high_mw: NDArray[np.float64]
    low_mw: NDArray[np.float64]
    peak_mw: float
    high_step_ua: float
    mean_step_ua: float

    @property
    def samples(self) -> int:
        """Length of all of them together."""
        return int(self.high_samples.sum() + self.low_samples.sum())

    @property
    def active_mw(self) -> float:
        """Mean power while the mark is up."""
        return float(np.average(self.high_mw, weights=self.high_samples))

    @property
    def idle_mw(self) -> float:
        """Mean power between marks."""
        return float(np.average(self.low_mw, weights=self.low_samples))

    @property
    def whole_mw(self) -> float:
        """Mean power over all of it."""
        return float(self.energies().sum() + (self.low_mw * self.low_samples).sum()) / self.samples

    def energies(self) -> NDArray[np.float64]:
        """Return mW * samples of each mark."""
        return self.high_mw * self.high_samples

    def period_mw(self) -> NDArray[np.float64]:
        """Return the mean power of each period."""
        both = self.energies() + self.low_mw * self.low_samples
        means: NDArray[np.float64] = both / (self.high_samples + self.low_samples)
        return means


def cut(trace: Trace) -> Windows:
    """Return the whole periods of `trace`.

    Raises UnsureError where the mark rose fewer than two times.
    """
    s = trace.segments
    rising = np.flatnonzero(s.mark[1:]) + 1
    if len(rising) < 2:
        raise UnsureError(
            f"the inference mark rose {len(rising)} times while {trace.meter.model} was recording",
            hint="connect the board's mark pin to the meter's first logic input, and ground",
        )
    high = slice(int(rising[0]), int(rising[-1]), 2)
    low = slice(int(rising[0]) + 1, int(rising[-1]), 2)
    length = s.stop - s.start
    mw = s.sum_ua / s.count * trace.supply_mv * 1e-6
    step = s.sum_step_ua / s.count
    whole = slice(int(rising[0]), int(rising[-1]))
    return Windows(
        start=s.start[high],
        high_samples=length[high],
        low_samples=length[low],
        high_mw=mw[high],
        low_mw=mw[low],
        peak_mw=float(s.peak_ua[whole].max() * trace.supply_mv * 1e-6),
        high_step_ua=float(np.average(step[high], weights=length[high])),
        mean_step_ua=float(np.average(step[whole], weights=length[whole])),
    )


def figures(
    trace: Trace,
    *,
    source: Source,
    scope: str,
    mode: Mode,
    rate_hz: float | None,
    model: Model | None = None,
    inferences_per_mark: int = 1,
    marks: int | None = None,
) -> PowerFigures:
    """Return the figures of `trace` under one contract.

    `source` is what they may be called (`meter.source`); `scope` is `supply`, a rail's name, or
    `delta` (over what is drawn between inferences); `model` is what modelled currents rest on, so
    that its limits are added; `marks` is how often the firmware raised the mark, where known.

    Raises UnsureError where the mark rose fewer than two times, or not `marks` times.
    """
    w = cut(trace)
    _check_count(trace, len(w.start) + 1, marks)
    n = len(w.start) * inferences_per_mark
    base_mw = w.idle_mw if scope == "delta" else 0.0
    mean_mw = (w.active_mw if mode == "active" else w.whole_mw) - base_mw
    energies_uj = (w.high_mw - base_mw) * w.high_samples / trace.rate_hz * 1e3
    window_s = w.samples / trace.rate_hz
    return PowerFigures(
        source=source,
        scope=scope,
        mode=mode,
        rate_hz=rate_hz,
        mean_mw=mean_mw,
        uncertainty=_mean_limits(trace, w, mode, scope, mean_mw, model),
        peak_mw=w.peak_mw,
        idle_mw=w.idle_mw,
        energy_uj=float(energies_uj.mean()) / inferences_per_mark,
        energy_plus_minus_uj=_energy_limit(trace, w, scope, energies_uj, model)
        / inferences_per_mark,
        inferences_per_window=n,
        window_s=window_s,
        meter=trace.meter,
        samples=trace.samples,
        lost=trace.lost,
        seen_rate_hz=n / window_s,
        inferences_per_mark=inferences_per_mark,
        mark_samples=float(np.median(w.high_samples)),
        widths=widths(w, trace.rate_hz, inferences_per_mark),
        filtered_mean_mw=_filtered(trace, mean_mw),
    )


def _filtered(trace: Trace, mean_mw: float) -> float | None:
    """Return the mean as the maker's filter would move it, by its effect on the recording."""
    if trace.filtered_mean_ua is None or trace.mean_ua <= 0:
        return None
    return mean_mw * trace.filtered_mean_ua / trace.mean_ua


def _check_count(trace: Trace, seen: int, marks: int | None) -> None:
    """Refuse a trace in which marks ran together: each would hold more than it is taken for."""
    if marks is None or seen == marks:
        return
    raise UnsureError(
        f"the inference mark rose {marks} times on the board and {seen} times in the recording of "
        f"{trace.meter.model}",
        hint="leave two meter samples or more between marks; check that no samples were lost",
    )


def modelled(
    model: Model, *, scope: str, mode: Mode, rate_hz: float | None, busy_s: float
) -> PowerFigures:
    """Return figures without a meter, from the operating point and an inference of `busy_s`.

    They are no ground for a verdict: `judge` calls them unsure.
    """
    point = model.point
    period_s = 1.0 / rate_hz if rate_hz else busy_s + point.wakeup_us.value * 1e-6
    base_mw = energy.sleep_mw(point) if scope == "delta" else 0.0
    whole_mw = energy.expected_mean_mw(point, busy_s, period_s)
    active_mw = energy.active_mw(point)
    energy_uj = (active_mw - base_mw) * busy_s * 1e3
    return PowerFigures(
        source="modelled",
        scope=scope,
        mode=mode,
        rate_hz=rate_hz,
        mean_mw=(active_mw if mode == "active" else whole_mw) - base_mw,
        uncertainty=Uncertainty(model_mw=terms.model(model, mode, busy_s, period_s)),
        peak_mw=active_mw,
        idle_mw=energy.sleep_mw(point),
        energy_uj=energy_uj,
        energy_plus_minus_uj=terms.energy_model(model, energy_uj),
        inferences_per_window=0,
        window_s=0.0,
        meter=NO_METER,
        samples=0,
        lost=0,
    )


def inferences_per_mark(busy_s: float, meter_rate_hz: float) -> int:
    """Return how many inferences of `busy_s` a mark should hold to last 100 meter samples."""
    return max(1, math.ceil(SHORT_SAMPLES / max(busy_s * meter_rate_hz, 1e-9)))


def mark_period_us(busy_s: float, per_mark: int, meter_rate_hz: float) -> int:
    """Return a period that leaves a gap the meter can see after a mark of `per_mark` inferences.

    Marks run back to back are microseconds apart, less than a sample, and would look like one.
    The gap is 20 samples, after 5 % and 20 µs an inference for what the firmware does besides.
    """
    group_s = per_mark * (1.05 * busy_s + 20e-6)
    return math.ceil((group_s + 20.0 / meter_rate_hz) * 1e6)


def widths(w: Windows, rate_hz: float, per_mark: int = 1) -> MarkWidths:
    """Return the distribution of the mark's width, per inference."""
    us = w.high_samples / rate_hz * 1e6 / per_mark
    n = len(us)
    p50, p90, p99, p999 = np.percentile(us, (50, 90, 99, 99.9))
    return MarkWidths(
        count=n,
        p50_us=float(p50),
        p90_us=float(p90),
        p99_us=float(p99) if n >= 100 else None,
        p999_us=float(p999) if n >= 1000 else None,
        cv=float(us.std() / us.mean()),
    )


def _lost_share(trace: Trace) -> float:
    return trace.lost / max(trace.samples + trace.lost, 1)


def _mean_limits(
    trace: Trace,
    w: Windows,
    mode: Mode,
    scope: str,
    mean_mw: float,
    model: Model | None,
) -> Uncertainty:
    edge_mw = w.active_mw - w.idle_mw
    if mode == "active":
        over, step, means = float(np.median(w.high_samples)), w.high_step_ua, w.high_mw
    else:
        over, step, means = float(w.samples), w.mean_step_ua, w.period_mw()
    busy_s = float(np.median(w.high_samples)) / trace.rate_hz
    period_s = w.samples / trace.rate_hz / len(w.start)
    return Uncertainty(
        gain_mw=terms.gain(mean_mw, trace.meter),
        offset_mw=terms.offset(trace.meter, trace.supply_mv, scope),
        quantization_mw=terms.quantization(step, trace.supply_mv),
        sampling_mw=terms.sampling(edge_mw, 1.0 / over, _lost_share(trace), w.peak_mw),
        spread_mw=terms.spread(means),
        model_mw=terms.model(model, mode, busy_s, period_s, mean_mw),
    )


def _energy_limit(
    trace: Trace,
    w: Windows,
    scope: str,
    energies_uj: NDArray[np.float64],
    model: Model | None,
) -> float:
    """Return the half width of the energy of one mark, in µJ.

    The edges' error is one sample per mark and is not divided by the number of marks: a period
    that is a multiple of the sample time puts the same error on every mark.
    """
    mark_s = float(np.median(w.high_samples)) / trace.rate_hz
    mean_uj = float(energies_uj.mean())
    mw = math.hypot(
        terms.offset(trace.meter, trace.supply_mv, scope),
        terms.quantization(w.high_step_ua, trace.supply_mv),
        _lost_share(trace) * w.peak_mw,
    )
    return math.hypot(
        terms.gain(mean_uj, trace.meter),
        mw * mark_s * 1e3,
        (w.active_mw - w.idle_mw) / trace.rate_hz * 1e3,
        terms.spread(energies_uj),
        terms.energy_model(model, mean_uj),
    )
