"""Models whose passes change what the chain looks at."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from deploying import BOARD, DIGITS, ROOT, Started, edgekit

from edgekit.build.hold import hold

sys.path[:0] = [str(ROOT / "tests")]

from writers.tflite_small import Small  # noqa: E402
from writers.tflite_writer import write  # noqa: E402

pytestmark = [pytest.mark.virtual, pytest.mark.gcc, pytest.mark.tflite]


def test_a_model_whose_last_node_is_dropped(tmp_path: Path) -> None:
    """The output of the lowered graph is then the tensor of an earlier node."""
    small = Small(1, (4, 4, 3), scale=6 / 255, zero=-128)
    small.conv(3, (1, 1)).pad([[0, 0]] * 4)
    model = tmp_path / "model.tflite"
    model.write_bytes(write(small.spec))
    found = edgekit(
        tmp_path, "verify", model, "--board", BOARD, "--virtual", "-o", "work", "--json"
    )
    assert found.code == 0, found.err
    equality = found.json["equality"]
    assert equality["chain"] == ["tflite-ref", "graph", "c", "board"]
    assert (equality["samples"], equality["mismatches"]) == (64, 0)


def test_a_work_directory_is_for_one_run_at_a_time(project: Path, work: Path) -> None:
    assert edgekit(project, "verify").code == 0
    before = (work / "report.json").read_bytes()
    with hold(work, wait=False):
        found = edgekit(project, "verify", "--json")
    assert found.code == 2
    assert "is in use by another run" in found.json["error"]["message"]
    assert (work / "report.json").read_bytes() == before, "the report is the other run's"


def test_three_that_build_the_same_at_once(tmp_path: Path) -> None:
    """One builds, the others wait for it."""
    arguments = ("build", str(DIGITS), "--board", BOARD, "-o", "work", "--json")
    ended = [started.end() for started in [Started(tmp_path, arguments) for _ in range(3)]]
    assert [one.code for one in ended] == [0, 0, 0], ended
    assert len({one.out for one in ended}) == 1
