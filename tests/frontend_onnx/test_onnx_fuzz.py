"""Damaged models end in a typed error or an exact run, within 1 GiB and without a hang."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).with_name("fuzz.py")
ALLOWED = {"exact", "listed", "UnsupportedError", "ConfigError", "ToolError"}


def campaign(first: int, count: int, folder: Path, time_limit_s: float, kind: str = "onnx") -> None:
    run = subprocess.run(
        [sys.executable, str(FUZZ), str(first), str(count), str(folder), kind],
        capture_output=True,
        text=True,
        timeout=time_limit_s,
        check=False,
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    cases = [line for line in lines if "case" in line]
    assert run.returncode == 0, run.stderr[-2000:]
    assert len(cases) == count
    assert [case for case in cases if case["end"] not in ALLOWED] == []
    assert sum(case["past"] for case in cases) >= 0.3 * count
    assert sum(case["end"] == "exact" for case in cases) >= 0.05 * count
    assert lines[-1]["peak_bytes"] <= 1024**3


def test_two_hundred_damaged_models(tmp_path: Path) -> None:
    campaign(0, 200, tmp_path, 120)


@pytest.mark.nightly
def test_two_thousand_damaged_models(tmp_path: Path) -> None:
    campaign(0, 2000, tmp_path, 900)


@pytest.mark.qonnx
def test_forty_damaged_qonnx_models(tmp_path: Path) -> None:
    campaign(20, 40, tmp_path, 120, "qonnx")


@pytest.mark.qonnx
@pytest.mark.nightly
def test_a_thousand_damaged_qonnx_models(tmp_path: Path) -> None:
    campaign(0, 1000, tmp_path, 900, "qonnx")
