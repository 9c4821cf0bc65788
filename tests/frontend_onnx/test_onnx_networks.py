"""Whole networks: random ones, and the published KWS and image classification models."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from writers.onnx_random import random_net

from edgekit import frontend
from edgekit.errors import ConfigError
from edgekit.frontend.onnx import reference as onnxruntime_reference
from edgekit.frontend.reference import Reference, run_reference
from edgekit.ir import edges, interp
from edgekit.ir.graph import Graph

KWS_SCALE, KWS_ZERO_POINT = 0.5847029089927673, 83  # of the stimuli


def compare(path: Path, graph: Graph, x: np.ndarray, worker: Reference) -> np.ndarray:
    edge = graph.inputs[0]
    y = interp.run(graph, {edge.tensor: edges.quantize(edge, x)})[graph.outputs[0].tensor]
    np.testing.assert_array_equal(y, worker.run(path, graph, x))
    return y


def random_networks(first: int, count: int, folder: Path) -> int:
    varied = 0
    path = folder / "net_random.onnx"
    with Reference() as worker:
        for seed in range(first, first + count):
            net = random_net(seed)
            onnx.save(net.model(), str(path))
            y = compare(path, frontend.load(path), net.inputs(8), worker)
            varied += len(np.unique(y)) > 8
    return varied


def test_random_networks_are_exact(tmp_path: Path) -> None:
    assert random_networks(0, 60, tmp_path) > 45


@pytest.mark.nightly
def test_a_thousand_random_networks_are_exact(tmp_path: Path) -> None:
    assert random_networks(1000, 1000, tmp_path) > 750


@pytest.fixture(scope="module")
def stimuli(shared_data: Path) -> tuple[np.ndarray, np.ndarray]:
    with zipfile.ZipFile(shared_data / "datasets/mlperf_tiny_kws01/kws01_first600.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".bin"))
        x = np.stack([np.frombuffer(archive.read(name), np.int8) for name in names])
    labels = np.array([int(re.search(r"_(\d+)\.bin$", name).group(1)) for name in names])
    return x, labels


@pytest.fixture
def kws(shared_data: Path) -> Path:
    return shared_data / "models/mlperf_results_onnx/kaijiang_v13_kws_qdq_int8.onnx"


@pytest.mark.data
def test_kws_is_exact_on_every_stimulus(kws: Path, stimuli: tuple[np.ndarray, np.ndarray]) -> None:
    x, labels = stimuli
    assert len(x) == 600
    graph = frontend.load(kws)
    assert graph.not_compared == ()
    real = (x.astype(np.float32) - KWS_ZERO_POINT) * np.float32(KWS_SCALE)
    with Reference() as worker:
        y = compare(kws, graph, real, worker)
    assert np.mean(y.argmax(axis=1) == labels) == pytest.approx(0.900, abs=1e-9)
    scores = edges.dequantize(graph.outputs[0], y)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, rtol=1e-5)
    assert graph.outputs[0].host_ops == ("dequantize", "softmax")


@pytest.mark.data
def test_kws_raw_integers_are_refused_until_their_scale_is_given(
    kws: Path, stimuli: tuple[np.ndarray, np.ndarray]
) -> None:
    x, labels = stimuli
    graph = frontend.load(kws)
    edge = graph.inputs[0]
    with pytest.raises(ConfigError, match="x is int8; input input_1 takes float32"):
        edges.quantize(edge, x)
    # The trap: taken as real numbers, the same bytes score below one in ten.
    wrong = interp.run(graph, {edge.tensor: edges.quantize(edge, x.astype(np.float32))})
    assert np.mean(wrong[graph.outputs[0].tensor].argmax(axis=1) == labels) < 0.1
    right = edges.quantize(edge, x, x_scale=KWS_SCALE, x_zero_point=KWS_ZERO_POINT)
    y = interp.run(graph, {edge.tensor: right})[graph.outputs[0].tensor]
    assert np.mean(y.argmax(axis=1) == labels) == pytest.approx(0.900, abs=1e-9)


@pytest.mark.data
def test_image_classification_with_adds_is_exact(shared_data: Path) -> None:
    path = shared_data / "models/mlperf_results_onnx/kaijiang_v13_ic_qdq_int8.onnx"
    graph = frontend.load(path)
    assert graph.not_compared == ()
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (20, 32, 32, 3)).astype(np.float32)
    walks = np.cumsum(np.cumsum(rng.normal(0, 4, (40, 32, 32, 3)), 1), 2) / 8
    smooth = np.clip(rng.normal(120, 40, (40, 1, 1, 3)) + walks, 0, 255).astype(np.float32)
    x = np.concatenate([noise, smooth])
    edge = graph.inputs[0]
    y = interp.run(graph, {edge.tensor: edges.quantize(edge, x)})[graph.outputs[0].tensor]
    np.testing.assert_array_equal(y, run_reference(path, graph, x))
    assert onnxruntime_reference.float_operators(path, "int8") == ()
