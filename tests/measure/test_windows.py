"""Figures of synthetic traces, against sums formed from the samples themselves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meter_states import CALIBRATED, samples, square

from edgekit import board
from edgekit.cost import energy
from edgekit.errors import UnsureError
from edgekit.measure.reduce import Reducer
from edgekit.measure.types import MeterInfo, PowerFigures, Samples, Trace
from edgekit.measure.uncertainty import Model
from edgekit.measure.windows import cut, figures, inferences_per_mark, mark_period_us, modelled

POINT = board.find("nucleo-l4r5zi").operating_points["run_120mhz"].powered()


def trace_of(
    current_ua: np.ndarray,
    mark: np.ndarray,
    *,
    pieces: int = 1,
    meter: MeterInfo = CALIBRATED,
    lost: int = 0,
    step_ua: float = 0.0,
    supply_mv: float = 3300.0,
) -> Trace:
    reducer = Reducer(100_000.0)
    at = 0
    for part_current, part_mark in zip(
        np.array_split(current_ua, pieces), np.array_split(mark, pieces), strict=True
    ):
        reducer.add(samples(part_current, part_mark, at, step_ua))
        at += len(part_current)
    return reducer.finish(supply_mv, meter, lost)


def figures_of(trace: Trace, mode: str = "average", **more: object) -> PowerFigures:
    given: dict = {"source": "modelled", "scope": "supply", "rate_hz": None, **more}
    return figures(trace, mode=mode, **given)  # type: ignore[arg-type]


def test_average_is_over_whole_periods_only() -> None:
    # 20 periods of 300 high at 20 mA and 700 low at 1 mA; the 50 samples before and the last
    # period, which no rising edge ends, must not count.
    got = figures_of(trace_of(*square(21, 300, 700, 20_000.0, 1_000.0)))
    assert got.mean_mw == pytest.approx((0.3 * 20 + 0.7 * 1) * 3.3, rel=1e-12)
    assert got.idle_mw == pytest.approx(3.3)
    assert got.peak_mw == pytest.approx(66.0)
    assert got.inferences_per_window == 20
    assert got.window_s == pytest.approx(0.2)
    assert got.seen_rate_hz == pytest.approx(100.0)


def test_active_is_while_the_mark_is_high() -> None:
    got = figures_of(trace_of(*square(21, 300, 700, 20_000.0, 1_000.0)), "active")
    assert got.mean_mw == pytest.approx(66.0)
    assert got.energy_uj == pytest.approx(66.0 * 3.0)


def test_delta_is_over_idle_and_has_no_offset() -> None:
    meter = dataclasses.replace(CALIBRATED, offset_ua=5.0)
    trace = trace_of(*square(21, 300, 700, 20_000.0, 1_000.0), meter=meter)
    got = figures_of(trace, "active", scope="delta")
    assert got.mean_mw == pytest.approx(62.7)
    assert got.energy_uj == pytest.approx(62.7 * 3.0)
    assert got.uncertainty.offset_mw == 0.0
    assert figures_of(trace).uncertainty.offset_mw == pytest.approx(5.0 * 3.3e-3)


def test_a_trace_that_begins_high_has_no_first_edge_there() -> None:
    current, mark = square(10, 300, 700, 20_000.0, 0.0, lead=0)
    assert len(cut(trace_of(current, mark)).start) == 8


@pytest.mark.parametrize("runs", [0, 1])
def test_too_few_marks_are_unsure_and_say_what_to_do(runs: int) -> None:
    with pytest.raises(UnsureError, match=f"rose {runs} times") as caught:
        figures_of(trace_of(*square(runs, 300, 700, 20_000.0, 0.0, lead=100)))
    assert "mark pin" in caught.value.hint


def test_marks_that_ran_together_are_noticed() -> None:
    trace = trace_of(*square(21, 300, 700, 20_000.0, 0.0))
    assert figures_of(trace, marks=21).inferences_per_window == 20
    with pytest.raises(UnsureError, match="rose 22 times on the board and 21 times"):
        figures_of(trace, marks=22)


@settings(max_examples=40, deadline=None)
@given(
    runs=st.integers(2, 12),
    high=st.integers(1, 40),
    low=st.integers(1, 60),
    pieces=st.integers(1, 30),
    seed=st.integers(0, 1000),
)
def test_streaming_in_pieces_changes_nothing(
    runs: int, high: int, low: int, pieces: int, seed: int
) -> None:
    _, mark = square(runs, high, low, 1.0, 0.0, lead=7)
    current = np.random.default_rng(seed).random(len(mark)) * 1000
    whole, cut_up = trace_of(current, mark), trace_of(current, mark, pieces=pieces)
    for name in ("start", "stop", "count", "mark"):
        np.testing.assert_array_equal(getattr(whole.segments, name), getattr(cut_up.segments, name))
    np.testing.assert_allclose(whole.segments.sum_ua, cut_up.segments.sum_ua)
    np.testing.assert_array_equal(whole.segments.peak_ua, cut_up.segments.peak_ua)
    np.testing.assert_allclose(whole.plot.mean_ua, cut_up.plot.mean_ua)
    period = high + low
    expected = current[7 : 7 + (runs - 1) * period].mean() * 3.3e-3
    assert figures_of(cut_up).mean_mw == pytest.approx(expected)


def test_lost_samples_do_not_move_the_mean() -> None:
    current, mark = square(30, 300, 700, 20_000.0, 1_000.0)
    kept = np.random.default_rng(3).random(len(mark)) > 0.05
    kept[[0, -1]] = True
    reducer = Reducer(100_000.0)
    index = np.flatnonzero(kept).astype(np.int64)
    reducer.add(Samples(index, current[kept], mark[kept], np.zeros(len(index))))
    lost = int((~kept).sum())
    got = figures_of(reducer.finish(3300.0, CALIBRATED, lost))
    exact = (0.3 * 20 + 0.7 * 1) * 3.3
    assert got.mean_mw == pytest.approx(exact, rel=0.002)
    assert abs(got.mean_mw - exact) <= got.uncertainty.total_mw()


def test_memory_does_not_grow_with_the_length_between_marks() -> None:
    reducer = Reducer(100_000.0)
    block = np.full(100_000, 6.0)
    dark = np.zeros(100_000, np.bool_)
    for second in range(300):
        reducer.add(samples(block, dark, second * 100_000))
    trace = reducer.finish(3300.0, CALIBRATED, 0)
    assert len(trace.segments.start) == 1
    assert trace.samples == 30_000_000
    assert 1024 <= len(trace.plot.mean_ua) <= 2048
    assert trace.plot.bin_s * len(trace.plot.mean_ua) == pytest.approx(300, rel=0.01)


def test_plot_keeps_extremes_and_zoom_shows_one_period() -> None:
    current, mark = square(21, 300, 700, 20_000.0, 1_000.0)
    current[15_123] = 99_000.0
    trace = trace_of(current, mark, pieces=17)
    assert np.nanmax(trace.plot.high_ua) == 99_000.0
    assert np.nanmin(trace.plot.low_ua) == 1_000.0
    assert trace.zoom is not None
    assert trace.zoom.start_s == pytest.approx(50e-5)
    assert trace.zoom.bin_s * len(trace.zoom.mean_ua) == pytest.approx(0.01)


def test_widths_have_percentiles_only_where_they_mean_something() -> None:
    few = figures_of(trace_of(*square(40, 30, 20, 1.0, 0.0))).widths
    many = figures_of(trace_of(*square(1100, 30, 20, 1.0, 0.0))).widths
    assert few is not None
    assert many is not None
    assert (few.p50_us, few.p99_us, few.p999_us) == (300.0, None, None)
    assert (many.p99_us, many.p999_us, many.cv) == (300.0, 300.0, 0.0)


def test_several_inferences_in_a_mark_share_its_energy_and_width() -> None:
    one = figures_of(trace_of(*square(21, 300, 700, 20_000.0, 1_000.0)))
    five = figures_of(trace_of(*square(21, 300, 700, 20_000.0, 1_000.0)), inferences_per_mark=5)
    assert five.energy_uj == pytest.approx(one.energy_uj / 5)
    assert five.energy_plus_minus_uj == pytest.approx((one.energy_plus_minus_uj or 0) / 5)
    assert five.inferences_per_window == 100
    assert five.seen_rate_hz == pytest.approx(500.0)
    assert five.widths is not None
    assert five.widths.p50_us == pytest.approx(600.0)
    assert five.mean_mw == one.mean_mw


@pytest.mark.parametrize(
    ("busy_s", "wanted"),
    [(0.01, 1), (0.001, 1), (0.0009, 2), (0.00001, 100), (0.0, 100_000_000_000)],
)
def test_how_many_inferences_fill_100_samples(busy_s: float, wanted: int) -> None:
    assert inferences_per_mark(busy_s, 100_000.0) == wanted


@pytest.mark.parametrize(("busy_s", "per_mark"), [(0.00014, 8), (0.2, 1), (0.0, 100)])
def test_marks_in_a_row_leave_a_gap_of_at_least_20_samples(busy_s: float, per_mark: int) -> None:
    gap_us = mark_period_us(busy_s, per_mark, 100_000.0) - busy_s * per_mark * 1e6
    assert 200 <= gap_us < 200 + per_mark * (0.05 * busy_s * 1e6 + 20) + 1


def test_every_term_by_hand() -> None:
    meter = MeterInfo("test", "1", True, 100_000.0, gain_percent=2.0, offset_ua=5.0)
    current, mark = square(21, 300, 700, 20_000.0, 1_000.0)
    u = figures_of(
        trace_of(current, mark, meter=meter, step_ua=50.0), model=Model(POINT, 90, 100)
    ).uncertainty
    mean = 22.11
    assert u.gain_mw == pytest.approx(0.02 * mean)
    assert u.offset_mw == pytest.approx(5.0 * 3.3e-3)
    assert u.quantization_mw == pytest.approx(25.0 * 3.3e-3)
    assert u.sampling_mw == pytest.approx((66.0 - 3.3) / 20_000)
    assert u.spread_mw == pytest.approx(0.0, abs=1e-9)
    # busy 3 ms + wake-up 60 us of 10 ms; cycle interval 0.9..1.
    duty = 0.306
    terms = (
        duty * 26_700 * energy.run_limit(POINT),
        (1 - duty) * 6.0 * 0.6,
        (26_700 - 6.0) * 0.0060 * 0.5,
        (26_700 - 6.0) * 0.3 * 0.1,
    )
    assert u.model_mw == pytest.approx(float(np.linalg.norm(terms)) * 3.3e-3)
    squares = (u.gain_mw, u.offset_mw, u.quantization_mw, u.sampling_mw, u.spread_mw, u.model_mw)
    assert u.total_mw() == pytest.approx(float(np.linalg.norm(squares)))


def test_spread_covers_the_true_mean_about_95_times_in_100() -> None:
    rng = np.random.default_rng(11)
    inside = 0
    for _ in range(300):
        current, mark = square(26, 10, 10, 1.0, 1.0)
        level = np.repeat(rng.normal(10_000.0, 500.0, 26), 20)
        current = np.concatenate((np.ones(50), level))
        got = figures_of(trace_of(current, mark))
        inside += abs(got.mean_mw - 33.0) <= got.uncertainty.spread_mw
    assert 272 <= inside <= 297


def test_figures_without_a_meter_are_the_closed_form() -> None:
    got = modelled(
        Model(POINT, 80, 100), scope="supply", mode="average", rate_hz=10.0, busy_s=0.0042
    )
    charge = 26_700 * 0.00426 + 6.0 * 0.09574
    assert got.mean_mw == pytest.approx(charge / 0.1 * 3.3e-3)
    assert got.source == "modelled"
    assert got.samples == 0
    assert got.meter.model == "none"
    assert got.energy_uj == pytest.approx(88.11 * 4.2)
    assert got.energy_plus_minus_uj == pytest.approx(
        88.11 * 4.2 * float(np.hypot(energy.run_limit(POINT), 0.2))
    )
