"""Kernels run clean under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kernel_cases import CASES, roundings_of
from kernel_driver import FIRMWARE

# Every sixth kernel by day, all of them with many more shapes by night.
DAILY = tuple(CASES)[::6]


def sanitized(tmp_path: Path, kernel: str, rounding: str, seeds: int) -> None:
    """Run a kernel's cases in a process with the sanitizers; their report fails the test."""
    library = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    environment = {
        **os.environ,
        "LD_PRELOAD": library,
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONMALLOC": "malloc",
        "EDGEKIT_SANITIZE": "1",
        "EDGEKIT_SANITIZE_OUT": str(tmp_path),
    }
    check = Path(__file__).with_name("check_copy.py")
    argv = [sys.executable, str(check), str(FIRMWARE), kernel, rounding, str(seeds)]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.strict
@pytest.mark.cc
@pytest.mark.parametrize("kernel", DAILY)
def test_sanitizers(tmp_path, kernel):
    sanitized(tmp_path, kernel, roundings_of(kernel)[0].name, 15)


@pytest.mark.cc
@pytest.mark.nightly
@pytest.mark.parametrize(
    ("kernel", "rounding"), [(k, r.name) for k in CASES for r in roundings_of(k)]
)
def test_sanitizers_many(tmp_path, kernel, rounding):
    sanitized(tmp_path, kernel, rounding, 400)
