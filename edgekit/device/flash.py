"""Writes an image with the user's flasher: a process that never waits and never asks."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgekit.board import Board
from edgekit.build import tools
from edgekit.build.plan import Artifact
from edgekit.device.find import probe_serial
from edgekit.errors import ConfigError, DeviceError

_log = logging.getLogger(__name__)

Cause = Literal[
    "NO_PROBE", "BUSY", "PERMISSION", "WRONG_TARGET", "VERIFY_FAILED", "TIMEOUT", "FAILED"
]

_HINTS: dict[Cause, str] = {
    "NO_PROBE": "plug the board in by its debug (ST-LINK, FTDI) USB connector",
    "BUSY": "close the debugger or the other flasher that holds the probe",
    "PERMISSION": "install the udev rules of your flasher (60-openocd.rules, 50-cmsis-dap.rules), "
    "then unplug the probe and plug it in again",
    "WRONG_TARGET": "is this the board that was asked for, and is it powered? "
    "pyocd needs `pyocd pack install` for some chips",
    "VERIFY_FAILED": "the flash holds something else than was written: try again, "
    "and look for write protection",
    "TIMEOUT": "unplug the board and plug it in again",
    "FAILED": "the log has the flasher's own words",
}

# First match wins: a permission problem is also reported as "open failed".
_SIGNS: tuple[tuple[Cause, str], ...] = (
    ("PERMISSION", r"LIBUSB_ERROR_ACCESS|permission denied|insufficient permissions"),
    ("BUSY", r"LIBUSB_ERROR_BUSY|resource busy|in use|failed to claim(?! cable)|unable to claim"),
    ("VERIFY_FAILED", r"verify failed|checksum mismatch|contents differ|verification failed"),
    (
        "WRONG_TARGET",
        r"unexpected idcode|not recognized|init mode failed|cannot identify|auto_probe failed|"
        r"not examined|no ack|could not find MEM-AP|unable to connect to the target|"
        r"cannot read IDR|unable to reset target|target voltage",
    ),
    (
        "NO_PROBE",
        r"open failed|no device found|no connected debug probe|no target device available|"
        r"no available debug probe|unable to find a matching|device not found",
    ),
)
_LADDER: tuple[bool, ...] = (False, True)  # as usual; then slowly and under reset
_RETRY: frozenset[Cause] = frozenset({"BUSY", "WRONG_TARGET", "VERIFY_FAILED", "FAILED"})


class FlashError(DeviceError):
    """The image was not written; `cause` says which way it failed."""

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(f"{cause}: {message}", hint=_HINTS[cause])
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Flashed:
    """What wrote the image."""

    flasher: str
    version: str | None
    argv: tuple[str, ...]
    attempts: int


def _openocd(image: Path, target: str, probe: str | None, careful: bool) -> tuple[str, ...]:
    argv = ["openocd", "-f", target]
    if probe:
        argv += ["-c", f"adapter serial {probe}"]
    if careful:
        argv += ["-c", "adapter speed 240", "-c", "reset_config srst_only connect_assert_srst"]
    return (*argv, "-c", f"program {{{image}}} verify reset exit")


def _pyocd(image: Path, target: str, probe: str | None, careful: bool) -> tuple[str, ...]:
    argv = ["pyocd", "flash", "--no-wait", "-t", target]
    if probe:
        argv += ["-u", probe]
    if careful:
        argv += ["-M", "under-reset", "-f", "240k"]
    return (*argv, str(image))


def _openfpgaloader(image: Path, target: str, probe: str | None, careful: bool) -> tuple[str, ...]:
    argv = ["openFPGALoader", "-b", target, "-f"]
    if probe:
        argv += ["--ftdi-serial", probe]
    if careful:
        argv += ["--freq", "1000000"]
    return (*argv, str(image))


# (image, target of the board file, probe serial, careful) -> argv
FLASHERS: dict[str, Callable[[Path, str, str | None, bool], tuple[str, ...]]] = {
    "openocd": _openocd,
    "pyocd": _pyocd,
    "openFPGALoader": _openfpgaloader,
}


def flash(
    artifact: Artifact,
    board: Board,
    *,
    probe: str | None = None,
    flasher: str | None = None,
    timeout_s: float = 120.0,
) -> Flashed:
    """Write the artifact's image or bitstream to the board; the flasher's words go to flash.log.

    Without `probe`, exactly one board of this kind has to be attached. Raises ToolError when the
    flasher is not installed, FlashError (a DeviceError) with its cause when it fails.
    """
    if board.flash is None:
        raise DeviceError(
            f"edgekit knows no flasher for {board.title}",
            hint="write the image with the maker's tool, or use --virtual where it has a twin",
        )
    name = flasher or board.flash.default
    if name not in FLASHERS or name not in board.flash.targets:
        raise ConfigError(
            f"board {board.name} cannot be flashed with {name!r}",
            hint=f"pick one of: {', '.join(sorted(FLASHERS.keys() & board.flash.targets.keys()))}",
        )
    prefix = tools.require(name)
    probe = probe or probe_serial(board)
    image = artifact.products["bitstream" if "bitstream" in artifact.products else "elf"]
    log = artifact.directory / "flash.log"
    log.write_text("", encoding="utf-8")
    for attempt, careful in enumerate(_LADDER, 1):
        argv = FLASHERS[name](image, board.flash.targets[name], probe, careful)
        try:
            _run(name, (*prefix, *argv[1:]), log, timeout_s)
        except FlashError as exc:
            _log.warning("%s, attempt %d: %s", name, attempt, exc.message)
            if exc.cause not in _RETRY or attempt == len(_LADDER):
                raise
            continue
        return Flashed(name, tools.version(name), argv, attempt)
    raise AssertionError("unreachable")


def _run(name: str, argv: tuple[str, ...], log: Path, timeout_s: float) -> None:
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        output = _kill(process)
        _note(log, argv, "killed", output)
        raise FlashError(
            "TIMEOUT", f"{name} did not end within {timeout_s:g} s (log: {log})"
        ) from None
    except BaseException:
        _kill(process)
        raise
    _note(log, argv, str(process.returncode), output)
    if process.returncode != 0:
        cause = classify(output)
        last = [line.strip() for line in output.splitlines() if line.strip()][-3:]
        raise FlashError(
            cause,
            f"{name} ended with status {process.returncode}: "
            f"{' / '.join(last) or 'no output'} (log: {log})",
        )


def _kill(process: subprocess.Popen[str]) -> str:
    """End the flasher and whatever it started; return what it had written."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    output, _ = process.communicate()
    return output


def _note(log: Path, argv: tuple[str, ...], status: str, output: str) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(argv)}\n{output}\n[status {status}]\n")


def classify(output: str) -> Cause:
    """Return why a flasher failed, from what it wrote."""
    for cause, sign in _SIGNS:
        if re.search(sign, output, re.IGNORECASE):
            return cause
    return "FAILED"
