from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit import board
from edgekit.cost import energy
from edgekit.errors import ConfigError

POINT = board.find("nucleo-l4r5zi").operating_points["run_120mhz"].powered()
assert POINT is not None


def test_the_worked_example_of_the_documentation() -> None:
    # docs/reference/energy-contract.md: 240,000 cycles at 120 MHz, ten times a second.
    assert energy.expected_mean_mw(POINT, 240_000 / 120e6, 0.1) == pytest.approx(1.83446, abs=5e-5)
    u = energy.plus_minus_mw(POINT, 240_000 / 120e6, 0.1, busy_low_s=160_000 / 120e6)
    assert u == pytest.approx(0.77358, abs=5e-5)


def test_the_limit_of_the_run_power_holds_current_and_form() -> None:
    assert energy.run_limit(POINT) == pytest.approx(math.hypot(0.25, 0.119188), abs=1e-6)


def test_never_busy_is_the_wake_up_and_sleep() -> None:
    asleep = energy.expected_mean_mw(POINT, 0.0, 1e6)
    assert asleep == pytest.approx(energy.sleep_mw(POINT), rel=1e-4)


@given(busy=st.floats(0.0, 0.9), more=st.floats(0.001, 0.09))
def test_more_work_costs_more(busy: float, more: float) -> None:
    less = energy.expected_mean_mw(POINT, busy, 1.0)
    assert less < energy.expected_mean_mw(POINT, busy + more, 1.0) < energy.active_mw(POINT)


@pytest.mark.parametrize(("busy", "period"), [(0.2, 0.1), (0.1, 0.1), (-0.1, 1.0), (0.0, 0.0)])
def test_what_does_not_fit_says_the_highest_rate(busy: float, period: float) -> None:
    with pytest.raises(ConfigError, match="does not fit") as caught:
        energy.expected_mean_mw(POINT, busy, period)
    assert "inferences per second" in caught.value.hint
