"""Mean power from an operating point and a duty cycle: small enough to check by hand.

In every period T the core runs for t (inference) and w (wake-up), and sleeps for the rest:

    mean = V * (I_run * (t + w) + I_sleep * (T - t - w)) / T

docs/reference/energy-contract.md has a worked calculation.
"""

from __future__ import annotations

import math

from edgekit.board import PoweredPoint
from edgekit.cost import silicon
from edgekit.errors import ConfigError


def expected_mean_mw(point: PoweredPoint, busy_s: float, period_s: float) -> float:
    """Return the mean power in mW of one inference of `busy_s` every `period_s`.

    Raises ConfigError where the inference and the wake-up do not fit into the period.
    """
    awake_s = _awake_s(point, busy_s, period_s)
    charge = point.run_ua.value * awake_s + point.sleep_ua.value * (period_s - awake_s)
    return _mw(point, charge / period_s)


def plus_minus_mw(
    point: PoweredPoint, busy_s: float, period_s: float, *, busy_low_s: float | None = None
) -> float:
    """Return the 95 % half width of `expected_mean_mw`, in mW.

    Terms, in quadrature: the limits of the run current and of the model's form (`run_limit`), of
    the sleep current and of the wake-up time, and the interval [busy_low_s, busy_s] of the
    inference, taken whole.
    """
    awake_s = _awake_s(point, busy_s, period_s)
    low_s = busy_s if busy_low_s is None else busy_low_s
    duty = awake_s / period_s
    step_ua = point.run_ua.value - point.sleep_ua.value
    terms_ua = (
        duty * point.run_ua.value * run_limit(point),
        (1.0 - duty) * point.sleep_ua.value * point.sleep_ua.plus_minus_percent / 100.0,
        step_ua * _wakeup_s(point) * point.wakeup_us.plus_minus_percent / 100.0 / period_s,
        step_ua * (busy_s - low_s) / period_s,
    )
    return _mw(point, math.hypot(*terms_ua))


def run_limit(point: PoweredPoint) -> float:
    """Return the relative 95 % half width of the power while a network runs.

    Two parts in quadrature: how well the board's current is known, and how far the power of one
    network is from that of others (`edgekit.cost.silicon`).
    """
    return math.hypot(point.run_ua.plus_minus_percent, silicon.limit_percent()) / 100.0


def active_mw(point: PoweredPoint) -> float:
    """Return the power in mW while the network runs."""
    return _mw(point, point.run_ua.value)


def sleep_mw(point: PoweredPoint) -> float:
    """Return the power in mW between inferences."""
    return _mw(point, point.sleep_ua.value)


def _awake_s(point: PoweredPoint, busy_s: float, period_s: float) -> float:
    awake_s = busy_s + _wakeup_s(point)
    if busy_s < 0 or period_s <= 0 or awake_s > period_s:
        raise ConfigError(
            f"an inference of {busy_s * 1e3:.3f} ms does not fit into a period of "
            f"{period_s * 1e3:.3f} ms",
            hint=f"ask for at most {1.0 / max(awake_s, 1e-9):.2f} inferences per second",
        )
    return awake_s


def _wakeup_s(point: PoweredPoint) -> float:
    return point.wakeup_us.value * 1e-6


def _mw(point: PoweredPoint, current_ua: float) -> float:
    return current_ua * point.supply_mv * 1e-6
