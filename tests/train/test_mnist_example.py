"""The MNIST example: its training files, and that its graphs are as small and right as said."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.ir import edges, interp
from edgekit.ir.graph import Graph
from edgekit.ir.serialize import load_bytes
from edgekit.ir.types import DType

MOST_BITS = 59_008
IMAGES = 500


@pytest.fixture
def example(root: Path) -> Path:
    return root / "examples" / "mnist"


@pytest.mark.parametrize(("name", "bits"), [("convolutional", 50_816), ("small", 46_720)])
def test_weights_take_the_bits_that_the_page_says(example: Path, name: str, bits: int) -> None:
    graph = _graph(example, name)
    weights = [node.weight for node in graph.nodes if hasattr(node, "weight")]
    assert {graph.tensors[weight].dtype for weight in weights} == {DType.BINARY}
    assert sum(graph.constants[weight].size for weight in weights) == bits <= MOST_BITS
    assert f"`{name}.yaml` | {bits:,} |" in (example / "README.md").read_text(encoding="utf-8")


def test_four_of_five_weights_are_pruned(example: Path) -> None:
    graph = _graph(example, "pruned")
    kept = sum(
        np.count_nonzero(graph.constants[node.weight])
        for node in graph.nodes
        if hasattr(node, "weight")
    )
    assert kept == 53_760


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "right"), [("convolutional", 496), ("small", 483), ("pruned", 494)]
)
def test_images_that_are_told_right(
    example: Path, shared_data: Path, name: str, right: int
) -> None:
    graph = _graph(example, name)
    folder = shared_data / "datasets" / "mnist"
    images = _idx(folder / "t10k-images-idx3-ubyte.gz", 16)[: IMAGES * 784]
    digits = _idx(folder / "t10k-labels-idx1-ubyte.gz", 8)[:IMAGES]
    (source,), (scores,) = graph.inputs, graph.outputs
    integers = edges.quantize(source, images.reshape(IMAGES, 28, 28, 1))
    found = interp.run(graph, {source.tensor: integers})[scores.tensor].argmax(axis=1)
    assert np.count_nonzero(found == digits) == right


@pytest.mark.torch
@pytest.mark.parametrize("name", ["convolutional", "small", "dense"])
def test_training_files_are_valid(example: Path, name: str) -> None:
    from edgekit.train import config

    assert config.load(example / f"{name}.yaml").name == f"mnist_{name}"


def _graph(example: Path, name: str) -> Graph:
    return load_bytes((example / f"{name}.safetensors").read_bytes(), name)


def _idx(path: Path, header: int) -> NDArray[np.uint8]:
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)
