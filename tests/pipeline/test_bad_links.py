"""Boards that restart, go silent, are not there or run something else."""

from __future__ import annotations

import fcntl
import os
import pty
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from deploying import DIGITS, edgekit, few
from serial.tools import list_ports

from edgekit.board import find
from edgekit.build.plan import Artifact
from edgekit.device import link
from edgekit.device.link import Link
from edgekit.device.serial_port import open_port
from edgekit.errors import DeviceError
from edgekit.pipeline import data, deploy, stages
from edgekit.pipeline.deploy import JOURNAL
from edgekit.pipeline.settings import Settings
from edgekit.virtual.process import Faults, Twin, start_twin

pytestmark = [pytest.mark.virtual, pytest.mark.gcc]

SAMPLES = 24


class Stages:
    """Progress that remembers its stages."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def stage(self, name: str, total: int | None = None) -> None:
        self.names.append(name)

    def advance(self, done: int) -> None:
        pass


@pytest.fixture(scope="module")
def right(built: Path, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """The first outputs of the digits on a board without faults."""
    with np.load(built / "outputs.npz") as kept:
        assert len(kept["outputs"]) == 64  # of random inputs: only their form matters here
    work = tmp_path_factory.mktemp("right")
    plan = stages.compile(stages.load(DIGITS), find("nucleo-l4r5zi"))
    artifact = stages.build(plan, built)
    samples = data.read(few(work / "few.npz", SAMPLES), stages.load(DIGITS), seed=0)
    with (
        start_twin(
            artifact.products["elf"], find("nucleo-l4r5zi"), work, cache=built / "cache"
        ) as t,
        closing(open_port(t.link_url)) as port,
    ):
        return stages.run(artifact, port, samples.as_bytes()).outputs


def outputs(work: Path) -> np.ndarray:
    with np.load(work / "outputs.npz") as kept:
        return np.asarray(kept["outputs"])


@pytest.mark.parametrize(
    "faults",
    [
        Faults(reset_after_bytes=700),
        Faults(brown_out_after_bytes=700),
        Faults(late_banner_s=1.5),
        Faults(drop_rate=0.001),
        Faults(drop_rate=0.0005, flip_rate=0.0005, split_bytes=3, clock_drift_ppm=200.0),
    ],
    ids=["reset", "brown-out", "late banner", "drop", "all of the wire"],
)
def test_survived(
    faults: Faults, settings: Callable[..., Settings], work: Path, right: np.ndarray
) -> None:
    """Whatever comes over the wire, what is kept are the right outputs."""
    report = deploy.verify(settings(SAMPLES, twin_faults=faults))
    assert report.error is None
    assert report.exit_code == 0
    assert report.equality is not None
    assert report.equality.mismatches == 0
    np.testing.assert_array_equal(outputs(work), right)
    assert not (work / JOURNAL).exists()


def test_whole_deployment_over_a_bad_wire(settings: Callable[..., Settings]) -> None:
    """The energy window too: its commands and its end may be lost and are asked for again."""
    report = deploy.deploy(settings(SAMPLES, twin_faults=Faults(drop_rate=0.001, seed=3)))
    assert report.error is None
    assert report.verdict == "pass"


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        (Faults(unplug_after_bytes=700), "closed the connection"),
        (Faults(stuck_after_bytes=700), "did not answer"),
    ],
    ids=["unplugged", "stuck"],
)
def test_broken_off_and_resumed(
    faults: Faults,
    words: str,
    settings: Callable[..., Settings],
    work: Path,
    right: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link, "TRIES", 3)
    broken = deploy.deploy(settings(SAMPLES, twin_faults=faults))
    assert broken.exit_code == 6
    assert broken.error is not None
    assert broken.error.kind == "device"
    assert words in broken.error.message
    journal = work / JOURNAL
    count = int(broken.error.message.split(" of 24 outputs are kept in ")[0].rsplit(" ", 1)[1])
    assert 0 < count < SAMPLES
    assert str(journal) in broken.error.message
    assert "run again" in broken.error.hint
    assert broken.sizes is not None  # what was found before is in the report
    assert broken.verdict is None
    assert not (work / "outputs.npz").exists()

    stage = Stages()
    resumed = deploy.deploy(settings(SAMPLES), progress=stage)
    assert resumed.exit_code == 0
    assert f"run on board: {count} outputs are kept from a run that broke off" in stage.names
    np.testing.assert_array_equal(outputs(work), right)
    assert not journal.exists()


def test_kept_outputs_of_other_inputs_are_not_taken(
    settings: Callable[..., Settings], work: Path
) -> None:
    broken = deploy.deploy(settings(SAMPLES, twin_faults=Faults(unplug_after_bytes=700)))
    assert broken.exit_code == 6
    stage = Stages()
    assert deploy.verify(settings(SAMPLES - 1), progress=stage).exit_code == 0
    assert "run on board" in stage.names
    assert len(outputs(work)) == SAMPLES - 1


def test_silent_from_the_beginning(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Link.connect, "__defaults__", (2.0,))
    report = deploy.deploy(settings(SAMPLES, twin_faults=Faults(stuck_after_bytes=1)))
    assert report.exit_code == 6
    assert report.error is not None
    assert "did not answer HELLO" in report.error.message
    assert report.error.hint


def test_no_board(tmp_path: Path, work: Path) -> None:
    done = edgekit(tmp_path, "deploy", DIGITS, "--board", "nucleo-l4r5zi", "--json", "-o", work)
    assert done.code == 6
    error = done.json["error"]
    assert error["kind"] == "device"
    assert "no ST NUCLEO-L4R5ZI is attached" in error["message"]
    assert "USB 0483:374B" in error["message"]
    assert "--virtual" in error["hint"]
    assert done.json["sizes"]["flash_bytes"] > 0  # built all the same


# --- a board on its port, as hardware is reached ------------------------------------------------


@pytest.fixture
def flasher(tmp_path: Path) -> str:
    """A PATH on which openocd writes any board."""
    path = tmp_path / "bin" / "openocd"
    path.parent.mkdir()
    path.write_text('#!/bin/sh\necho "$@" >> "$0.log"\n', encoding="utf-8")
    path.chmod(0o755)
    return f"{path.parent}:{os.environ['PATH']}"


@contextmanager
def board_with(artifact: Artifact, work: Path, cache: Path) -> Iterator[Twin]:
    elf = artifact.products["elf"]
    with start_twin(elf, find("nucleo-l4r5zi"), work, cache=cache) as twin:
        yield twin


@pytest.fixture(scope="module")
def artifact(built: Path) -> Artifact:
    plan = stages.compile(stages.load(DIGITS), find("nucleo-l4r5zi"))
    return stages.build(plan, built)


@pytest.fixture(scope="module")
def other(built: Path) -> Artifact:
    """The same model at another clock: another build."""
    plan = stages.compile(stages.load(DIGITS), find("nucleo-l4r5zi"), operating_point="run_24mhz")
    return stages.build(plan, built)


def test_board_on_a_port(
    tmp_path: Path, work: Path, built: Path, artifact: Artifact, flasher: str
) -> None:
    """Flashed, run, and unsure: there is no meter. It is a twin, and the report says so."""
    data = few(tmp_path / "few.npz", SAMPLES)
    with board_with(artifact, tmp_path / "twin", built / "cache") as twin:
        arguments = ("deploy", DIGITS, "--board", "nucleo-l4r5zi", "--port", twin.link_url)
        done = edgekit(tmp_path, *arguments, "--data", data, "-o", work, "--json", PATH=flasher)
    assert done.code == 9, done.err
    found = done.json
    assert "no meter was attached" in found["why"]
    assert found["verdict"] == "unsure"
    assert found["equality"]["mismatches"] == 0
    assert found["power"]["source"] == "modelled"
    assert found["power"]["meter"]["model"] == "none"
    assert found["virtual"] is True
    assert found["latency"]["source"] == "modelled"
    assert not (tmp_path / "bin" / "openocd.log").exists()  # it ran this build already


def test_wrong_firmware(
    tmp_path: Path, work: Path, built: Path, artifact: Artifact, other: Artifact, flasher: str
) -> None:
    data = few(tmp_path / "few.npz", 4)
    with board_with(other, tmp_path / "twin", built / "cache") as twin:
        arguments = ("deploy", DIGITS, "--board", "nucleo-l4r5zi", "--port", twin.link_url)
        done = edgekit(tmp_path, *arguments, "--data", data, "-o", work, "--json", PATH=flasher)
        assert done.code == 6
        written = (tmp_path / "bin" / "openocd.log").read_text(encoding="utf-8")
        assert "firmware.elf" in written  # it was flashed, and still is what it was
        message = done.json["error"]["message"]
        assert f"board runs build {other.plan[:8]}…, expected {artifact.plan[:8]}…" in message
        assert "flash the board again" in done.json["error"]["hint"]
        assert not (work / "outputs.npz").exists()
        with (
            closing(open_port(twin.link_url)) as port,
            pytest.raises(DeviceError, match="board runs build"),
        ):
            stages.run(artifact, port, np.zeros((1, 64), np.int8))


def test_two_boards_and_one_is_named(
    artifact: Artifact, flasher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The serial number of the port is that of the probe: the same board is flashed and opened."""
    ports = [
        SimpleNamespace(
            device=f"/dev/ttyACM7{n}",
            vid=0x0483,
            pid=0x374B,
            serial_number=n,
            product="",
            location="",
        )
        for n in "AB"
    ]
    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    monkeypatch.setenv("PATH", flasher)
    with pytest.raises(DeviceError, match="2 probes"):
        stages.flash(artifact, find("nucleo-l4r5zi"))
    with pytest.raises(DeviceError, match="/dev/ttyACM7B does not exist"):
        stages.flash(artifact, find("nucleo-l4r5zi"), port_url="usb:0483:374B:B")
    written = (tmp_path / "bin" / "openocd.log").read_text(encoding="utf-8")
    assert "adapter serial B" in written
    assert "adapter serial A" not in written


