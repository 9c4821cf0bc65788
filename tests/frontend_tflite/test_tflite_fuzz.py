"""Damaged and changed files: a typed error or an exact run, within time and memory."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import fuzz
import pytest
from writers.tflite_writer import write

CASE_SECONDS = 30.0
NORMAL, NIGHTLY = 200, 2000


def run_cases(first: int, count: int) -> list[dict[str, Any]]:
    """Run cases in a process of their own; a case that hangs or ends the process fails."""
    argv = [sys.executable, str(Path(fuzz.__file__)), str(first), str(count)]
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
    beyond = count - ends["container"]
    assert beyond >= 0.3 * count, f"only {beyond} of {count} get past the container"
    assert ends["exact"] >= 0.08 * count, ends
    # The loader takes what the runtime refuses only where the meaning is plain all the same.
    assert ends["reference"] <= 0.02 * count, ends


@pytest.mark.tflite
def test_fuzz() -> None:
    judge(run_cases(0, NORMAL), NORMAL)


@pytest.mark.nightly
@pytest.mark.tflite
def test_fuzz_nightly() -> None:
    judge(run_cases(NORMAL, NIGHTLY), NIGHTLY)


@pytest.mark.tflite
def test_unchanged_models_are_exact(tmp_path: Path) -> None:
    with fuzz.Reference() as reference:
        for place, spec in enumerate(fuzz.corpus()):
            result = fuzz.outcome(place, write(spec), tmp_path / "m.tflite", reference)
            assert result["end"] == "exact", (place, result)


def test_cases_are_reproducible() -> None:
    models = fuzz.corpus()
    files = [fuzz.case_bytes(case, models) for case in range(30)]
    assert files == [fuzz.case_bytes(case, fuzz.corpus()) for case in range(30)]
    assert len(set(files)) == 30
