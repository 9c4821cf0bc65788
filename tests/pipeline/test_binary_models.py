"""Published binary and 2-bit networks on MNIST: every link gives the reference's class.

The references are qonnx for the QONNX and FINN files, and for the BNN-PYNQ parameters what their
hardware and host compute (tests/writers/bnn_pynq.py).
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from writers import bnn_pynq

from edgekit.board import find
from edgekit.config import Options
from edgekit.frontend import load
from edgekit.frontend.reference import run_reference
from edgekit.ir import edges, interp, serialize
from edgekit.ir.graph import Graph
from edgekit.ir.types import InputGrid
from edgekit.pipeline import deploy, native, stages
from edgekit.pipeline.settings import resolve

pytestmark = pytest.mark.data

# File and the real value of one step of a pixel: FINN's model divides by 255 itself.
FILES = {
    "TFC_1W1A": ("models/qonnx_zoo/TFC_1W1A.onnx", 1 / 255),
    "TFC_2W2A": ("models/qonnx_zoo/TFC_2W2A.onnx", 1 / 255),
    "FINN TFC": ("models/finn/finn_tfc_w1a1_multithreshold.onnx", 1.0),
}
LFC = "models/bnn_pynq_params/bnnpynq_mnist_lfcW1A1.zip"
RIGHT = {"TFC_1W1A": 9296, "TFC_2W2A": 9660, "FINN TFC": 9296, "LFC_W1A1": 9840}
TEST_IMAGES = 10_000


@dataclass(frozen=True)
class Mnist:
    images: np.ndarray  # (10000, 1, 28, 28) uint8
    labels: np.ndarray


@pytest.fixture(scope="module")
def mnist(shared_data: Path) -> Mnist:
    folder = shared_data / "datasets/mnist"
    with gzip.open(folder / "t10k-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(folder / "t10k-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return Mnist(images, labels)


def graph_of(name: str, shared_data: Path) -> Graph:
    if name == "LFC_W1A1":
        return bnn_pynq.graph(bnn_pynq.read(shared_data / LFC), InputGrid(1 / 255, 0, "uint8"))
    path, scale = FILES[name]
    return load(shared_data / path, grid=InputGrid(scale, 0, "uint8"))


def scores(graph: Graph, images: np.ndarray) -> np.ndarray:
    """Return the interpreter's integers for pixels 0 to 255."""
    found = interp.run(graph, {graph.inputs[0].tensor: images.astype(np.int64) - 128})
    return found[graph.outputs[0].tensor]


def agrees(name: str, shared_data: Path, mnist: Mnist, count: int) -> None:
    path, scale = FILES[name]
    images = mnist.images[:count]
    real = images.astype(np.float32) * np.float32(scale)
    graph = graph_of(name, shared_data)
    found = scores(graph, images)
    expected = run_reference(shared_data / path, graph, real)
    np.testing.assert_array_equal(found, expected)
    # The host's thresholds on real numbers give the same as those moved to the pixels.
    free = load(shared_data / path)
    host = edges.quantize(free.inputs[0], real)
    other = interp.run(free, {free.inputs[0].tensor: host})[free.outputs[0].tensor]
    np.testing.assert_array_equal(other, expected)
    if count == TEST_IMAGES:
        assert int((found.argmax(axis=1) == mnist.labels).sum()) == RIGHT[name]


@pytest.mark.qonnx
@pytest.mark.parametrize("name", FILES)
def test_the_graph_equals_qonnx_on_a_thousand_images(
    name: str, shared_data: Path, mnist: Mnist
) -> None:
    agrees(name, shared_data, mnist, 1000)


@pytest.mark.qonnx
@pytest.mark.nightly
@pytest.mark.parametrize("name", FILES)
def test_the_graph_equals_qonnx_on_all_images(name: str, shared_data: Path, mnist: Mnist) -> None:
    agrees(name, shared_data, mnist, TEST_IMAGES)


