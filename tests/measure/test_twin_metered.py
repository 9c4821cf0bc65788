"""The chain in virtual time: real firmware on the twin, its states, the meter, the figures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edgekit import board, frontend
from edgekit.build import run as executor
from edgekit.cost import energy
from edgekit.device.link import Link
from edgekit.device.serial_port import open_port
from edgekit.device.session import energy_run
from edgekit.measure import windows
from edgekit.measure.meter import open_meter
from edgekit.measure.types import PowerFigures
from edgekit.measure.uncertainty import Model
from edgekit.passes import memory, optimize
from edgekit.progress import Silent
from edgekit.target import mcu
from edgekit.virtual.meter_process import start_meter
from edgekit.virtual.process import start_twin

pytestmark = [pytest.mark.virtual, pytest.mark.gcc]

BOARD = board.find("nucleo-l4r5zi")
POINT = BOARD.operating_points["run_120mhz"]
RATE_HZ = 10.0


@dataclass(frozen=True)
class Bench:
    link: Link
    state_port: int
    model: Model

    @property
    def busy_s(self) -> float:
        return self.model.cycles_hi / POINT.clock_hz


@pytest.fixture(scope="module")
def bench(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    work = tmp_path_factory.mktemp("twin")
    graph = optimize(frontend.load(root / "examples" / "digits" / "digits.onnx"))
    scratch, overlaps = mcu.scratch_bytes(graph, BOARD), mcu.overlaps(graph, BOARD)
    arena = memory.plan(graph, scratch, overlaps)
    plan = mcu.emit(graph, arena, BOARD, "gcc", operating_point="run_120mhz")
    elf = executor.execute(plan, work, progress=Silent()).products["elf"]
    with (
        start_twin(elf, BOARD, work, cache=work, operating_point="run_120mhz") as twin,
        closing(open_port(twin.link_url)) as port,
    ):
        counts = twin.counts()
        link = Link(port)
        link.connect()
        yield Bench(link, twin.state_port, Model(POINT, counts.cycles_lo, counts.cycles_hi))


def metered(bench: Bench, marks: int, batch: int, period_us: int, mode: str) -> PowerFigures:
    inputs = np.zeros((4, bench.link.hello.input_bytes), np.int8)
    run = energy_run(bench.link, inputs, marks * batch, period_us, batch=batch)
    with (
        start_meter(POINT, bench.state_port) as emulated,
        closing(open_meter(emulated.url, open_port, clock=emulated.clock)) as meter,
    ):
        meter.start(POINT.supply_mv)
        run.start()
        stats = None
        while stats is None:
            meter.read(0.02)
            stats = run.poll(0.02)
        trace = meter.stop()
    assert stats.missed == 0
    assert trace.lost == 0
    return windows.figures(
        trace,
        source="modelled",
        scope="supply",
        mode="average" if mode == "average" else "active",
        rate_hz=RATE_HZ,
        model=bench.model,
        inferences_per_mark=batch,
        marks=marks,
    )


def test_average_is_the_closed_form_and_the_firmwares_own_work(bench: Bench) -> None:
    got = metered(bench, 22, 1, round(1e6 / RATE_HZ), "average")
    assert got.seen_rate_hz is not None
    closed_mw = energy.expected_mean_mw(POINT, bench.busy_s, 1 / got.seen_rate_hz)
    extra_s = (got.mean_mw - closed_mw) / energy.active_mw(POINT) / got.seen_rate_hz
    assert 0 <= extra_s < 50e-6  # copying the input, setting the timer
    assert abs(got.mean_mw - closed_mw) <= got.uncertainty.total_mw()
    assert got.widths is not None
    assert got.widths.p50_us == pytest.approx(bench.busy_s * 1e6, abs=10.0)


def test_energy_of_an_inference_is_power_times_time(bench: Bench) -> None:
    batch = windows.inferences_per_mark(bench.busy_s, 1e5)
    got = metered(bench, 40, batch, windows.mark_period_us(bench.busy_s, batch, 1e5), "active")
    expected_uj = energy.active_mw(POINT) * bench.busy_s * 1e3
    assert batch > 1
    assert got.mark_samples is not None
    assert got.mark_samples >= 100
    assert got.energy_uj == pytest.approx(expected_uj, rel=0.02)
    assert got.mean_mw == pytest.approx(energy.active_mw(POINT), rel=0.01)
