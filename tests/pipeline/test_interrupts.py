"""Ctrl-C, termination and SIGKILL at every stage: nothing stays behind, and the next run works."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from deploying import DIGITS, HELD_OUT, Started, edgekit, gone, tagged

pytestmark = [pytest.mark.virtual, pytest.mark.gcc]

ON_TWIN = ("deploy", str(DIGITS), "--board", "nucleo-l4r5zi", "--virtual", "--json", "-o", "work")
GONE_S = 3.0


def is_up(word: str) -> Callable[[Started], bool]:
    """Whether a process that the command started has `word` in its command line."""
    return lambda started: any(word in line for line in tagged(started.tag))


def running(started: Started) -> bool:
    """Whether the board has answered some samples."""
    journal = started.cwd / "work" / "outputs.journal"
    return journal.is_file() and journal.stat().st_size > 1000


# Stage -> how to see that it goes on. Each lasts far longer than it takes to look.
STAGES: dict[str, Callable[[Started], bool]] = {
    "compile": is_up("slow-compiler"),
    "run": running,
    "meter": is_up("ppk2_emulator"),
}


@pytest.fixture
def begin(tmp_path: Path, work: Path) -> Iterator[Callable[[str], Started]]:
    """Start a deployment and wait until it is in a stage."""
    begun: list[Started] = []

    def start(stage: str) -> Started:
        env = {}
        arguments = list(ON_TWIN)
        if stage == "compile":
            arguments[-1] = "fresh"
            compiler = tmp_path / "bin" / "arm-none-eabi-gcc"
            compiler.parent.mkdir(exist_ok=True)
            (tmp_path / "bin" / "slow-compiler").symlink_to("/bin/sleep")
            compiler.write_text(f"#!/bin/sh\nexec {tmp_path}/bin/slow-compiler 20\n")
            compiler.chmod(0o755)
            env["PATH"] = f"{compiler.parent}:{os.environ['PATH']}"
        if stage == "run":
            with np.load(HELD_OUT) as file:
                np.savez(tmp_path / "many.npz", x=np.tile(file["x"], (4, 1)))
            arguments += ["--data", "many.npz"]
        if stage == "meter":
            arguments += ["--rate-hz", "0.02"]
        started = Started(tmp_path, tuple(arguments), env)
        begun.append(started)
        deadline = time.monotonic() + 60.0
        while not STAGES[stage](started):
            assert started.process.poll() is None, started.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return started

    yield start
    for started in begun:
        if started.process.poll() is None:
            started.process.kill()
            started.process.communicate()


def whole_group(started: Started, sign: signal.Signals) -> None:
    """As a terminal does on Ctrl-C."""
    os.killpg(started.process.pid, sign)


def process_only(started: Started, sign: signal.Signals) -> None:
    """As `kill` does, or a supervisor."""
    started.process.send_signal(sign)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    ("to", "sign", "code", "words"),
    [
        (whole_group, signal.SIGINT, 130, "error: interrupted; what was finished stays in the"),
        (process_only, signal.SIGINT, 130, "error: interrupted; what was finished stays in the"),
        (process_only, signal.SIGTERM, 143, "error: terminated"),
    ],
    ids=["ctrl-c", "int", "term"],
)
def test_stopped(
    stage: str,
    to: Callable[[Started, signal.Signals], None],
    sign: signal.Signals,
    code: int,
    words: str,
    begin: Callable[[str], Started],
) -> None:
    started = begin(stage)
    at = time.monotonic()
    to(started, sign)
    ended = started.end(20.0)
    assert ended.code == code, ended.err
    assert time.monotonic() - at < 10.0
    assert ended.err.startswith(words)
    assert ended.err.count("\n") == 1  # that line and nothing else
    assert gone(started.tag, GONE_S) == []


@pytest.mark.parametrize("stage", STAGES)
def test_killed(stage: str, begin: Callable[[str], Started]) -> None:
    """Nothing can be done in the process itself: what it started notices."""
    started = begin(stage)
    started.process.kill()
    assert started.end(20.0).code == -signal.SIGKILL
    left = [line for line in gone(started.tag, GONE_S) if "slow-compiler" not in line]
    assert left == []  # a compiler ends by itself, as soon as it has compiled
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if started.tag.encode() in entry.read_bytes():
                os.kill(int(entry.parent.name), signal.SIGKILL)
        except OSError:
            continue


def test_the_next_run_goes_on(tmp_path: Path, begin: Callable[[str], Started]) -> None:
    """After a SIGKILL in mid-run: what the board had answered is not asked for again."""
    started = begin("run")
    started.process.kill()
    started.end(20.0)
    assert gone(started.tag, GONE_S) == []
    journal = tmp_path / "work" / "outputs.journal"
    header, _, records = journal.read_bytes().partition(b"\n")
    size = 8 + json.loads(header)["output_bytes"] + 4
    kept = len(records) // size
    assert kept > 10
    with journal.open("ab") as file:
        file.write(b"torn")  # as a power cut leaves it
    done = edgekit(tmp_path, "-v", "run", *ON_TWIN[1:], "--data", "many.npz")
    assert done.code == 0, done.err
    assert f"{kept} of 1800 outputs are in work/outputs.journal" in done.err
    assert done.json["inferences"] == 1800
    with np.load(tmp_path / "work" / "outputs.npz") as file:
        outputs = file["outputs"].reshape(4, 450, -1)
    assert (outputs == outputs[0]).all()  # the same digits four times, whichever run did them
    assert not journal.exists()


def test_a_build_broken_off_is_done_again(tmp_path: Path, begin: Callable[[str], Started]) -> None:
    started = begin("compile")
    whole_group(started, signal.SIGINT)
    assert started.end(20.0).code == 130
    assert list((tmp_path / "fresh").glob("build/*/artifact.json")) == []
    done = edgekit(tmp_path, "build", *ON_TWIN[1:4], "-o", "fresh")
    assert done.code == 0, done.err
