"""What a meter gave, what was made of it, and what the contract says of that."""

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
class Trace:
    """Samples as the meter gave them, in µA, and the mark pin beside them.

    `lost` samples are missing from the arrays; `index` (n,) int64 gives each kept sample's place
    in time: t = index / rate_hz.
    """

    rate_hz: float
    supply_mv: float
    index: NDArray[np.int64]
    current_ua: NDArray[np.float64]
    mark: NDArray[np.bool_]
    lost: int
    meter: MeterInfo


@dataclass(frozen=True, slots=True)
class PowerFigures:
    """DESIGN's `power` object: one window under one contract."""

    source: Source
    scope: str
    mode: Mode
    rate_hz: float | None
    mean_mw: float
    uncertainty: Uncertainty
    peak_mw: float
    idle_mw: float | None
    energy_uj: float  # per inference, above nothing: the whole scope during the mark
    inferences_per_window: int
    window_s: float
    meter: MeterInfo
    samples: int
    lost: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """Verdict with the sentence that explains it."""

    verdict: Verdict
    why: str
    limit_mw: float
