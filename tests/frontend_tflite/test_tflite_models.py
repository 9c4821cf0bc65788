"""Published int8 models against the reference kernels, tensor by tensor."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgekit import frontend
from edgekit.errors import UnsupportedError
from edgekit.frontend.reference import Reference
from edgekit.ir import edges, interp
from edgekit.ir.nodes import Add

pytestmark = pytest.mark.data

MODELS = (
    ("mlperf_tiny_ref/kws_ref_model", 13),
    ("mlperf_tiny_ref/vww_96_int8", 31),
    ("mlperf_tiny_ref/pretrainedResnet_quant", 16),
    ("tflm/hello_world_int8", 3),
    ("tflm/micro_speech_quantized", 4),
    ("tflm/person_detect", 31),
)


@pytest.mark.parametrize(("name", "count"), MODELS)
def test_every_tensor_equals_the_reference(
    shared_data: Path, reference: Reference, name: str, count: int
) -> None:
    path = shared_data / "models" / f"{name}.tflite"
    graph = frontend.load(path)
    assert len(graph.nodes) == count
    edge = graph.inputs[0]
    rng = np.random.default_rng(5)
    shape = (8, *edge.source_shape[1:])
    # Uniform noise saturates; narrow noise around the middle does not.
    x = rng.integers(-128, 128, shape)
    x[4:] = np.clip(np.round(rng.normal(edge.zero_point, 20, (4, *shape[1:]))), -128, 127)
    x = x.astype(np.int8)
    got = interp.run(graph, {edge.tensor: edges.quantize(edge, x)}, keep=True)
    # The reference adds in place, over one of the operands.
    overwritten = {t for node in graph.nodes if isinstance(node, Add) for t in (node.a, node.b)}
    names = [node.y for node in graph.nodes if node.y not in overwritten]
    want = reference.tensors(path, graph, x, names)
    for tensor in names:
        np.testing.assert_array_equal(got[tensor], want[tensor], err_msg=tensor)


def test_float_ends_of_a_published_model(shared_data: Path, reference: Reference) -> None:
    path = shared_data / "models/tinyengine/ptq_mnist_lenet-300-100.tflite"
    graph = frontend.load(path)
    edge, end = graph.inputs[0], graph.outputs[0]
    assert edge.host_ops == ("quantize",)
    assert end.host_ops == ("dequantize", "log_softmax")
    with gzip.open(shared_data / "datasets/mnist/t10k-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, 1000 * 784, 16)
    with gzip.open(shared_data / "datasets/mnist/t10k-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, 1000, 8)
    x = (images.reshape(1000, *edge.source_shape[1:]) / 255).astype(np.float32)
    got = interp.run(graph, {edge.tensor: edges.quantize(edge, x)})[end.tensor]
    np.testing.assert_array_equal(got, reference.run(path, graph, x))
    assert (got.argmax(axis=1) == labels).mean() == pytest.approx(0.978)
    logarithms = edges.dequantize(end, got)
    np.testing.assert_allclose(np.exp(logarithms).sum(axis=1), 1, rtol=1e-5)


def test_kws_stimuli_are_equal_and_as_accurate(shared_data: Path, reference: Reference) -> None:
    path = shared_data / "models/mlperf_tiny_ref/kws_ref_model.tflite"
    graph = frontend.load(path)
    with zipfile.ZipFile(shared_data / "datasets/mlperf_tiny_kws01/kws01_first600.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".bin"))
        stored = [np.frombuffer(archive.read(name), np.int8) for name in names]
    x = np.stack(stored).reshape(-1, 49, 10, 1)
    labels = np.array([int(Path(name).stem.rsplit("_", 1)[1]) for name in names])
    edge, output = graph.inputs[0], graph.outputs[0].tensor
    got = interp.run(graph, {edge.tensor: edges.quantize(edge, x)})[output]
    np.testing.assert_array_equal(got, reference.run(path, graph, x))
    assert len(x) == 600
    assert (got.argmax(axis=1) == labels).sum() == 538  # 89.67 %


# The first of two answers of TFLite Micro's own reference kernels (revision 90b983c2, built for
# the host) to `patterns(16)`; the second is its negative.
TFLITE_MICRO = (86, 97, 97, 97, 97, 107, 101, 86, 97, 72, 81, 45, 25, 12, -45, 39)


def patterns(count: int) -> np.ndarray:
    """Return images of integers alone, the same on every machine."""
    rows, columns = np.mgrid[:96, :96]
    images = [
        (rows * (3 + k) + columns * (7 - k) + (rows * columns >> (3 + k % 4))) % (256 - 9 * k)
        + 4 * k
        - 128
        for k in range(count)
    ]
    return np.stack(images)[..., np.newaxis].astype(np.int8)


def test_person_detect_answers_as_tflite_micro(shared_data: Path) -> None:
    graph = frontend.load(shared_data / "models/tflm/person_detect.tflite")
    x = patterns(len(TFLITE_MICRO))
    got = interp.run(graph, {graph.inputs[0].tensor: x})[graph.outputs[0].tensor]
    np.testing.assert_array_equal(got[:, 0], TFLITE_MICRO)
    np.testing.assert_array_equal(got[:, 1], -got[:, 0])


@pytest.mark.parametrize(
    ("name", "operator", "cause"),
    [
        ("mlperf_tiny_ref/ad01_fp32", "FULLY_CONNECTED .node 0", "float32"),
        ("mlperf_tiny_ref/kws_ref_model_float32", "CONV_2D .node 0", "float32"),
        ("tflm/trained_lstm", "UNIDIRECTIONAL_SEQUENCE_LSTM .node 0", "not supported"),
        ("tflm/keyword_scrambled_8bit", "SVDF .node 1", "not supported"),
        ("tflm/audio_preprocessor_int8", "CUSTOM 'SignalWindow' .node 0", "not supported"),
    ],
)
def test_what_cannot_be_represented_is_named(
    shared_data: Path, name: str, operator: str, cause: str
) -> None:
    with pytest.raises(UnsupportedError, match=operator) as caught:
        frontend.load(shared_data / "models" / f"{name}.tflite")
    assert cause in caught.value.message
    assert caught.value.hint


@pytest.mark.nightly
def test_kws_every_tensor_of_all_stimuli(shared_data: Path, reference: Reference) -> None:
    path = shared_data / "models/mlperf_tiny_ref/kws_ref_model.tflite"
    graph = frontend.load(path)
    with zipfile.ZipFile(shared_data / "datasets/mlperf_tiny_kws01/kws01_first600.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".bin"))
        stored = [np.frombuffer(archive.read(name), np.int8) for name in names]
    x = np.stack(stored).reshape(-1, 49, 10, 1)
    edge = graph.inputs[0]
    tensors = [node.y for node in graph.nodes]
    for part in np.array_split(x, 12):
        got = interp.run(graph, {edge.tensor: edges.quantize(edge, part)}, keep=True)
        want = reference.tensors(path, graph, part, tensors)
        for tensor in tensors:
            np.testing.assert_array_equal(got[tensor], want[tensor], err_msg=tensor)
