"""Every operator that a loader takes is in a model that was compared with its reference."""

from __future__ import annotations

from pathlib import Path

import pytest
from repo import operator_table
from repo.operator_table import KERAS, MICROSOFT, ONNX, QONNX, TFLITE, Proven
from writers.onnx_writer import Net
from writers.tflite_small import Small
from writers.tflite_writer import write

from edgekit.frontend.keras.layers import _BUILD
from edgekit.frontend.onnx.convert import _MICROSOFT, _OPERATORS
from edgekit.frontend.qonnx.convert import _OPERATORS as _AROUND
from edgekit.frontend.qonnx.convert import _QUANTIZERS
from edgekit.frontend.tflite.ops import OPS

LOADERS = {
    TFLITE: OPS,
    ONNX: _OPERATORS,
    MICROSOFT: _MICROSOFT,
}
# What models of few bits hold beside layers of weights is not all in networks of its own.
WIDER = {QONNX: {**_AROUND, **_QUANTIZERS}, KERAS: {**_BUILD, "Dropout": None}}


@pytest.mark.parametrize("section", LOADERS)
def test_the_table_is_what_the_loader_takes(section: str) -> None:
    listed, taken = operator_table.listed()[section], set(LOADERS[section])
    assert taken - listed == set(), "no exact model has them: add a test, then `make golden`"
    assert listed - taken == set(), "no loader takes them any more: `make golden`"


@pytest.mark.parametrize("section", WIDER)
def test_the_table_lists_what_a_loader_takes(section: str) -> None:
    listed = operator_table.listed()[section]
    assert listed
    assert listed - set(WIDER[section]) == set(), "no loader takes them any more: `make golden`"


def test_operators_are_read_from_the_file(tmp_path: Path) -> None:
    proven = Proven()
    tflite = tmp_path / "small.tflite"
    tflite.write_bytes(write(Small(1, (4, 4, 2)).conv(3, (3, 3)).softmax().spec))
    proven.add(tflite)
    net = Net(1, (1, 3, 8, 8), form="qoperator").conv(4)
    onnx_file = tmp_path / "small.onnx"
    onnx_file.write_bytes(net.add(net.branch()).model().SerializeToString())
    proven.add(onnx_file)
    assert proven.found[TFLITE] == {"CONV_2D", "SOFTMAX"}
    assert {"QLinearConv", "QuantizeLinear"} <= proven.found[ONNX]
    assert proven.found[MICROSOFT] == {"QLinearAdd"}
