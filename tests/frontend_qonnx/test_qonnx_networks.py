"""Random QONNX networks: the graph gives what the qonnx package computes, integer by integer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.frontend import load
from edgekit.frontend.reference import Reference
from edgekit.ir import edges, interp
from edgekit.ir.types import InputGrid
from tests.writers.qonnx_writer import Net, random_dense, random_image

pytestmark = pytest.mark.qonnx


@pytest.fixture(scope="module")
def reference():
    with Reference() as worker:
        yield worker


def same(path: Path, reference: Reference, x: np.ndarray, grid: InputGrid | None = None) -> None:
    graph = load(path, grid=grid)
    integers = edges.quantize(graph.inputs[0], x)
    found = interp.run(graph, {graph.inputs[0].tensor: integers})[graph.outputs[0].tensor]
    np.testing.assert_array_equal(found, reference.run(path, graph, x))


def data(rng: np.random.Generator, net: Net, count: int = 24) -> np.ndarray:
    return rng.normal(0, 1, (count, *net.shape[1:])).astype(np.float32)


@pytest.mark.parametrize("seed", range(12))
def test_random_dense_networks(seed: int, tmp_path: Path, reference: Reference):
    rng = np.random.default_rng(seed)
    net = random_dense(rng)
    same(net.save(tmp_path / "m.onnx"), reference, data(rng, net))


@pytest.mark.parametrize("seed", range(12))
def test_random_convolutional_networks(seed: int, tmp_path: Path, reference: Reference):
    rng = np.random.default_rng(seed)
    net = random_image(rng)
    same(net.save(tmp_path / "m.onnx"), reference, data(rng, net))