def test_busy_port(tmp_path: Path, work: Path, flasher: str) -> None:
    master, slave = pty.openpty()
    try:
        fcntl.flock(slave, fcntl.LOCK_EX | fcntl.LOCK_NB)
        arguments = ("run", DIGITS, "--board", "nucleo-l4r5zi", "--port", os.ttyname(slave))
        done = edgekit(tmp_path, *arguments, "-o", work, "--json", PATH=flasher)
    finally:
        os.close(slave)
        os.close(master)
    assert done.code == 6
    assert "is busy" in done.json["error"]["message"]
    assert "close the other program" in done.json["error"]["hint"]


def test_port_that_does_not_exist(tmp_path: Path, work: Path, flasher: str) -> None:
    arguments = ("run", DIGITS, "--board", "nucleo-l4r5zi", "--port", "/dev/ttyACM77")
    done = edgekit(tmp_path, *arguments, "-o", work, "--json", PATH=flasher)
    assert done.code == 6
    assert "/dev/ttyACM77 does not exist" in done.json["error"]["message"]


def test_failing_flasher(tmp_path: Path, work: Path) -> None:
    """A port on which nothing answers, and no probe to write firmware with."""
    path = tmp_path / "bin" / "openocd"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\necho Error: open failed >&2\nexit 1\n", encoding="utf-8")
    path.chmod(0o755)
    master, slave = pty.openpty()
    try:
        arguments = ("run", DIGITS, "--board", "nucleo-l4r5zi", "--port", os.ttyname(slave))
        search = f"{path.parent}:{os.environ['PATH']}"
        done = edgekit(tmp_path, *arguments, "-o", work, "--json", PATH=search)
    finally:
        os.close(slave)
        os.close(master)
    assert done.code == 6
    assert "NO_PROBE" in done.json["error"]["message"]
    assert "flash.log" in done.json["error"]["message"]
