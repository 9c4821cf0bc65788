"""Flashers: stand-ins first on PATH for what needs a board, and the real ones without any."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from edgekit import board
from edgekit.build import tools
from edgekit.build.plan import Artifact, Sizes
from edgekit.device import find, flash
from edgekit.device.flash import FlashError
from edgekit.errors import ConfigError, DeviceError, ToolError

L4R5 = board.find("nucleo-l4r5zi")
SIZES = Sizes(0, 0, 0, 0, 0, 0, None)


@pytest.fixture(autouse=True)
def _no_boards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find.list_ports, "comports", lambda: [])


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    elf = tmp_path / "a folder" / "firmware.elf"
    elf.parent.mkdir()
    elf.write_bytes(b"\x7fELF")
    return Artifact("0" * 32, L4R5.name, elf.parent, {"elf": elf}, SIZES, {})


class Tools:
    """Stand-ins: shell scripts that note their arguments and behave as told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, body: str) -> None:
        script = self.folder / name
        script.write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && {{ echo "{name} 9.9"; exit 0; }}\n'
            f'printf "%s|" "$@" >> "{self.folder}/calls"; echo >> "{self.folder}/calls"\n{body}\n'
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)

    def calls(self) -> list[list[str]]:
        lines = (self.folder / "calls").read_text().splitlines()
        return [line.rstrip("|").split("|") for line in lines]


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return Tools(folder)


def test_openocd_is_called_without_questions(stand_ins: Tools, artifact: Artifact) -> None:
    stand_ins.add("openocd", 'echo "** Verified OK **"')
    done = flash.flash(artifact, L4R5, probe="066A")
    assert stand_ins.calls() == [
        [
            "-f",
            "board/st_nucleo_l4.cfg",
            "-c",
            "adapter serial 066A",
            "-c",
            f"program {{{artifact.products['elf']}}} verify reset exit",
        ]
    ]
    assert (done.flasher, done.version, done.attempts) == ("openocd", "openocd 9.9", 1)
    assert "Verified OK" in (artifact.directory / "flash.log").read_text()


def test_pyocd_never_waits_for_a_probe(
    stand_ins: Tools, artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("pyocd", "exit 0")
    monkeypatch.setattr(tools, "require", lambda name: (name,))  # and not the installed package
    flash.flash(artifact, L4R5, probe="066A", flasher="pyocd")
    elf = str(artifact.products["elf"])
    assert stand_ins.calls() == [["flash", "--no-wait", "-t", "stm32l4r5zitx", "-u", "066A", elf]]


@pytest.mark.parametrize(
    ("said", "cause", "attempts"),
    [
        (
            "Error: libusb_open() failed with LIBUSB_ERROR_ACCESS\nError: open failed",
            "PERMISSION",
            1,
        ),
        ("Error: open failed", "NO_PROBE", 1),
        ("No connected debug probes", "NO_PROBE", 1),
        ("Error: libusb_claim_interface() failed with LIBUSB_ERROR_BUSY", "BUSY", 2),
        (
            "Error: checksum mismatch - attempting binary compare\n** Verify Failed **",
            "VERIFY_FAILED",
            2,
        ),
        ("Warn : UNEXPECTED idcode: 0x1ba01477", "WRONG_TARGET", 2),
        ("Target type stm32l4r5zitx not recognized.", "WRONG_TARGET", 2),
        ("Error: init mode failed (unable to connect to the target)", "WRONG_TARGET", 2),
        ("something new", "FAILED", 2),
        ("", "FAILED", 2),
    ],
)
def test_failures_are_told_apart(
    stand_ins: Tools, artifact: Artifact, said: str, cause: str, attempts: int
) -> None:
    stand_ins.add("openocd", f"cat <<'X' >&2\n{said}\nX\nexit 1")
    with pytest.raises(FlashError, match=f"^{cause}: openocd ended with status 1") as caught:
        flash.flash(artifact, L4R5, probe="066A")
    assert caught.value.cause == cause
    assert caught.value.hint
    assert caught.value.exit_code == 6
    calls = stand_ins.calls()
    assert len(calls) == attempts
    if attempts == 2:
        assert "adapter speed 240" in calls[1]


def test_the_second_try_is_slow_and_under_reset(stand_ins: Tools, artifact: Artifact) -> None:
    stand_ins.add(
        "openocd",
        'case "$*" in *connect_assert_srst*) exit 0;; esac; echo target not examined; exit 1',
    )
    assert flash.flash(artifact, L4R5, probe="066A").attempts == 2


def test_a_flasher_that_hangs_is_ended_with_its_children(
    stand_ins: Tools, artifact: Artifact, tmp_path: Path
) -> None:
    left = tmp_path / "left"
    stand_ins.add("openocd", f'(sleep 2; touch "{left}") & echo waiting; sleep 60')
    start = time.monotonic()
    with pytest.raises(FlashError, match=r"^TIMEOUT: openocd did not end within 0.5 s"):
        flash.flash(artifact, L4R5, probe="066A", timeout_s=0.5)
    assert time.monotonic() - start < 2
    time.sleep(2.2)
    assert not left.exists()
    assert "waiting" in (artifact.directory / "flash.log").read_text()


def test_a_missing_flasher_is_a_tool_error(
    artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="openocd is not installed") as caught:
        flash.flash(artifact, L4R5)
    assert "openocd" in caught.value.hint


def test_an_unknown_flasher_is_refused(artifact: Artifact) -> None:
    with pytest.raises(ConfigError, match="cannot be flashed with 'esptool'") as caught:
        flash.flash(artifact, L4R5, flasher="esptool")
    assert caught.value.hint == "pick one of: openocd, pyocd"


def test_no_flasher_runs_while_two_boards_are_attached(
    stand_ins: Tools, artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("openocd", "exit 0")
    two = (find.Candidate("/dev/a", "A", ""), find.Candidate("/dev/b", "B", ""))
    monkeypatch.setattr(find, "candidates", lambda *_: two)
    with pytest.raises(DeviceError, match="2 probes"):
        flash.flash(artifact, L4R5)
    assert not (stand_ins.folder / "calls").exists()
    flash.flash(artifact, L4R5, probe="B")
    assert "adapter serial B" in stand_ins.calls()[0]


@pytest.mark.parametrize("name", flash.FLASHERS)
def test_the_real_flasher_without_a_board(artifact: Artifact, name: str) -> None:
    if tools.find(name) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is not installed: {tools.tool(name).install}")
        pytest.skip(f"{name} is not installed: {tools.tool(name).install}")
    of = board.find("icebreaker") if name == "openFPGALoader" else L4R5
    with pytest.raises(FlashError, match=r"^NO_PROBE: \S+ ended with status 1") as caught:
        flash.flash(artifact, of, probe="NOPE", flasher=name, timeout_s=60)
    assert caught.value.cause == "NO_PROBE"
