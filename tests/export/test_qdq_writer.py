"""8-bit graphs written as QDQ ONNX: onnxruntime computes the same integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import UnsupportedError
from edgekit.export import qdq
from edgekit.frontend import load
from edgekit.frontend.reference import Reference
from edgekit.ir import edges, interp
from edgekit.ir.graph import Graph
from tests.writers.qonnx_writer import Net

POOL = {"kernel_shape": [2, 2], "strides": [2, 2]}


@pytest.fixture(scope="module")
def reference():
    with Reference() as worker:
        yield worker


def outputs(graph: Graph, x: np.ndarray) -> np.ndarray:
    edge = graph.inputs[0]
    return interp.run(graph, {edge.tensor: edges.quantize(edge, x)})[graph.outputs[0].tensor]


def eight_bit_net(rng: np.random.Generator, bits: float, relu: bool, pool: bool) -> Net:
    net = Net((1, 2, 7, 7)).quant(scale=2.0**-5, bits=8.0)
    how = {"scale": 2.0**-6, "bits": bits, "narrow": 1}
    kernel = rng.normal(0, 20 * 2.0**-6, (4, 2, 3, 3)).astype(np.float32)
    net.conv(kernel, how, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    net = net.add("Relu") if relu else net
    net.quant(scale=2.0**-4, bits=8.0)
    net = net.add("MaxPool", **POOL) if pool else net
    kernel = rng.normal(0, 20 * 2.0**-6, (4, 1, 3, 3)).astype(np.float32)
    net.conv(kernel, how, kernel_shape=[3, 3], group=4).quant(scale=2.0**-3, bits=8.0)
    weights = rng.normal(0, 0.3, (5, 4 if pool else 100)).astype(np.float32)
    return net.add("Flatten").dense(weights, how).quant(scale=2.0**-2, bits=8.0)


@pytest.mark.parametrize(
    ("bits", "relu", "pool"), [(8.0, False, False), (4.0, True, False), (8.0, False, True)]
)
def test_onnxruntime_computes_the_graph_s_integers(
    bits: float, relu: bool, pool: bool, tmp_path: Path, reference: Reference
):
    rng = np.random.default_rng(4)
    net = eight_bit_net(rng, bits, relu, pool)
    graph = load(net.save(tmp_path / "first.onnx"))
    x = rng.normal(0, 2, (16, 2, 7, 7)).astype(np.float32)
    expected = outputs(graph, x)
    assert np.unique(expected).size > 3
    qdq.write(graph, tmp_path / "second.onnx")
    again = load(tmp_path / "second.onnx")
    assert again.source.format == "onnx-qdq"
    assert not again.not_compared
    np.testing.assert_array_equal(outputs(again, x), expected)
    np.testing.assert_array_equal(reference.run(tmp_path / "second.onnx", again, x), expected)


def test_a_binary_graph_is_refused(tmp_path: Path):
    net = Net((1, 6)).bipolar().dense(np.ones((4, 6), np.float32))
    with pytest.raises(UnsupportedError, match="x: an edge of BINARY cannot be written as QDQ"):
        qdq.write(load(net.save(tmp_path / "m.onnx")), tmp_path / "n.onnx")
