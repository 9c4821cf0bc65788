"""The twin of an FPGA board under the host's own session code: answers, time, faults, its end."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from small_board import BUILD_ID, LATENCY, expected, sources, write

from edgekit import board as boards
from edgekit.device.layout import Command, Kind, RunRecord, RunState
from edgekit.device.link import Link
from edgekit.device.serial_port import open_port
from edgekit.device.session import Run, RunStats, energy_run, run_samples
from edgekit.device.wire import unpack
from edgekit.errors import DeviceError, ToolError
from edgekit.target.fpga.shell import MARK_US
from edgekit.virtual.fpga import start_fpga_twin
from edgekit.virtual.fpga.process import sources_in
from edgekit.virtual.process import Faults, Twin, launch

pytestmark = [pytest.mark.virtual, pytest.mark.yowasp, pytest.mark.cc]
BOARD = boards.fpga(boards.find("icebreaker"))
CLOCK_NS = 1e9 / 12e6
NIGHTLY = pytest.mark.nightly


def twin_of(cache: Path, work: Path, faults: Faults | None = None) -> Twin:
    return start_fpga_twin(sources(), BOARD, work, cache=cache, faults=faults)


def samples(n: int) -> np.ndarray:
    return np.random.default_rng(4).integers(-128, 128, (n, 8)).astype(np.int8)


def run(twin: Twin, inputs: np.ndarray) -> Run:
    with contextlib.closing(open_port(twin.link_url)) as port:
        return run_samples(port, inputs, expected=BUILD_ID.hex())


@contextlib.contextmanager
def states(twin: Twin) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", twin.state_port)) as sock:
        yield sock


def timed(twin: Twin, n: int, period_us: int, batch: int) -> RunStats:
    with contextlib.closing(open_port(twin.link_url)) as port:
        link = Link(port)
        link.connect()
        work = energy_run(link, samples(64), n, period_us, batch=batch)
        work.start()
        deadline = time.monotonic() + 60
        while (stats := work.poll(0.5)) is None:
            assert time.monotonic() < deadline
        link.bye()
        return stats


def test_answers_with_the_latency_of_the_rtl(cache: Path, tmp_path: Path) -> None:
    write(tmp_path / "build")
    assert sources_in(tmp_path / "build") == sources()
    x = samples(200)
    with twin_of(cache, tmp_path) as twin:
        found = run(twin, x)
        stats = twin.stats()
    np.testing.assert_array_equal(found.outputs, expected(x))
    assert set(found.cycles.tolist()) == {LATENCY}
    assert found.hello.kind == Kind.VIRTUAL
    assert found.hello.baud == BOARD.link.baud
    assert not any(found.link_stats[name] for name in ("host_retries", "host_crc_errors"))
    assert stats["fault"] is None
    assert stats["core_hz"] == 12_000_000


def log_of(sock: socket.socket, until_ns: int) -> list[dict[str, int]]:
    lines: list[dict[str, int]] = []
    sock.settimeout(5)
    with sock.makefile("rb") as stream:
        while not lines or lines[-1]["t_ns"] < until_ns:
            lines.append(json.loads(stream.readline()))
    return lines


def test_marks_and_sleep_in_virtual_time(cache: Path, tmp_path: Path) -> None:
    with twin_of(cache, tmp_path) as twin, states(twin) as sock:
        one = timed(twin, 4, 200_000, 1)
        many = timed(twin, 30_000, 1_000, 3_000)
        log = log_of(sock, twin.stats()["t_ns"])
    assert (one.n, one.cycles_min, one.cycles_max, one.missed) == (4, LATENCY, LATENCY, 0)
    assert abs(one.t_us - 800_000) < 300  # ticks of 100 us
    assert (many.n, many.cycles_min, many.cycles_max) == (30_000, 1, LATENCY)
    assert [a["t_ns"] for a in log] == sorted(a["t_ns"] for a in log)
    edges = [(b["t_ns"], b["mark"]) for a, b in itertools.pairwise(log) if a["mark"] != b["mark"]]
    assert len(edges) == 2 * (4 + 10)
    # The pads make a mark long enough for a meter.
    highs = [b[0] - a[0] - 1e3 * MARK_US for a, b in zip(edges[::2], edges[1::2], strict=True)]
    assert max(highs[:4]) < 12 * CLOCK_NS
    # The group's inferences, one a clock, beside a few clocks to fill and to empty the network.
    assert all(3_000 * CLOCK_NS < high < 3_012 * CLOCK_NS for high in highs[4:])
    starts = [t for t, mark in edges if mark][:4]
    assert np.all(np.abs(np.diff(starts) - 200e6) < 200e3)
    asleep = sum(b["t_ns"] - a["t_ns"] for a, b in itertools.pairwise(log) if a["state"] == "sleep")
    assert 0.75e9 < asleep < 0.9e9


def test_runs_that_are_too_fast_too_slow_or_left_alone(cache: Path, tmp_path: Path) -> None:
    x = samples(20)
    with twin_of(cache, tmp_path) as twin:
        late = timed(twin, 1_000, 5, 100)  # 100 inferences in 5 us
        assert (late.n, late.missed) == (1_000, 9)
        began_ns = twin.stats()["t_ns"]
        rare = timed(twin, 22, 1_000_000_000, 1)  # one every 1,000 s: the host need not wait hours
        assert (rare.n, rare.missed) == (22, 0)
        assert twin.stats()["t_ns"] - began_ns > 22_000e9
        for period_us in (0, 1_000, 50_000):  # without pause, awake, asleep
            with contextlib.closing(open_port(twin.link_url)) as port:
                link = Link(port)
                link.connect()
                energy_run(link, samples(64), 30_000_000, period_us).start()
            # The cable was pulled; who comes next ends the run.
            with contextlib.closing(open_port(twin.link_url)) as port:
                link = Link(port)
                assert link.connect().boot_count == 1
                record, _ = unpack(RunRecord, link.request(Command.RUN_STATUS))
                assert record.state == RunState.STOPPED
                assert 0 < record.n < 30_000_000
                link.bye()
            np.testing.assert_array_equal(run(twin, x).outputs, expected(x))


FAULTS = {
    "cable": Faults(seed=3, flip_rate=0.002, drop_rate=0.002, split_bytes=3),
    "reset": Faults(reset_after_bytes=500),
    "brown-out": Faults(brown_out_after_bytes=500),
    "late": Faults(late_banner_s=0.4),
    "clock": Faults(clock_drift_ppm=15_000),
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n == "reset" else NIGHTLY) for n in sorted(FAULTS)]
)
def test_a_bad_day_is_survived(name: str, cache: Path, tmp_path: Path) -> None:
    faults, x = FAULTS[name], samples(100)
    with twin_of(cache, tmp_path, faults) as twin:
        found = run(twin, x)
        stats = twin.stats()
    np.testing.assert_array_equal(found.outputs, expected(x))
    assert stats["resets"] == (faults.reset_after_bytes > 0)
    assert (stats["dropped"] > 0) == (stats["flipped"] > 0) == (name == "cable")


@pytest.mark.nightly
def test_a_clock_that_is_too_far_off_is_no_line(cache: Path, tmp_path: Path) -> None:
    with (
        twin_of(cache, tmp_path, Faults(clock_drift_ppm=80_000)) as twin,
        contextlib.closing(open_port(twin.link_url)) as port,
        pytest.raises(DeviceError, match="did not answer HELLO"),
    ):
        Link(port).connect(patience_s=0.5)


@pytest.mark.parametrize("op", ["unplug", pytest.param("stuck", marks=NIGHTLY)])
def test_a_board_that_goes_comes_back(op: str, cache: Path, tmp_path: Path) -> None:
    x = samples(20)
    with twin_of(cache, tmp_path) as twin:
        assert run(twin, x).hello.boot_count == 1
        assert twin.control(op) == {"done": True}
        with (
            pytest.raises(DeviceError),
            contextlib.closing(open_port(twin.link_url)) as port,
        ):
            Link(port).connect(patience_s=0.5)
        twin.control("plug")
        found = run(twin, x)
        assert found.hello.boot_count == 1  # a new life
        twin.control("reset")
        assert run(twin, x).hello.boot_count == 2
        assert twin.stats()["resets"] == 1
        with pytest.raises(DeviceError, match="unknown op"):
            twin.control("paint")
    np.testing.assert_array_equal(found.outputs, expected(x))


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        stat = Path(f"/proc/{pid}/stat")
        with contextlib.suppress(OSError):
            if stat.read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.02)
                continue
        return True
    return False


def test_ends_with_its_host(cache: Path, tmp_path: Path) -> None:
    with twin_of(cache, tmp_path) as twin:
        pid = twin.pid
        told = json.loads((tmp_path / "twin.json").read_text())
    assert gone(pid)
    script = (
        "import json, sys, time\n"
        "from pathlib import Path\n"
        "from edgekit.virtual.process import launch\n"
        "twin = launch('edgekit.virtual.fpga', json.loads(sys.argv[1]), Path(sys.argv[2]))\n"
        "sys.stdout.write(f'{twin.pid}\\n'); sys.stdout.flush(); time.sleep(60)\n"
    )
    argv = [sys.executable, "-c", script, json.dumps(told), str(tmp_path / "other")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, 0)  # it lives
        parent.send_signal(signal.SIGKILL)
    assert gone(pid)


def test_what_is_no_board_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="no virtual twin"):
        start_fpga_twin({}, BOARD.model_copy(update={"emulated": False}), tmp_path, cache=tmp_path)
    for told, message in (
        ({"library": "nowhere.so", "clock_hz": 12_000_000, "baud": 9600}, "not a file"),
        ({"library": __file__, "clock_hz": 12_000_000, "baud": 9600, "colour": 1}, "colour"),
        ({"library": __file__, "clock_hz": 9600, "baud": 12_000_000}, "no line"),
        ({"library": __file__, "clock_hz": 12_000_000, "baud": 9600}, "cannot|invalid|header"),
    ):
        with pytest.raises(ToolError, match=message):
            launch("edgekit.virtual.fpga", {"faults": {}, **told}, tmp_path)


@pytest.mark.nightly
@pytest.mark.verilator
def test_verilator_is_the_same_board(cache: Path, tmp_path: Path) -> None:
    x = samples(100)
    with start_fpga_twin(sources(), BOARD, tmp_path, cache=cache, simulator="verilator") as twin:
        found = run(twin, x)
        one = timed(twin, 4, 100_000, 1)
    np.testing.assert_array_equal(found.outputs, expected(x))
    assert set(found.cycles.tolist()) == {LATENCY}
    assert one.n == 4
