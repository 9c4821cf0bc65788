"""Where a power figure can be wrong, term by term, as 95 % half widths.

docs/reference/energy-contract.md has every formula and why it is what it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.board import PoweredPoint
from edgekit.cost import energy
from edgekit.measure.types import MeterInfo, Mode


@dataclass(frozen=True, slots=True)
class Model:
    """What modelled figures rest on: the operating point's currents and the cycle interval."""

    point: PoweredPoint
    cycles_lo: int = 1
    cycles_hi: int = 1

    @property
    def share_low(self) -> float:
        """Shortest possible inference over the one that was played, which is the longest."""
        return self.cycles_lo / max(self.cycles_hi, 1)


def spread(values: NDArray[np.float64]) -> float:
    """Return the 95 % half width of the mean of `values` (n,), by their own scatter.

    The factor is Student's, within 0.5 % for n >= 10. One value has no spread to tell: 0.
    """
    n = len(values)
    if n < 2:
        return 0.0
    student = 1.96 + 2.5 / (n - 1)
    return float(student * values.std(ddof=1) / math.sqrt(n))


def gain(mean_mw: float, meter: MeterInfo) -> float:
    """Return the term of the meter's scale."""
    return abs(mean_mw) * meter.gain_percent / 100.0


def offset(meter: MeterInfo, supply_mv: float, scope: str) -> float:
    """Return the term of the meter's zero; a difference (scope `delta`) has none."""
    return 0.0 if scope == "delta" else meter.offset_ua * supply_mv * 1e-6


def quantization(mean_step_ua: float, supply_mv: float) -> float:
    """Return half an ADC step: nothing is assumed of noise that might average it out."""
    return 0.5 * mean_step_ua * supply_mv * 1e-6


def sampling(edge_mw: float, edge_share: float, lost_share: float, far_mw: float) -> float:
    """Return the term of the edges, each known to one sample, and of lost samples.

    Args:
        edge_mw: by how much power differs across an edge.
        edge_share: one sample over the length that the mean is formed over.
        lost_share: lost samples over all.
        far_mw: how far from the mean a lost sample can have been.
    """
    return math.hypot(edge_mw * edge_share, lost_share * far_mw)


def model(
    model_: Model | None, mode: Mode, busy_s: float, period_s: float, mean_mw: float = 0.0
) -> float:
    """Return the term of a model's coefficients and cycle interval; 0 where all was measured.

    A mean that is above the closed form, by the firmware's work around an inference, rests on
    the same coefficients: the term grows with it.
    """
    if model_ is None:
        return 0.0
    point = model_.point
    if mode == "active":
        return energy.active_mw(point) * energy.run_limit(point)
    busy_s = min(busy_s, period_s - point.wakeup_us.value * 1e-6)
    limit_mw = energy.plus_minus_mw(point, busy_s, period_s, busy_low_s=busy_s * model_.share_low)
    return limit_mw * max(1.0, mean_mw / energy.expected_mean_mw(point, busy_s, period_s))


def energy_model(model_: Model | None, energy_uj: float) -> float:
    """Return the model's term of an energy per inference, in µJ."""
    if model_ is None:
        return 0.0
    return energy_uj * math.hypot(energy.run_limit(model_.point), 1.0 - model_.share_low)
