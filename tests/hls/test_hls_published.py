"""HLS C++ of networks for MNIST equals the interpreter on all 10,000 test images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hls_check import answers, meant

from edgekit import passes
from edgekit.frontend import load
from edgekit.ir import edges
from edgekit.ir.types import InputGrid
from edgekit.train.data.idx import read

pytestmark = [pytest.mark.cc, pytest.mark.data, pytest.mark.nightly]
NETWORKS = {
    "TFC_1W1A": "models/qonnx_zoo/TFC_1W1A.onnx",
    "TFC_2W2A": "models/qonnx_zoo/TFC_2W2A.onnx",
    "convolutional": "examples/mnist/convolutional.safetensors",
    "small": "examples/mnist/small.safetensors",
    "pruned": "examples/mnist/pruned.safetensors",
}


@pytest.mark.parametrize("name", NETWORKS)
def test_all_images(name: str, root: Path, shared_data: Path, tmp_path: Path):
    published = NETWORKS[name].startswith("models")
    path = (shared_data if published else root) / NETWORKS[name]
    grid = InputGrid(1 / 255, 0, "uint8") if published else None
    graph = passes.optimize(load(path, grid=grid))
    edge = graph.inputs[0]
    images = read(shared_data / "datasets/mnist/t10k-images-idx3-ubyte.gz")
    x = images.reshape(-1, *edge.source_shape[1:])
    if edge.source_dtype == "float32":
        x = x.astype(np.float32) / np.float32(255)
    integers = edges.quantize(edge, x)
    assert len(integers) == 10_000
    found = answers(graph, integers, tmp_path)
    np.testing.assert_array_equal(found, meant(graph, integers))
