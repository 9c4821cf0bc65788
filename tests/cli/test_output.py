"""Plans as text and JSON; progress on a terminal and without one."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import PurePosixPath

import pytest

from edgekit.build.plan import BuildPlan, Command
from edgekit.cli.model_verbs import show_plan

PLAN = BuildPlan(
    name="digits",
    board="nucleo-l4r5zi",
    toolchain="gcc",
    files={PurePosixPath("model/model.c"): b"x" * 1_234, PurePosixPath("a.h"): b"y"},
    commands=(Command(("arm-none-eabi-gcc", "-c", "model/model.c", "-DNAME=a b"), "model"),),
    products={"elf": PurePosixPath("firmware.elf")},
    facts={"arena_bytes": 128},
)

STAGES = """
from edgekit.cli.output import progress
with progress() as stage:
    stage.stage("compile [bold]", 4)
    for i in range(5):
        stage.advance(i)
    stage.stage("flash")
"""


def test_a_plan_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_plan(PLAN, as_json=False) == 0
    assert capsys.readouterr().out == (
        f"plan {PLAN.digest()}: digits for nucleo-l4r5zi, gcc\n"
        "\n"
        "files\n"
        "          1  a.h\n"
        "      1,234  model/model.c\n"
        "\n"
        "commands\n"
        "  arm-none-eabi-gcc -c model/model.c '-DNAME=a b'\n"
    )


def test_a_plan_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_plan(PLAN, as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == {
        "schema": 1,
        "plan": PLAN.digest(),
        "model": "digits",
        "board": "nucleo-l4r5zi",
        "toolchain": "gcc",
        "files": {"a.h": 1, "model/model.c": 1_234},
        "commands": [["arm-none-eabi-gcc", "-c", "model/model.c", "-DNAME=a b"]],
        "facts": {"arena_bytes": 128},
        "error": None,
    }


def test_progress_is_silent_without_a_terminal() -> None:
    done = subprocess.run([sys.executable, "-c", STAGES], capture_output=True, check=True)
    assert done.stdout == done.stderr == b""


def test_progress_on_a_terminal_shows_stages_and_time_left() -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", STAGES], stdout=subprocess.PIPE, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # Linux: the other end is closed
                break
            if not piece:
                break
            shown += piece
        assert process.stdout is not None
        assert process.stdout.read() == b""
    os.close(ours)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "compile [bold]" in text
    assert "4/4" in text
    assert "left 0:00:00" in text
    assert "flash" in text
    assert process.returncode == 0
