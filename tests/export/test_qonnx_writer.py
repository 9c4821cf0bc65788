"""Graphs written as QONNX: qonnx computes the same scores, and reading gives the same integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import UnsupportedError
from edgekit.export import qonnx
from edgekit.frontend import load
from edgekit.frontend.lowering import Elementwise, InputSpec, MaxPool, Quantizer, Weighted, lower
from edgekit.frontend.reference import Reference
from edgekit.ir import edges, interp
from edgekit.ir.graph import Graph, Source
from edgekit.ir.types import DType, InputGrid, Padding
from tests.writers.qonnx_writer import random_dense, random_image

ONE = np.ones(1, np.float32)


@pytest.fixture(scope="module")
def reference():
    with Reference() as worker:
        yield worker


def outputs(graph: Graph, x: np.ndarray) -> np.ndarray:
    edge = graph.inputs[0]
    return interp.run(graph, {edge.tensor: edges.quantize(edge, x)})[graph.outputs[0].tensor]


def returns(graph: Graph, path: Path, reference: Reference | None, x: np.ndarray) -> None:
    """Check that `graph` comes back from a file, and that qonnx computes its integers."""
    qonnx.write(graph, path)
    again = load(path)
    expected = outputs(graph, x)
    np.testing.assert_array_equal(outputs(again, x), expected)
    if reference is not None:
        np.testing.assert_array_equal(reference.run(path, again, x), expected)


@pytest.mark.qonnx
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("make", [random_dense, random_image])
def test_graphs_come_back_and_qonnx_agrees(
    make: object, seed: int, tmp_path: Path, reference: Reference
):
    rng = np.random.default_rng(seed)
    net = make(rng)
    graph = load(net.save(tmp_path / "first.onnx"))
    x = rng.normal(0, 1, (16, *net.shape[1:])).astype(np.float32)
    returns(graph, tmp_path / "second.onnx", reference, x)


def sign(label: str = "sign") -> Quantizer:
    return Quantizer(
        label, lambda x: np.where(x >= 0, 1, -1), DType.BINARY, np.float32(1), 0, -1, 1
    )


def image(grid: InputGrid | None, padding_value: int) -> Graph:
    rng = np.random.default_rng(3)
    weights = rng.choice([-1, 1], (5, 3, 3, 2)).astype(np.int64)
    layers = [
        sign(),
        Weighted(
            "conv",
            "conv2d",
            weights,
            DType.BINARY,
            ONE,
            padding=Padding(1, 1, 1, 1),
            padding_value=padding_value,
        ),
        MaxPool("pool", (2, 2), (2, 2)),
        Elementwise("norm", lambda x: x * np.float32(-0.5) + np.float32(0.25)),
        sign("second"),
        Weighted("dense", "dense", rng.integers(-1, 2, (4, 80)), DType.TERNARY, ONE),
    ]
    spec = InputSpec("x", (1, 8, 8, 2), channels_first=False)
    return lower("image", Source("edgekit", "none", ""), spec, layers, grid)


@pytest.mark.qonnx
@pytest.mark.parametrize("padding_value", [-1, 0, 1])
def test_padding_values_and_a_grid(padding_value: int, tmp_path: Path, reference: Reference):
    graph = image(InputGrid(0.03, 100, "uint8"), padding_value)
    qonnx.write(graph, tmp_path / "m.onnx")
    again = load(tmp_path / "m.onnx")
    x = np.random.default_rng(5).normal(0, 3, (12, 8, 8, 2)).astype(np.float32)
    first = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(outputs(again, first), outputs(graph, x))
    found = reference.run(tmp_path / "m.onnx", again, first)
    np.testing.assert_array_equal(found, outputs(graph, x))


def test_what_cannot_be_written_is_named(tmp_path: Path):
    heavy = np.full((3, 1200), 127)
    layers = [Weighted("heavy", "dense", heavy, DType.INT8, ONE)]
    spec = InputSpec("x", (1, 1200), channels_first=False)
    source = Source("edgekit", "none", "")
    graph = lower("sums", source, spec, layers, InputGrid(1.0, 0, "int8"))
    with pytest.raises(UnsupportedError, match="heavy: LowBitDense cannot be written as QONNX"):
        qonnx.write(graph, tmp_path / "m.onnx")
