"""ppk2-api, a client that knows nothing of edgekit, reads the emulator over a pseudo-terminal.

EDGEKIT_PPK2_PYTHON names a Python that has it; otherwise one is made with pip for the occasion.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest
from meter_states import States

from edgekit import board
from edgekit.virtual.meter_process import start_meter

CLIENT = Path(__file__).with_name("third_party_client.py")
POINT = board.find("nucleo-l4r5zi").operating_points["run_120mhz"]


@pytest.fixture(scope="module")
def client_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    given = os.environ.get("EDGEKIT_PPK2_PYTHON")
    if given:
        return given
    home = tmp_path_factory.mktemp("ppk2-api")
    venv.create(home, with_pip=True)
    python = str(home / "bin" / "python")
    done = subprocess.run(
        [python, "-m", "pip", "install", "-q", "ppk2-api==0.9.2"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode != 0:
        message = f"ppk2-api cannot be installed: {done.stderr[-300:]}"
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    return python


@pytest.mark.nightly
@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
def test_ppk2_api_reads_the_emulator(client_python: str) -> None:
    runs, busy_s, period_s = 10, 0.02, 0.1
    samples = round(runs * period_s * 1e5)
    with States() as states, start_meter(POINT, states.port, pty=True) as meter_at:
        assert meter_at.pty is not None
        states.play(("sleep", 0, 0.01))
        client = subprocess.Popen(
            [client_python, str(CLIENT), meter_at.pty, "3300", str(samples)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert client.stdout is not None
        assert client.stdout.readline().strip() == "ready"
        time.sleep(0.3)  # nothing tells a third party when its command has taken effect
        states.play(*[("run", 1, busy_s), ("sleep", 0, period_s - busy_s)] * runs)
        out, err = client.communicate(timeout=90)
    assert client.returncode == 0, err
    got = json.loads(out.splitlines()[-1])
    duty = busy_s / period_s
    mean_ua = duty * POINT.run_ua.value + (1 - duty) * POINT.sleep_ua.value
    assert got["modifiers_read"]
    assert got["r0"] == pytest.approx(1003.3506)
    assert got["samples"] == pytest.approx(samples, abs=2)
    assert got["mean_ua"] == pytest.approx(mean_ua, rel=0.01)
    assert got["high"] == pytest.approx(duty * samples, abs=runs)
