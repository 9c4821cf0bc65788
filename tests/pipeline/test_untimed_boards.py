"""Boards whose cores have no timing table: deployed bit-exact, and unsure of time and power."""

from __future__ import annotations

from pathlib import Path

import pytest
from deploying import DIGITS, HELD_OUT, edgekit

pytestmark = [pytest.mark.virtual, pytest.mark.gcc]


@pytest.mark.parametrize(
    ("board", "cpu"), [("nucleo-u575zi-q", "cortex-m33"), ("nucleo-h7a3zi-q", "cortex-m7")]
)
def test_deploys_and_says_why_it_is_unsure(board: str, cpu: str, tmp_path: Path) -> None:
    arguments = ("deploy", DIGITS, "--data", HELD_OUT, "--board", board, "--virtual", "--json")
    done = edgekit(tmp_path, *arguments, "-o", tmp_path / "work")
    assert done.code == 9, done.err
    found = done.json
    assert found["verdict"] == "unsure"
    assert f"no timing of {cpu}" in found["why"]
    assert found["equality"]["mismatches"] == 0
    assert found["equality"]["chain"][-1] == "board"
    latency = found["latency"]
    assert latency["instructions"] > 1_000
    for key in ("cycles", "p50_us", "p90_us", "cold_start_us"):
        assert latency[key] is None, key
    assert found["power"] is None
    assert found["sizes"]["stack_bytes"] > 0
