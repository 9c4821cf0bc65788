"""The command as a process: how fast it answers, how it ends when it is stopped."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

EDGEKIT = (sys.executable, "-m", "edgekit.cli.app")

# A deployment that starts a process in a context manager and then waits.
WAITING = """
import subprocess, sys, types
from edgekit.cli import app

def deploy(settings, *, progress):
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as child:
        try:
            print(child.pid, flush=True)
            child.wait()
        finally:
            child.kill()
            child.wait()

module = types.ModuleType("edgekit.pipeline.deploy")
module.deploy = deploy
sys.modules[module.__name__] = module
sys.exit(app.run(["deploy"]))
"""


def test_help_is_quick() -> None:
    """Under 0.3 s; the best of five, since the machine may be busy."""
    # Time of the processor, not of the wall: other tests run beside this one.
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*EDGEKIT, "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.3


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from edgekit.cli import app; app.run(['--help']); "
        "print([m for m in ('numpy', 'onnx', 'pydantic', 'yaml', 'serial', 'jinja2', 'plotly') "
        "if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr.strip() == "[]"


def test_golden_help(golden: Callable[[str, str], None]) -> None:
    done = subprocess.run(
        [*EDGEKIT, "--help"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100"},
    )
    golden("help.txt", "\n".join(line.rstrip() for line in done.stdout.splitlines()) + "\n")


@pytest.mark.parametrize("verb", [(), ("deploy",), ("gate",), ("boards",)])
def test_help_of_each_verb(verb: tuple[str, ...]) -> None:
    done = subprocess.run([*EDGEKIT, *verb, "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: edgekit")
    assert done.stderr == ""


def test_without_a_verb_the_help_is_shown_and_the_usage_is_wrong() -> None:
    done = subprocess.run(EDGEKIT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout.startswith("Usage: edgekit")


@pytest.fixture
def waiting(tmp_path: Path) -> subprocess.Popen[str]:
    (tmp_path / "m.tflite").write_bytes(b"")
    (tmp_path / "edgekit.yaml").write_text("model: m.tflite\nboard: nucleo-l4r5zi\nvirtual: true\n")
    return subprocess.Popen(
        [sys.executable, "-c", WAITING],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("sign", "code", "words"),
    [
        (signal.SIGINT, 130, "error: interrupted; what was finished stays in the work directory\n"),
        (signal.SIGTERM, 143, "error: terminated\n"),
    ],
)
def test_stopping_it_leaves_nothing_running(
    waiting: subprocess.Popen[str], sign: signal.Signals, code: int, words: str
) -> None:
    with waiting as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.send_signal(sign)
        try:
            _, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == code
    assert err == words
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_json_on_a_pipe_that_closes_early() -> None:
    """`edgekit boards --json | head -1` ends without a traceback."""
    with subprocess.Popen(
        [*EDGEKIT, "boards", "nucleo-l4r5zi", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read().decode()
    assert "Traceback" not in err


def test_the_json_of_a_failure_is_one_object(tmp_path: Path) -> None:
    done = subprocess.run(
        [*EDGEKIT, "deploy", "none.tflite", "--board", "nucleo-l4r5zi", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["kind"] == "config"
    assert done.stderr.startswith("error: model file none.tflite does not exist")


@pytest.mark.parametrize("json_", [(), ("--json",)])
def test_a_full_output_is_no_bug(json_: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*EDGEKIT, "boards", *json_],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert "error: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_outputs_that_are_closed() -> None:
    done = subprocess.run(
        ["sh", "-c", '"$0" -m edgekit.cli.app boards nope <&- >&- 2>&-', sys.executable],
        check=False,
    )
    assert done.returncode == 2


def test_an_output_that_takes_ascii_only() -> None:
    done = subprocess.run(
        [*EDGEKIT, "boards", "nucleo-l4r5zi"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"\\xb1" in done.stdout  # the plus-minus sign
