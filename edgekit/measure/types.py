"""What a meter gave, what was made of it, and what the contract says of that.

docs/reference/energy-contract.md has the formulas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Source = Literal["measured", "modelled"]
Mode = Literal["average", "active"]
Verdict = Literal["pass", "fail", "unsure"]


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """95 % half widths of the terms of a mean power, in mW; combined in quadrature."""

    gain_mw: float = 0.0
    offset_mw: float = 0.0
    quantization_mw: float = 0.0
    sampling_mw: float = 0.0
    spread_mw: float = 0.0
    model_mw: float = 0.0  # coefficients and cycle interval of a modelled board

    def total_mw(self) -> float:
        """Return the root of the sum of squares."""
        terms = (
            self.gain_mw,
            self.offset_mw,
            self.quantization_mw,
            self.sampling_mw,
            self.spread_mw,
            self.model_mw,
        )
        return float(np.sqrt(sum(t * t for t in terms)))


@dataclass(frozen=True, slots=True)
class MeterInfo:
    """Who measured: model, serial, state of calibration, bandwidth and limits (95 %)."""

    model: str
    serial: str
    calibrated: bool
    sample_rate_hz: float
    gain_percent: float
    offset_ua: float


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """A piece of the stream as a meter decoded it; lost samples are missing from the arrays.

    All arrays are (n,). `index` is each sample's place in time, t = index / sample rate, and
    grows over the whole stream; `step_ua` is what one ADC step is worth at that sample;
    `filtered_ua` is a second opinion on `current_ua`, where the meter's maker defines one.
    """

    index: NDArray[np.int64]
    current_ua: NDArray[np.float64]
    mark: NDArray[np.bool_]
    step_ua: NDArray[np.float64]
    filtered_ua: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """Stretches of constant mark in order, arrays (k,): the stream after reduction.

    Sample indices are in [start, stop); `count` of them arrived, the others were lost. The first
    and the last segment are cut by the recording, so their lengths mean nothing.
    """

    mark: NDArray[np.bool_]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    count: NDArray[np.int64]
    sum_ua: NDArray[np.float64]
    sum_step_ua: NDArray[np.float64]
    peak_ua: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Plot:
    """Currents in bins of equal length, arrays (b,); empty bins are NaN."""

    start_s: float
    bin_s: float
    low_ua: NDArray[np.float64]
    mean_ua: NDArray[np.float64]
    high_ua: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """What is kept of a recording, whatever its length: sums per segment, and two pictures.

    `plot` covers all of it; `zoom` the first whole period, None without one. `filtered_mean_ua`
    is the mean of the maker's filtered samples over the recording, for comparison only.
    """

    rate_hz: float
    supply_mv: float
    meter: MeterInfo
    samples: int
    lost: int
    segments: Segments
    plot: Plot
    zoom: Plot | None = None
    filtered_mean_ua: float | None = None
    mean_ua: float = 0.0


@dataclass(frozen=True, slots=True)
class MarkWidths:
    """How long the mark was high, in µs per inference, quantized to one meter sample.

    p99_us is None under 100 inferences, p999_us under 1,000.
    """

    count: int
    p50_us: float
    p90_us: float
    p99_us: float | None
    p999_us: float | None
    cv: float


@dataclass(frozen=True, slots=True)
class PowerFigures:
    """DESIGN's `power` object: one window under one contract."""

    source: Source
    scope: str
    mode: Mode
    rate_hz: float | None  # the contract's
    mean_mw: float
    uncertainty: Uncertainty
    peak_mw: float
    idle_mw: float | None
    energy_uj: float  # of one inference: all that the scope draws while the mark is high
    inferences_per_window: int
    window_s: float
    meter: MeterInfo
    samples: int
    lost: int
    energy_plus_minus_uj: float | None = None
    seen_rate_hz: float | None = None  # inferences per second in the window
    inferences_per_mark: int = 1
    mark_samples: float | None = None  # meter samples in a median mark
    widths: MarkWidths | None = None
    filtered_mean_mw: float | None = None  # cosmetic: the maker's spike filter, never judged


@dataclass(frozen=True, slots=True)
class Judgement:
    """Verdict with the sentence that explains it."""

    verdict: Verdict
    why: str
    limit_mw: float
