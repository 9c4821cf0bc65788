"""The official MLPerf Tiny runner, unmodified, drives the virtual board.

Runs where EDGEKIT_MLPERF_RUNNER names the folder `benchmark/runner` of a checkout of
github.com/mlcommons/tiny; EDGEKIT_MLPERF_PYTHON may name an interpreter that has the packages which
the runner imports (pyserial, pyyaml, numpy, scikit-learn, matplotlib, pyusb).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ee_client import identification, measurement
from pty_bridge import PtyBridge
from text_device import KEYWORD_MODEL, Device, build, keyword_inputs
from twin_host import link_port, wait_ready

from edgekit.board import Board
from edgekit.device import session
from edgekit.device.serial_port import open_port
from edgekit.virtual import Twin, start_twin

FOLDER = os.environ.get("EDGEKIT_MLPERF_RUNNER", "")
PYTHON = os.environ.get("EDGEKIT_MLPERF_PYTHON", sys.executable)
pytestmark = [
    pytest.mark.nightly,
    pytest.mark.virtual,
    pytest.mark.gcc,
    pytest.mark.data,
    pytest.mark.skipif(
        not (Path(FOLDER) / "main.py").is_file(),
        reason="EDGEKIT_MLPERF_RUNNER names no folder with the official runner",
    ),
]
HARNESS = Path(__file__).resolve().parent / "runner_harness.py"
SAMPLES = 100
WINDOWS = 5


@dataclass(frozen=True)
class Ran:
    """What the runner printed, wrote to results.json and sent to the board."""

    text: str
    results: list[dict[str, Any]]
    sent: bytes

    def outputs(self) -> np.ndarray:
        return np.array([result["infer"]["results"] for result in self.results])


@pytest.fixture(scope="module")
def keywords(
    shared_data: Path, board: Board, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Device, np.ndarray, Path]:
    """The image, the labels and the folder of data sets as the runner expects it."""
    work = tmp_path_factory.mktemp("official")
    model = work / "kws01.tflite"
    shutil.copy(shared_data / KEYWORD_MODEL, model)
    inputs, rows = keyword_inputs(shared_data, SAMPLES)
    folder = work / "datasets" / "kws01"
    folder.mkdir(parents=True)
    (folder / "y_labels.csv").write_text("".join(f"{','.join(row)}\n" for row in rows))
    for row, data in zip(rows, inputs, strict=True):
        (folder / row[0]).write_bytes(data.tobytes())
    labels = np.array([int(row[2]) for row in rows])
    return build(model, board, work, inputs), labels, folder.parent


@pytest.fixture
def twin(
    keywords: tuple[Device, np.ndarray, Path], board: Board, cache: Path, tmp_path: Path
) -> Iterator[Twin]:
    """A twin whose inferences take their time of the wall clock too, which the runner looks at."""
    with start_twin(keywords[0].elf, board, tmp_path / "twin", cache=cache, real_time=True) as twin:
        wait_ready(twin, timeout_s=60)
        yield twin
        stats = twin.stats()
        assert stats["violations"] == []
        assert stats["fault"] is None


def run_official(
    twin: Twin, datasets: Path, work: Path, mode: str, script: Path, *, check_name: bool = False
) -> Ran:
    """Run the official `main.py` in `work` against the twin."""
    device = work / "devices.yaml"
    entry = (Path(FOLDER) / "devices_kws_ic_vww.yaml").read_text()
    if check_name:
        entry = entry.replace("type: dut\n", "type: dut\n  check_name: edgekit\n")
    device.write_text(entry)
    with PtyBridge(link_port(twin)) as bridge:
        options = ("-d", device, "-t", script, "-s", datasets, "-m", mode)
        done = subprocess.run(
            [PYTHON, HARNESS, FOLDER, bridge.tty, *map(str, options)],
            cwd=work,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        sent = bytes(bridge.sent)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    (results,) = work.glob("sessions/*/results.json")
    return Ran(text, json.loads(results.read_text()), sent)


def test_accuracy(twin: Twin, keywords: tuple[Device, np.ndarray, Path], tmp_path: Path) -> None:
    device, labels, datasets = keywords
    script = Path(FOLDER) / "tests_accuracy.yaml"
    ran = run_official(twin, datasets, tmp_path, "a", script)
    port = open_port(twin.link_url)
    try:
        own = session.run_samples(port, device.inputs).outputs.astype(int)
    finally:
        port.close()
    np.testing.assert_array_equal(own, device.expected())
    outputs = ran.outputs()
    np.testing.assert_array_equal(outputs.argmax(axis=1), own.argmax(axis=1))
    edge = device.graph.outputs[0]
    np.testing.assert_allclose(outputs, edge.scale * (own - edge.zero_point), rtol=0, atol=0.000501)
    accuracy = 100 * np.mean(own.argmax(axis=1) == labels)
    assert f"Top 1% = {accuracy:2.1f}\n" in ran.text
    sequence = b"".join(measurement(x.tobytes(), 1, 0) for x in device.inputs)
    assert ran.sent == identification() + sequence  # what our own client replays


@pytest.mark.parametrize("iterations", [70, 130], ids=["as_published", "windows_of_10_s"])
def test_performance(
    twin: Twin, keywords: tuple[Device, np.ndarray, Path], tmp_path: Path, iterations: int
) -> None:
    device, _, datasets = keywords
    published = (Path(FOLDER) / "tests_performance.yaml").read_text()
    script = tmp_path / "tests.yaml"
    script.write_text(published.replace("infer 70 10", f"infer {iterations} 10"))
    ran = run_official(twin, datasets, tmp_path, "p", script, check_name=True)
    assert "ERROR" not in ran.text
    assert len(ran.results) == WINDOWS
    cycles = twin.counts().cycles_hi
    rates = [result["infer"]["throughput"] for result in ran.results]
    assert rates == pytest.approx([120e6 / cycles] * WINDOWS, rel=0.002)
    found = re.search(r"Median throughput is +([0-9.]+) inf", ran.text)
    assert found is not None
    assert float(found[1]) == pytest.approx(float(np.median(rates)), abs=0.001)
    long_enough = ran.text.count("Runtime requirements have been met.")
    assert long_enough == sum(r["infer"]["elapsed_time"] > 10e6 for r in ran.results)
    assert long_enough == (WINDOWS if iterations == 130 else 0)
    np.testing.assert_array_equal(
        ran.outputs().argmax(axis=1), device.expected()[:WINDOWS].argmax(axis=1)
    )
