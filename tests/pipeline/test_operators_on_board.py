"""Operators that are no layers, from the file to the answers of the virtual board."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from deploying import edgekit
from writers.tflite_networks import attention, pyramid
from writers.tflite_small import Small
from writers.tflite_writer import write

pytestmark = [pytest.mark.virtual, pytest.mark.gcc, pytest.mark.tflite]

NETWORKS = {"nucleo-l4r5zi": attention, "rpi-pico": pyramid}


@pytest.mark.parametrize("board", NETWORKS)
def test_the_board_answers_as_the_reference(tmp_path: Path, board: str) -> None:
    small: Small = NETWORKS[board]()
    (tmp_path / "net.tflite").write_bytes(write(small.spec))
    shape = small.spec.tensors[small.spec.inputs[0]].shape
    x = small.rng.integers(-128, 128, (16, *shape[1:])).astype(np.int8)
    np.savez(tmp_path / "x.npz", x=x)
    arguments = ("verify", "net.tflite", "--data", "x.npz", "--board", board, "--virtual")
    ended = edgekit(tmp_path, *arguments, "--json", "-o", "work")
    assert ended.code == 0, ended.err
    found = ended.json["equality"]
    assert found["chain"] == ["tflite-ref", "graph", "c", "board"]
    assert (found["samples"], found["mismatches"]) == (len(x), 0)
