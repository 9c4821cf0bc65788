"""HLS C++ of networks for MNIST equals the interpreter on all 10,000 test images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hls_check import answers, meant

from edgekit import passes
from edgekit.frontend import load
from edgekit.ir import edges
from edgekit.ir.types import DType, InputGrid
from edgekit.train.data.idx import read

pytestmark = [pytest.mark.cc, pytest.mark.nightly]
NETWORKS = {
    "TFC_1W1A": "models/qonnx_zoo/TFC_1W1A.onnx",
    "TFC_2W2A": "models/qonnx_zoo/TFC_2W2A.onnx",
    "convolutional": "examples/mnist/convolutional.safetensors",
    "small": "examples/mnist/small.safetensors",
    "pruned": "examples/mnist/pruned.safetensors",
    "tables": "examples/mnist_fpga/mnist_luts.safetensors",
}
OTHERS = (
    "examples/digits_binary/digits_binary.safetensors",
    "examples/digits_fpga/digits_luts.safetensors",
    "examples/keywords/fpga.safetensors",
)


@pytest.mark.data
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


@pytest.mark.parametrize("name", OTHERS)
def test_any_integers(name: str, root: Path, tmp_path: Path):
    graph = passes.optimize(load(root / name))
    tensor = graph.tensors[graph.inputs[0].tensor]
    draw = np.random.default_rng(0)
    x = draw.integers(tensor.dtype.low, tensor.dtype.high + 1, (1000, *tensor.shape))
    x = np.where(x > 0, 1, -1) if tensor.dtype is DType.BINARY else x
    np.testing.assert_array_equal(answers(graph, x, tmp_path), meant(graph, x))
