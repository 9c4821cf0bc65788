"""Damaged and changed files: a typed error or an exact run, within time and memory."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import keras_fuzz
import pytest

pytestmark = pytest.mark.h5py
CASE_SECONDS = 90.0
NORMAL, NIGHTLY = 90, 3000


def run_cases(first: int, count: int) -> list[dict[str, Any]]:
    """Run cases in a process of their own; a case that hangs or ends the process fails."""
    argv = [sys.executable, str(Path(keras_fuzz.__file__)), str(first), str(count)]
    results: list[dict[str, Any]] = []
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pending = b""
        while len(results) < count:
            ready, _, _ = select.select([process.stdout], [], [], CASE_SECONDS)
            part = process.stdout.read1(65536) if ready else b""  # type: ignore[attr-defined]
            if not part:
                process.kill()
                why = "ended the process" if ready else f"ran beyond {CASE_SECONDS} s"
                pytest.fail(f"case {first + len(results)} {why}")
            *lines, pending = (pending + part).split(b"\n")
            results.extend(json.loads(line) for line in lines)
    return results


def judge(results: list[dict[str, Any]], count: int) -> None:
    ends = Counter(result["end"] for result in results)
    wrong = [result for result in results if result["end"] in ("different", "untyped")]
    assert wrong == []
    assert sum(ends.values()) == count
    assert ends["exact"] >= 0.15 * count, ends
    assert ends["unsupported"] >= 0.1 * count, ends


def test_fuzz() -> None:
    judge(run_cases(0, NORMAL), NORMAL)


@pytest.mark.nightly
def test_fuzz_nightly() -> None:
    judge(run_cases(NORMAL, NIGHTLY), NIGHTLY)


def test_unchanged_models_are_exact(tmp_path: Path) -> None:
    with keras_fuzz.BoundedProcess() as process:
        for net in keras_fuzz.corpus():
            path = net.save(tmp_path / "net.h5")
            end = keras_fuzz.judged(path, 0, process)
            assert end["end"] == "exact", end
