"""Ctrl-C and termination while a bitstream is made: one sentence, no process left."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from deploying import ROOT, Started, gone, tagged
from writers.qonnx_writer import Net

GOLDEN = ROOT / "tests" / "golden" / "fpga"
SYNTHESIS = f"cp {GOLDEN}/ice40.stat.json net.stat.json; echo '{{}}' > net.json"
BUILD = ("build", "tiny.onnx", "--board", "upduino", "-o", "work")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    weights = np.where(np.arange(64).reshape(4, 16) % 3, 1.0, -1.0).astype(np.float32)
    return Net((1, 16)).bipolar().dense(weights).save(tmp_path / "tiny.onnx")


def tools(folder: Path, **scripts: str) -> dict[str, str]:
    """Make stand-ins for tools, and return the environment in which they are found."""
    bin_ = folder / "bin"
    bin_.mkdir(exist_ok=True)
    for name in ("yosys", "nextpnr-ice40", "icepack"):
        script = scripts.get(name.partition("-")[0], "exit 1")
        (bin_ / name).write_text(f'#!/bin/sh\n[ "$1" = --version ] && exit 0\n{script}\n')
        (bin_ / name).chmod(0o755)
    return {"PATH": f"{bin_}:{os.environ['PATH']}"}


def slow(folder: Path) -> str:
    (folder / "slow-tool").symlink_to("/bin/sleep")
    return f"{folder}/slow-tool 60"


@pytest.mark.parametrize(
    ("tool", "sign", "code"),
    [
        ("yosys", signal.SIGINT, 130),
        pytest.param("nextpnr", signal.SIGTERM, 143, marks=pytest.mark.nightly),
    ],
)
def test_stopped(tool: str, sign: signal.Signals, code: int, model: Path, tmp_path: Path) -> None:
    env = tools(tmp_path, **{"yosys": SYNTHESIS, tool: slow(tmp_path)})
    started = Started(tmp_path, BUILD, env)
    deadline = time.monotonic() + 60.0
    while not any("slow-tool" in line for line in tagged(started.tag)):
        assert started.process.poll() is None, started.process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    started.process.send_signal(sign)
    ended = started.end(20.0)
    assert ended.code == code, ended.err
    assert ended.err.count("\n") == 1
    assert gone(started.tag, 3.0) == []
    assert not list((tmp_path / "work").glob("build/*/artifact.json"))
