from __future__ import annotations

import dataclasses
import itertools

import pytest
from meter_states import CALIBRATED

from edgekit.board import Fact
from edgekit.measure.types import PowerFigures, Uncertainty
from edgekit.measure.verdict import judge, refusal

GOOD = PowerFigures(
    source="measured",
    scope="supply",
    mode="average",
    rate_hz=10.0,
    mean_mw=10.0,
    uncertainty=Uncertainty(gain_mw=1.0),
    peak_mw=90.0,
    idle_mw=0.02,
    energy_uj=100.0,
    inferences_per_window=20,
    window_s=1.0,
    meter=CALIBRATED,
    samples=100_000,
    lost=0,
    seen_rate_hz=10.0,
)
STALE = dataclasses.replace(CALIBRATED, calibrated=False)
DOUBTS: dict[str, dict] = {
    "lost": {"lost": 101},
    "stale": {"meter": STALE},
    "the window is": {"window_s": 0.999},
    "inferences in the window": {"inferences_per_window": 19},
    "per second, not 10": {"seen_rate_hz": 9.8},
}


@pytest.mark.parametrize(
    ("mean", "u", "limit", "verdict"),
    [
        (10.0, 1.0, 15.0, "pass"),
        (14.0, 1.0, 15.0, "pass"),  # mean + u == limit
        (14.001, 1.0, 15.0, "unsure"),
        (15.0, 0.0, 15.0, "pass"),
        (15.0, 0.001, 15.0, "unsure"),
        (16.0, 1.0, 15.0, "unsure"),  # mean - u == limit is not above it
        (16.001, 1.0, 15.0, "fail"),
        (15.001, 0.0, 15.0, "fail"),
        (100.0, 1.0, 15.0, "fail"),
    ],
)
def test_comparison(mean: float, u: float, limit: float, verdict: str) -> None:
    given = dataclasses.replace(GOOD, mean_mw=mean, uncertainty=Uncertainty(model_mw=u))
    got = judge(given, limit, board="hardware")
    assert got.verdict == verdict
    assert got.limit_mw == limit
    assert f"{limit:g} mW" in got.why


@pytest.mark.parametrize("mean", [1.0, 15.0, 100.0])
@pytest.mark.parametrize("count", range(1, len(DOUBTS) + 1))
def test_every_combination_of_doubts_is_unsure_and_named(mean: float, count: int) -> None:
    for names in itertools.combinations(DOUBTS, count):
        changes = {k: v for name in names for k, v in DOUBTS[name].items()}
        got = judge(dataclasses.replace(GOOD, mean_mw=mean, **changes), 15.0, board="hardware")
        assert got.verdict == "unsure"
        for name in DOUBTS:
            assert (name in got.why) == (name in names), got.why


def test_limits_of_the_doubts_are_inclusive() -> None:
    edge = dataclasses.replace(GOOD, lost=100, samples=99_900, seen_rate_hz=9.95)
    assert judge(edge, 15.0, board="hardware").verdict == "pass"


def test_active_mode_asks_for_no_rate() -> None:
    active = dataclasses.replace(GOOD, mode="active", rate_hz=None, seen_rate_hz=3.0)
    assert judge(active, 15.0, board="hardware").verdict == "pass"


def test_hardware_without_a_meter_is_unsure() -> None:
    got = judge(dataclasses.replace(GOOD, source="modelled", samples=0), 15.0, board="hardware")
    assert got.verdict == "unsure"
    assert "no meter" in got.why
    assert "measured" not in got.why


def test_hardware_behind_a_socket_is_unsure() -> None:
    got = judge(dataclasses.replace(GOOD, source="modelled"), 15.0, board="hardware")
    assert got.verdict == "unsure"
    assert "socket" in got.why


def test_virtual_boards_may_pass_and_are_called_modelled() -> None:
    got = judge(dataclasses.replace(GOOD, source="modelled"), 15.0, board="virtual")
    assert got.verdict == "pass"
    assert "modelled" in got.why
    assert "measured" not in got.why


FLOOR = Fact(value=1600.0, unit="mW", source="MLPerf Tiny v0.7 logs", plus_minus_percent=10.0)


def test_a_supply_above_the_limit_is_not_measurable() -> None:
    got = judge(GOOD, 15.0, board="hardware", floor_mw=FLOOR)
    assert got.verdict == "unsure"
    assert "not measurable under 15 mW" in got.why
    assert refusal("supply", 15.0, FLOOR) == got.why


@pytest.mark.parametrize(("scope", "limit"), [("delta", 15.0), ("supply", 1440.0), ("core", 15.0)])
def test_measurable(scope: str, limit: float) -> None:
    assert refusal(scope, limit, FLOOR) is None
