from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from meter_states import square
from test_ppk2_wire import METADATA

from edgekit.errors import ConfigError, DeviceError
from edgekit.measure.meter import METERS, open_meter, source
from edgekit.measure.replay import save
from edgekit.measure.windows import figures

TODAY = datetime.date(2026, 11, 22)


class Canned:
    """A port that answers GetMetadata, and can be told to fail."""

    def __init__(self, url: str) -> None:
        self.name = url
        self.written = b""
        self.closed = False
        self.broken = False
        self._out = b""

    def write(self, data: bytes) -> None:
        if self.broken:
            raise DeviceError("unplugged")
        self.written += data
        if data == b"\x19":
            self._out = METADATA

    def read(self, timeout_s: float) -> bytes:
        out, self._out = self._out, b""
        return out

    def close(self) -> None:
        self.closed = True


class Ports:
    def __init__(self) -> None:
        self.opened: list[Canned] = []

    def __call__(self, url: str) -> Canned:
        self.opened.append(Canned(url))
        return self.opened[-1]


@pytest.mark.parametrize(
    ("board", "url", "expected"),
    [
        ("hardware", "ppk2:/dev/ttyACM1", "measured"),
        ("hardware", "ppk2:/dev/ttyACM1?calibrated=2026-10-01", "measured"),
        ("hardware", "ppk2:", "measured"),
        ("hardware", "ppk2:usb:1915:C00A:123", "measured"),
        ("hardware", "ppk2:COM7", "measured"),
        ("hardware", "ppk2:/dev/pts/3", "modelled"),
        ("hardware", "ppk2:socket://127.0.0.1:4000", "modelled"),
        ("hardware", "ppk2:rfc2217://rig:4000", "modelled"),
        ("hardware", "replay:/dev/ttyACM1", "modelled"),
        ("hardware", None, "modelled"),
        ("virtual", "ppk2:/dev/ttyACM1", "modelled"),
        ("virtual", None, "modelled"),
    ],
)
def test_what_may_be_called_measured(board: str, url: str | None, expected: str) -> None:
    assert source(board, url) == expected  # type: ignore[arg-type]


class LateClock:
    """The clock of an emulator that pauses, twice, before it sends its queue."""

    slack_samples = 0

    def __init__(self, ports: Ports, tail: bytes) -> None:
        self._ports, self._tail, self._pauses = ports, tail, 2

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def tail_waits(self) -> bool:
        self._pauses -= 1
        if self._pauses == 0:
            self._ports.opened[-1]._out = self._tail
        return self._pauses >= 0

    def sampled_s(self) -> float:
        return len(self._tail) / 4 / 100_000


def test_an_emulator_that_pauses_is_waited_for() -> None:
    ports = Ports()
    tail = (np.arange(5000, dtype="<u4") % 64 << 18).tobytes()
    meter = open_meter("ppk2:socket://127.0.0.1:1", ports, clock=LateClock(ports, tail))
    meter.start(3300)
    trace = meter.stop()
    assert (trace.samples, trace.lost) == (5000, 0)


def test_reports_do_not_call_an_emulator_a_ppk2() -> None:
    assert open_meter("ppk2:/dev/ttyACM1", Ports()).info.model == "PPK2"
    assert "emulated" in open_meter("ppk2:socket://127.0.0.1:1", Ports()).info.model


def test_a_link_to_a_pseudo_terminal_is_still_one(tmp_path: Path) -> None:
    link = tmp_path / "ttyACM0"
    link.symlink_to("/dev/pts/0")
    assert source("hardware", f"ppk2:{link}") == "modelled"


def test_unknown_meter_and_option_name_what_there_is() -> None:
    with pytest.raises(ConfigError) as caught:
        open_meter("ppk3:/dev/x", Ports())
    assert all(name in caught.value.hint for name in METERS)
    with pytest.raises(ConfigError, match="'gian_percent'") as caught:
        open_meter("ppk2:/dev/x?gian_percent=2", Ports())
    assert "gain_percent" in caught.value.hint


@pytest.mark.parametrize(
    "option", ["gain_percent=two", "gain_percent=-1", "gain_percent=nan", "calibrated=yesterday",
               "wiring=parallel"],
)  # fmt: skip
def test_bad_options(option: str) -> None:
    with pytest.raises(ConfigError, match=option.partition("=")[0]):
        open_meter(f"ppk2:/dev/x?{option}", Ports())


@pytest.mark.parametrize(
    ("date", "fresh"),
    [("2026-11-22", True), ("2025-11-21", True), ("2025-11-20", False), ("2027-01-01", False)],
)
def test_a_certificate_makes_and_stops_being_calibrated(date: str, fresh: bool) -> None:
    url = f"ppk2:/dev/ttyACM1?calibrated={date}&gain_percent=1.5&offset_ua=0.3"
    meter = open_meter(url, Ports(), today=TODAY)
    assert meter.info.calibrated is fresh
    assert (meter.info.gain_percent, meter.info.offset_ua) == (1.5, 0.3)


def test_without_a_certificate_the_device_is_believed() -> None:
    ports = Ports()
    assert open_meter("ppk2:", ports).info.calibrated is False
    assert ports.opened[0].name == "usb:1915:C00A"


