"""A meter's recording becomes pictures in mW."""

from __future__ import annotations

import numpy as np

from edgekit.measure.types import MeterInfo, Plot, Segments, Trace
from edgekit.report import reduce


def _segments(mark: list[bool], edges: list[int]) -> Segments:
    start, stop = np.array(edges[:-1]), np.array(edges[1:])
    zeros = np.zeros(len(mark))
    return Segments(np.array(mark), start, stop, stop - start, zeros, zeros, zeros)


def _trace(plot: Plot, zoom: Plot | None = None) -> Trace:
    return Trace(
        rate_hz=1_000.0,
        supply_mv=3_300.0,
        meter=MeterInfo("m", "1", True, 1_000.0, 1.0, 0.1),
        samples=4_000,
        lost=0,
        segments=_segments([False, True, False, True], [0, 1_000, 1_500, 3_000, 3_500]),
        plot=plot,
        zoom=zoom,
    )


def _plot(start_s: float, values: list[float]) -> Plot:
    array = np.array(values)
    return Plot(start_s, 1.0, array - 1, array, array + 1)


def test_microampere_times_millivolt() -> None:
    (picture,) = reduce.power_traces(_trace(_plot(1.0, [1_000.0, 2_000.0])))
    assert picture.mean_mw == (3.3, 6.6)
    assert picture.low_mw == (3.2967, 6.5967)
    assert picture.high_mw == (3.3033, 6.6033)


def test_windows_are_the_marks() -> None:
    whole, zoom = reduce.power_traces(_trace(_plot(0.0, [1.0] * 4), _plot(1.0, [1.0])))
    assert whole.windows_s == ((1.0, 1.5), (3.0, 3.5))
    assert zoom.windows_s == ((1.0, 1.5),)
    assert zoom.start_s == 1.0


def test_nothing_is_drawn_far_from_the_inferences() -> None:
    values = [float(v) for v in range(20)]
    plot = Plot(0.0, 0.5, *(np.array(values) + d for d in (-1, 0, 1)))
    whole, zoom = reduce.power_traces(_trace(plot, Plot(1.0, 0.01, *(np.arange(400.0),) * 3)))
    # Marks from 1.0 to 3.5 s and 0.3 % beside them: bins from 0.5 to 4.0 s.
    assert whole.start_s == 0.5
    assert whole.mean_mw == tuple(round(v * 3.3e-3, 5) for v in range(1, 8))
    # Four times as long as the inference.
    assert len(zoom.mean_mw) == 200


def test_bins_whose_samples_were_lost_repeat_the_one_before() -> None:
    nan = float("nan")
    (picture,) = reduce.power_traces(_trace(_plot(1.0, [nan, 1_000.0, nan])))
    assert picture.mean_mw == (3.3, 3.3, 3.3)


def test_a_recording_without_samples_has_no_curve() -> None:
    (picture,) = reduce.power_traces(_trace(_plot(0.0, [float("nan")] * 3)))
    assert picture.mean_mw == ()
