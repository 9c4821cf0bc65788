"""The driver against the emulator, which shares no code with it, over TCP in virtual time."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from meter_states import SocketPort, States

from edgekit import board
from edgekit.cost import energy
from edgekit.errors import DeviceError
from edgekit.measure.meter import open_meter
from edgekit.measure.types import Trace
from edgekit.measure.uncertainty import Model
from edgekit.measure.verdict import judge
from edgekit.measure.windows import figures
from edgekit.virtual.meter_process import VirtualMeter, start_meter
from edgekit.virtual.ppk2_emulator.device import Faults

POINT = board.find("nucleo-l4r5zi").operating_points["run_120mhz"]
BUSY_S, PERIOD_S = 0.0042, 0.1


def record(meter_at: VirtualMeter, states: States, *, runs: int = 30) -> Trace:
    """Record `runs` inferences, played faster than time."""
    meter = open_meter(meter_at.url, SocketPort, clock=meter_at.clock)
    try:
        states.play(("sleep", 0, 0.01))
        meter.start(POINT.supply_mv)
        sleep_s = PERIOD_S - BUSY_S
        states.play(("sleep", 0, 0.02), *[("run", 1, BUSY_S), ("sleep", 0, sleep_s)] * runs)
        meter.read(1.0)
        return meter.stop()
    finally:
        meter.close()


def run(faults: Faults | None = None, runs: int = 30) -> Trace:
    with States() as states, start_meter(POINT, states.port, faults=faults) as meter_at:
        return record(meter_at, states, runs=runs)


@pytest.fixture(scope="module")
def clean() -> Trace:
    return run()


def test_nothing_is_lost(clean: Trace) -> None:
    assert clean.lost == 0
    assert clean.samples == pytest.approx(1e5 * (0.02 + 30 * PERIOD_S), abs=2)
    assert clean.meter.calibrated


def test_mean_equals_the_closed_form(clean: Trace) -> None:
    got = figures(clean, source="modelled", scope="supply", mode="average", rate_hz=10.0)
    charge = POINT.run_ua.value * BUSY_S + POINT.sleep_ua.value * (PERIOD_S - BUSY_S)
    closed = charge / PERIOD_S * POINT.supply_mv * 1e-6
    assert got.mean_mw == pytest.approx(closed, rel=0.005)
    assert abs(got.mean_mw - closed) <= got.uncertainty.total_mw()
    assert got.inferences_per_window == 29
    assert got.seen_rate_hz == pytest.approx(10.0, rel=1e-4)
    assert got.idle_mw == pytest.approx(POINT.sleep_ua.value * 3.3e-3, rel=0.05)
    # The board file's own estimate adds the wake-up, which this log does not have.
    wakeup = POINT.wakeup_us.value * 1e-6
    assert energy.expected_mean_mw(POINT, BUSY_S - wakeup, PERIOD_S) == pytest.approx(closed)


def test_energy_equals_the_closed_form(clean: Trace) -> None:
    got = figures(clean, source="modelled", scope="supply", mode="active", rate_hz=None)
    closed = POINT.run_ua.value * POINT.supply_mv * 1e-6 * BUSY_S * 1e3
    assert got.energy_uj == pytest.approx(closed, rel=0.005)
    assert got.energy_plus_minus_uj is not None
    assert abs(got.energy_uj - closed) <= got.energy_plus_minus_uj
    assert got.mean_mw == pytest.approx(88.1, rel=0.005)
    assert got.widths is not None
    assert got.widths.p50_us == pytest.approx(4200, abs=10)
    assert got.widths.p99_us is None


def test_filtered_mean_is_reported_beside(clean: Trace) -> None:
    got = figures(clean, source="modelled", scope="supply", mode="average", rate_hz=10.0)
    assert got.filtered_mean_mw is not None
    assert got.filtered_mean_mw != got.mean_mw
    assert got.filtered_mean_mw == pytest.approx(got.mean_mw, rel=0.05)


def test_same_seed_same_samples(clean: Trace) -> None:
    again = run()
    assert again.mean_ua == pytest.approx(clean.mean_ua, rel=1e-12)


def test_verdict_of_a_clean_run_follows_from_the_board_file(clean: Trace) -> None:
    model = Model(POINT, 400_000, 504_000)
    got = figures(
        clean, source="modelled", scope="supply", mode="average", rate_hz=10.0, model=model
    )
    assert judge(got, 15.0, board="virtual").verdict == "pass"
    assert judge(got, 1.0, board="virtual").verdict == "fail"
    assert judge(got, 4.0, board="virtual").verdict == "unsure"
    assert judge(got, 15.0, board="hardware").verdict == "unsure"


def test_one_percent_loss_is_counted_and_makes_unsure() -> None:
    trace = run(Faults(loss=0.01))
    total = trace.samples + trace.lost
    assert total == pytest.approx(302_000, abs=2)
    assert trace.lost / total == pytest.approx(0.01, rel=0.1)
    got = figures(trace, source="modelled", scope="supply", mode="average", rate_hz=10.0)
    verdict = judge(got, 15.0, board="virtual")
    assert verdict.verdict == "unsure"
    assert "lost" in verdict.why


@pytest.mark.parametrize("burst", [64, 640, 700, 6400])
def test_bursts_of_whole_counter_turns_are_found_by_the_clock(burst: int) -> None:
    trace = run(Faults(burst_at=150_000, burst=burst))
    assert trace.lost == burst


def test_stale_calibration_is_unsure() -> None:
    trace = run(Faults(stale_calibration=True))
    assert not trace.meter.calibrated
    got = figures(trace, source="modelled", scope="supply", mode="average", rate_hz=10.0)
    assert "calibration" in judge(got, 15.0, board="virtual").why


@pytest.mark.parametrize(
    "faults",
    [Faults(stale_bytes=4), Faults(stale_bytes=401), Faults(split_metadata=True)],
    ids=["4 stale", "401 stale", "split"],
)
def test_metadata_survives(faults: Faults, clean: Trace) -> None:
    assert run(faults).mean_ua == pytest.approx(clean.mean_ua, rel=1e-12)


def test_a_second_recording_starts_anew() -> None:
    with States() as states, start_meter(POINT, states.port) as meter_at:
        first = record(meter_at, states)
        second = record(meter_at, states)
    assert second.samples == pytest.approx(first.samples, abs=2)
    assert second.lost == 0


def test_nothing_answers() -> None:
    with States() as states, pytest.raises(DeviceError, match="no metadata"):
        open_meter(f"ppk2:socket://127.0.0.1:{states.port}", SocketPort)


def test_emulator_ends_with_its_block() -> None:
    with States() as states, start_meter(POINT, states.port) as meter_at:
        port = int(meter_at.url.rpartition(":")[2])
    with pytest.raises(OSError, match=r"refused|reset"):
        SocketPort(f"socket://127.0.0.1:{port}").read(1.0)


def test_emulator_ends_when_its_parent_is_killed() -> None:
    code = (
        "import sys, json, time\n"
        "from edgekit import board\n"
        "from edgekit.virtual.meter_process import start_meter\n"
        "p = board.find('nucleo-l4r5zi').operating_points['run_120mhz']\n"
        "with start_meter(p, int(sys.argv[1])) as m:\n"
        "    print(m.url, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with States() as states:
        parent = subprocess.Popen(
            [sys.executable, "-c", code, str(states.port)], stdout=subprocess.PIPE, text=True
        )
        assert parent.stdout is not None
        url = parent.stdout.readline().strip()
        parent.kill()
        parent.wait()
        parent.stdout.close()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                SocketPort(url.removeprefix("ppk2:")).close()
            except OSError:
                return
            time.sleep(0.05)
    pytest.fail("the emulator outlived its parent")


def test_states_are_those_of_an_operating_point() -> None:
    # The emulator draws run_ua in state run: a point with twice the current doubles the power.
    run_ua = POINT.run_ua.model_copy(update={"value": 2 * POINT.run_ua.value})
    twice = POINT.model_copy(update={"run_ua": run_ua})
    with States() as states, start_meter(twice, states.port) as meter_at:
        got = figures(
            record(meter_at, states), source="modelled", scope="supply", mode="active", rate_hz=None
        )
    assert got.mean_mw == pytest.approx(2 * energy.active_mw(POINT), rel=0.005)