def test_finn_s_network_gives_its_expected_output(shared_data: Path) -> None:
    folder = shared_data / "models/finn"
    graph = load(folder / "finn_tfc_w1a1_multithreshold.onnx")
    integers = edges.quantize(graph.inputs[0], np.load(folder / "finn_tfc_w1a1_input.npy"))
    found = interp.run(graph, {graph.inputs[0].tensor: integers})[graph.outputs[0].tensor]
    expected = np.load(folder / "finn_tfc_w1a1_expected_output.npy")
    np.testing.assert_array_equal(found.argmax(axis=1), expected)


def bnn_pynq_agrees(shared_data: Path, mnist: Mnist, count: int) -> None:
    layers = bnn_pynq.read(shared_data / LFC)
    graph = bnn_pynq.graph(layers, InputGrid(1 / 255, 0, "uint8"))
    expected = bnn_pynq.classes(layers, mnist.images[:count])
    found = scores(graph, mnist.images[:count]).argmax(axis=1)
    np.testing.assert_array_equal(found, expected)
    if count == TEST_IMAGES:
        assert int((found == mnist.labels).sum()) == RIGHT["LFC_W1A1"]


def test_the_graph_equals_bnn_pynq_on_two_hundred_images(shared_data: Path, mnist: Mnist) -> None:
    bnn_pynq_agrees(shared_data, mnist, 200)


@pytest.mark.nightly
def test_the_graph_equals_bnn_pynq_on_all_images(shared_data: Path, mnist: Mnist) -> None:
    bnn_pynq_agrees(shared_data, mnist, TEST_IMAGES)


@pytest.mark.nightly
@pytest.mark.cc
@pytest.mark.parametrize("name", RIGHT)
def test_generated_c_equals_the_graph_on_all_images(
    name: str, shared_data: Path, mnist: Mnist, tmp_path: Path
) -> None:
    graph = graph_of(name, shared_data)
    board = find("nucleo-l4r5zi")
    plan = stages.compile(graph, board)
    source, sink = (graph.tensors[edge.tensor] for edge in (*graph.inputs, *graph.outputs))
    inputs = edges.to_bytes(source, mnist.images.astype(np.int64) - 128)
    expected = scores(graph, mnist.images)
    found = native.run(plan, inputs, edges.to_bytes(sink, expected).shape[1], tmp_path)
    assert found is not None
    np.testing.assert_array_equal(edges.from_bytes(sink, found), expected)
    assert int((expected.argmax(axis=1) == mnist.labels).sum()) == RIGHT[name]


@pytest.mark.nightly
@pytest.mark.virtual
@pytest.mark.gcc
@pytest.mark.qonnx
@pytest.mark.parametrize("name", RIGHT)
def test_the_board_equals_the_reference_on_a_thousand_images(
    name: str, shared_data: Path, mnist: Mnist, tmp_path: Path
) -> None:
    chosen = np.random.default_rng(2026).choice(TEST_IMAGES, 1000, replace=False)
    data = tmp_path / "mnist.npz"
    scale = FILES[name][1] if name in FILES else 1 / 255
    np.savez(
        data,
        x=mnist.images[chosen],
        y=mnist.labels[chosen].astype(np.int64),
        x_scale=np.float32(scale),
        x_zero_point=0,
    )
    model = tmp_path / "lfc.safetensors"
    if name in FILES:
        model = shared_data / FILES[name][0]
    else:
        serialize.save(graph_of(name, shared_data), model)
    options = Options(
        model=model, data=data, board="nucleo-l4r5zi", virtual=True, work=tmp_path / "work"
    )
    report = deploy.verify(resolve(options, start=tmp_path))
    assert report.error is None, report.error
    assert report.equality is not None
    assert (report.equality.samples, report.equality.mismatches) == (1000, 0)
    reference = ("qonnx",) if name in FILES else ()
    assert report.equality.chain == (*reference, "graph", "c", "board")
