"""ONNX's own tests of quantized operators: exact through the graph and the C, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from node_set import NodeTest, read
from repo import model_sets
from target.native_model import NativeModel, plan_of

from edgekit import frontend
from edgekit.errors import UnsupportedError
from edgekit.frontend.onnx.convert import _MICROSOFT, _OPERATORS
from edgekit.ir import edges, interp

pytestmark = [pytest.mark.data, pytest.mark.cc]

# Whoever changes this list changes docs/reference/model-sets.md with it.
EXACT = {
    "test_clip_default_int8_inbounds",
    "test_clip_default_int8_max",
    "test_clip_default_int8_min",
    "test_qlinearmatmul_2D_int8_float16",
    "test_qlinearmatmul_2D_int8_float32",
    "test_qlinearmatmul_2D_uint8_float16",
}
TESTS = 46


@pytest.fixture(scope="module")
def node_tests(shared_data: Path) -> list[NodeTest]:
    return read(shared_data / "models/onnx_node_tests/onnx_node_quant_open.zip")


def outcome(test: NodeTest, directory: Path) -> str:
    """Return why `test` is refused, or an empty text if all integers are the expected ones."""
    directory.mkdir()
    path = directory / "model.onnx"
    onnx.save(test.model, str(path))
    try:
        graph = frontend.load(path)
    except UnsupportedError as error:
        return error.message
    source, sink = graph.inputs[0], graph.outputs[0]
    q = edges.quantize(source, test.x)
    (found,) = interp.run(graph, {source.tensor: q}).values()
    assert test.expected is not None
    wanted = test.expected.reshape(len(q), -1)
    np.testing.assert_array_equal(
        edges.to_source_integers(sink, found).reshape(wanted.shape), wanted
    )
    native = NativeModel(plan_of(graph), directory)
    for row, outputs in zip(q, found, strict=True):
        np.testing.assert_array_equal(native.run(row, outputs.size), outputs.ravel())
    return ""


def test_the_set_golden(node_tests: list[NodeTest], tmp_path: Path) -> None:
    assert len(node_tests) == TESTS
    reasons = {test.name: outcome(test, tmp_path / test.name) for test in node_tests}
    assert {name for name, reason in reasons.items() if not reason} == EXACT
    rows = [(f"`{test.name}`", test.operator, reasons[test.name] or "exact") for test in node_tests]
    model_sets.check("onnx-node-tests", ("test", "operator", "result"), rows)


def test_an_operator_that_is_refused_is_refused_by_name(
    node_tests: list[NodeTest], tmp_path: Path
) -> None:
    for test in node_tests:
        operators = {node.op_type for node in test.model.graph.node}
        if operators - set(_OPERATORS) - set(_MICROSOFT) - {"Constant"}:
            assert outcome(test, tmp_path / test.name), test.name
