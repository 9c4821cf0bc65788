"""Models whose passes change what the chain looks at."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from deploying import BOARD, ROOT, edgekit

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