def test_series_wiring_leaves_the_board_powered_and_supply_wiring_does_not() -> None:
    for wiring, mode, ends in (("ampere", b"\x11\x01", False), ("source", b"\x11\x02", True)):
        ports = Ports()
        meter = open_meter(f"ppk2:/dev/x?wiring={wiring}", ports)
        meter.start(1800)
        meter.close()
        meter.close()
        written = ports.opened[0].written
        assert mode + b"\x0d\x07\x08" + b"\x0c\x01" + b"\x06" in written
        assert written.endswith(b"\x0c\x00") is ends
        assert b"\x07" in written.rpartition(b"\x06")[2]
        assert ports.opened[0].closed


def test_a_meter_that_went_away_can_still_be_closed() -> None:
    ports = Ports()
    meter = open_meter("ppk2:/dev/x", ports)
    meter.start(1800)
    ports.opened[0].broken = True
    meter.close()
    assert ports.opened[0].closed


def recording(path: Path) -> Path:
    save(path, *square(21, 300, 700, 20_000.0, 1_000.0), 100_000.0)
    return path


def test_replay_gives_the_recorded_figures_and_is_never_calibrated(tmp_path: Path) -> None:
    meter = open_meter(f"replay:{recording(tmp_path / 'r.npz')}", Ports())
    meter.start(3300)
    assert meter.read(0.1) > 0
    got = figures(meter.stop(), source="modelled", scope="supply", mode="active", rate_hz=None)
    meter.close()
    assert got.mean_mw == pytest.approx(66.0)
    assert not got.meter.calibrated


def test_replay_of_an_exported_csv(tmp_path: Path) -> None:
    current, mark = square(5, 30, 70, 20_000.0, 1_000.0)
    rows = ["Timestamp(ms),Current(uA),D0-D7"]
    rows += [
        f"{k * 0.01:.3f},{c:.3f},{int(m)}0000000"
        for k, (c, m) in enumerate(zip(current, mark, strict=True))
    ]
    path = tmp_path / "export.csv"
    path.write_text("\n".join(rows) + "\n")
    meter = open_meter(f"replay:{path}", Ports())
    assert meter.info.sample_rate_hz == pytest.approx(100_000.0)
    meter.start(3300)
    got = figures(meter.stop(), source="modelled", scope="supply", mode="average", rate_hz=None)
    assert got.mean_mw == pytest.approx((0.3 * 20 + 0.7) * 3.3)


def test_what_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        open_meter(f"replay:{tmp_path / 'none.npz'}", Ports())
    (tmp_path / "bad.npz").write_bytes(b"not a zip")
    with pytest.raises(ConfigError, match="cannot be read"):
        open_meter(f"replay:{tmp_path / 'bad.npz'}", Ports())
    np.savez(tmp_path / "keys.npz", current=np.zeros(3))
    with pytest.raises(ConfigError, match="cannot be read"):
        open_meter(f"replay:{tmp_path / 'keys.npz'}", Ports())
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match="does not begin with"):
        open_meter(f"replay:{tmp_path / 'bad.csv'}", Ports())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"current_ua": np.array([1.0, np.nan, 1.0])}, "no number"),
        ({"current_ua": np.array([1.0, np.inf, 1.0])}, "no number"),
        ({"current_ua": np.array(["a", "b", "c"])}, "numbers and booleans"),
        ({"current_ua": np.ones(3, complex)}, "numbers and booleans"),
        ({"mark": np.ones(3)}, "numbers and booleans"),
        ({"mark": np.ones(2, bool)}, "two equal rows"),
        ({"rate_hz": np.ones(3)}, "samples a second"),
        ({"rate_hz": "fast"}, "samples a second"),
        ({"rate_hz": np.nan}, "samples a second"),
        ({"rate_hz": np.inf}, "samples a second"),
        ({"rate_hz": 1e-300}, "samples a second"),
    ],
)
def test_a_recording_of_nonsense(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    arrays: dict[str, Any] = {"current_ua": np.ones(3), "mark": np.ones(3, bool), "rate_hz": 1e5}
    np.savez(tmp_path / "r.npz", **{**arrays, **changed})
    with pytest.raises(ConfigError, match=words):
        open_meter(f"replay:{tmp_path / 'r.npz'}", Ports())


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (b"0,1,1\n0.01,nan,0\n", "line 3.*no number"),
        (b"nan,1,1\n0.01,1,0\n", "line 2.*no number"),
        (b"0,1,1\n1e-300,1,0\n", "samples a second"),
        (b"0,1,1\n\xff\xfe,1,0\n", "cannot be read"),
        (b"0,1,1\n0,1,0\n", "no two samples in order"),
    ],
)
def test_an_export_of_nonsense(tmp_path: Path, rows: bytes, words: str) -> None:
    (tmp_path / "r.csv").write_bytes(b"Timestamp(ms),Current(uA),D0-D7\n" + rows)
    with pytest.raises(ConfigError, match=words):
        open_meter(f"replay:{tmp_path / 'r.csv'}", Ports())
