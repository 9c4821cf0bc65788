"""Deployments as a user starts them, and what they leave running."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

EDGEKIT = (sys.executable, "-m", "edgekit.cli.app")
ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "examples" / "digits" / "digits.onnx"
HELD_OUT = ROOT / "examples" / "digits" / "held_out.npz"
BOARD = "nucleo-l4r5zi"
_TAG = "EDGEKIT_TEST_TAG"
_HELPERS = re.compile(
    rb"edgekit\.virtual\.(twin|ppk2_emulator)|edgekit\.frontend\.reference_worker"
)


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str
    seconds: float
    tag: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


@dataclass
class Started:
    """A command that runs; every process it starts carries its tag in the environment."""

    cwd: Path
    args: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    argv: tuple[str, ...] = EDGEKIT

    def __post_init__(self) -> None:
        self.tag = f"{_TAG}={uuid.uuid4().hex}"
        name, _, value = self.tag.partition("=")
        self.begun = time.monotonic()
        self.process = subprocess.Popen(
            [*self.argv, *self.args],
            cwd=self.cwd,
            env={**os.environ, **self.env, name: value},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a group of its own, so that a signal can go to all of it
        )

    def end(self, timeout_s: float = 120.0) -> Ended:
        """Wait for the end; what does not end is killed and fails."""
        try:
            out, err = self.process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        seconds = time.monotonic() - self.begun
        return Ended(self.process.returncode, out, err, seconds, self.tag)


def edgekit(cwd: Path, *args: str | Path, **env: str) -> Ended:
    """Run one command line to its end; nothing it started may be left."""
    ended = Started(cwd, tuple(str(a) for a in args), env).end()
    assert tagged(ended.tag) == []
    return ended


def tagged(tag: str) -> list[str]:
    """Return the command lines of running processes that carry `tag`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if tag.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    found.append(b" ".join(words).decode(errors="replace"))
            except OSError:
                continue  # it ended meanwhile, or is somebody else's
    return found


def gone(tag: str, within_s: float) -> list[str]:
    """Wait until nothing carries `tag`; return what still does after `within_s`."""
    deadline = time.monotonic() + within_s
    while (left := tagged(tag)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def helpers_of_this_process() -> set[str]:
    """Return pid and command line of twins, meters and references that this process started."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if int(parent) == os.getpid() and _HELPERS.search(words):
                command = words.replace(b"\0", b" ").decode(errors="replace")
                found.add(f"{entry.name} {command}")
    return found


def few(path: Path, count: int) -> Path:
    """Write the first `count` held-out digits to `path`."""
    with np.load(HELD_OUT) as file:
        np.savez(path, x=file["x"][:count], y=file["y"][:count])
    return path


def share(built: Path, work: Path) -> Path:
    """Make `work` a work directory with the builds and counts of `built`."""
    work.mkdir(parents=True, exist_ok=True)
    for name in ("build", "cache"):
        (work / name).symlink_to(built / name)
    return work


def mutant(firmware: Path, kernel: str, element: int) -> Path:
    """Copy the firmware; there, every call of `kernel` flips a high bit of one output element.

    Kernels of images also flip it in the eleven elements after that, lest later layers lose it.
    """
    last = element if kernel in ("ek_dense_s8", "ek_avgpool_s8") else element + 11
    shutil.copytree(ROOT / "firmware", firmware)
    header = (firmware / "include" / "edgekit.h").read_text(encoding="utf-8")
    declared = re.search(rf"void {kernel}\(([^)]*)\);", header)
    assert declared is not None, kernel
    names = re.findall(r"(\w+)(?:,|$)", declared[1].replace("\n", " "))
    source = firmware / "kernels" / f"{kernel}.c"
    text = source.read_text(encoding="utf-8")
    assert text.count(f"void {kernel}(") == 1
    source.write_text(
        text.replace(f"void {kernel}(", f"static void right_{kernel}(")
        + f"\nvoid {kernel}({declared[1]})\n{{\n    right_{kernel}({', '.join(names)});\n"
        f"    for (int32_t i = {element}; i <= {last}; i++) {{\n"
        f"        y[i] = (int8_t)(y[i] ^ 0x40);\n    }}\n}}\n",
        encoding="utf-8",
    )
    return firmware
