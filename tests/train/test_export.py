"""The exported graph equals the trained network: every score of every test sample."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small import BINARY, archive, training

from edgekit.errors import UnsupportedError
from edgekit.ir import edges, interp, nodes
from edgekit.ir.graph import Graph
from edgekit.ir.serialize import load_bytes
from edgekit.ir.types import DType
from edgekit.progress import Silent
from edgekit.train import config, export, run
from edgekit.train.quantizers import Sign, Ternary, Uniform

pytestmark = pytest.mark.torch


def _trained(tmp_path: Path, shape: tuple[int, ...], **changes: Any) -> run.Trained:
    path = archive(tmp_path / "a.npz", shape)
    return run.train(config.parse(training(path, **changes), "a"), tmp_path / "w", Silent())


def _graph(trained: run.Trained) -> Graph:
    return load_bytes(Path(trained.result["graph"]).read_bytes(), "graph")


def _scores(graph: Graph, x: np.ndarray) -> np.ndarray:
    (source,), (scores,) = graph.inputs, graph.outputs
    integers = edges.quantize(source, x).reshape(len(x), *graph.tensors[source.tensor].shape)
    found = interp.run(graph, {source.tensor: integers})[scores.tensor]
    return edges.dequantize(scores, found)


def _assert_equal(trained: run.Trained) -> Graph:
    graph = _graph(trained)
    with torch.no_grad():
        wanted = trained.network(torch.from_numpy(trained.dataset.test_x)).numpy()
    found = _scores(graph, trained.dataset.test_x)
    np.testing.assert_array_equal(found, wanted)
    return graph


def _conv(channels: int = 4, **changes: Any) -> dict[str, Any]:
    return {"kind": "conv2d", "channels": channels, "weight": "binary", **changes}


HEAD = {"kind": "dense", "units": 3}
NETWORKS = {
    "binary": BINARY,
    "binary conv": [
        _conv(pool=2, activation="binary"),
        _conv(padding="valid", activation="binary", pad_value=1),
        HEAD,
    ],
    "padded with -1": [_conv(activation="binary", pad_value=-1, kernel=5, stride=2), HEAD],
    "ternary": [
        _conv(weight="ternary", activation="ternary"),
        {"kind": "depthwise", "weight": "ternary", "activation": "ternary", "kernel": [3, 1]},
        dict(HEAD, weight="ternary", norm="batch"),
    ],
    "mixed bits": [
        _conv(weight="int8", activation="uint4", pool=2),
        _conv(weight="int4", activation="int8"),
        {"kind": "depthwise", "weight": "int2", "activation": "uint2"},
        {"kind": "average_pool", "size": 2, "activation": "int4"},
        {"kind": "average_pool"},
        dict(HEAD, weight="int8", norm="batch"),
    ],
    "no batch norm": [
        {"kind": "dense", "units": 9, "norm": "none", "activation": "int2", "weight": "int4"},
        {"kind": "dense", "units": 9, "norm": "none", "activation": "binary"},
        dict(HEAD, weight="int4"),
    ],
    "sparse": [
        {"kind": "dense", "units": 16, "activation": "binary", "sparsity": 0.9},
        dict(HEAD, sparsity=1.0),
    ],
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("kind", ["integer", "thermometer"])
def test_every_score_is_equal(tmp_path: Path, name: str, kind: str) -> None:
    source = {"kind": kind, "block": 2} if "conv" in name else {"kind": kind}
    network = [dict(layer) for layer in NETWORKS[name]]
    if kind == "integer":
        network[0].pop("pad_value", None)
    trained = _trained(tmp_path, (12, 16, 1), network=network, input=source)
    _assert_equal(trained)


def test_look_up_tables(tmp_path: Path) -> None:
    network = [
        {"kind": "lut", "nodes": 30, "inputs": 6},
        {"kind": "lut", "nodes": 12, "connections": "random"},
        {"kind": "group_count", "temperature": 3},
    ]
    graph = _assert_equal(_trained(tmp_path, (5, 4, 1), network=network))
    assert [type(n) for n in graph.nodes] == [
        *(nodes.Thermometer, nodes.LutLayer, nodes.LutLayer, nodes.GroupCount)
    ]


def test_look_up_tables_of_bits_that_the_host_compares(tmp_path: Path) -> None:
    """The board receives bits; the tables read those of the two bytes that vary most."""
    network = [
        {"kind": "lut", "nodes": 30, "input_bytes": 2},
        {"kind": "lut", "nodes": 12},
        {"kind": "group_count", "temperature": 3},
    ]
    source = {"kind": "thermometer", "thresholds": [100], "compare": "host"}
    graph = _assert_equal(_trained(tmp_path, (7, 4, 1), network=network, input=source))
    first = graph.nodes[0]
    assert isinstance(first, nodes.LutLayer)
    read = np.unique(graph.constants[first.connections] // 8)
    assert graph.tensors[first.x].shape == (28,)
    assert len(read) == 2


@pytest.mark.parametrize("shape", [(6,), (3, 4, 2)])
def test_a_dense_layer_of_runs_of_bits_that_the_host_compares(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    source = {"kind": "thermometer", "levels": 3, "compare": "host"}
    graph = _assert_equal(_trained(tmp_path, shape, network=BINARY, input=source))
    assert graph.tensors[graph.inputs[0].tensor].shape == (3 * math.prod(shape),)
    assert not any(isinstance(node, nodes.Thermometer) for node in graph.nodes)


def test_tables_after_a_convolution(tmp_path: Path) -> None:
    network = [
        _conv(activation="binary"),
        {"kind": "lut", "nodes": 12},
        {"kind": "group_count"},
    ]
    _assert_equal(_trained(tmp_path, (5, 4, 1), network=network))


def test_an_image_before_a_dense_layer_is_flat_from_the_start(tmp_path: Path) -> None:
    """Bits of a pixel would take a word each."""
    graph = _assert_equal(_trained(tmp_path, (4, 3, 2), network=BINARY))
    assert [graph.tensors[node.y].shape for node in graph.nodes] == [(48,), (16,), (3,)]


@torch.no_grad()
def test_ties_of_activations_are_the_trained_ones() -> None:
    y = np.arange(-64, 65, dtype=np.float32) / 8
    for quantizer in (Sign(), Ternary(), Uniform(-8, 7).eval(), Uniform(0, 3).eval()):
        found = export.activation_of(quantizer, "a")
        codes = quantizer(torch.from_numpy(y)).codes.numpy()
        step = 2 if found.dtype is DType.BINARY else 1
        np.testing.assert_array_equal(found.levels(y) * step + found.low, codes)


def test_signals(tmp_path: Path) -> None:
    layer = {"kind": "conv1d", "channels": 6, "activation": "binary", "stride": 2}
    _assert_equal(_trained(tmp_path, (12, 2), network=[layer, HEAD]))


@pytest.mark.parametrize(
    "source", [{"kind": "integer"}, {"kind": "thermometer", "levels": 5, "spacing": "quantile"}]
)
@pytest.mark.parametrize("dtype", [np.float32, np.int8])
def test_samples_of_other_types(tmp_path: Path, source: dict[str, Any], dtype: type) -> None:
    path = archive(tmp_path / "a.npz")
    arrays = dict(np.load(path))
    for name in arrays:
        if name.endswith("_x"):
            moved = arrays[name].astype(np.float32) - 128
            arrays[name] = (moved * 0.37 if dtype is np.float32 else moved).astype(dtype)
    np.savez(path, **arrays)
    wanted = config.parse(training(path, input=source), "a")
    _assert_equal(run.train(wanted, tmp_path / "w", Silent()))


def test_thresholds_of_each_feature(tmp_path: Path) -> None:
    source = {"kind": "thermometer", "levels": 3, "per_feature": True, "spacing": "quantile"}
    graph = _assert_equal(_trained(tmp_path, (12,), input=source))
    (first, *_) = graph.nodes
    assert graph.tensors[first.thresholds].shape == (12, 3)


def test_weights_are_stored_in_as_few_bits_as_they_need(tmp_path: Path) -> None:
    trained = _trained(tmp_path, (12,), network=[dict(BINARY[0], sparsity=0.5), BINARY[1]])
    graph = _assert_equal(trained)
    sums = [n for n in graph.nodes if isinstance(n, nodes.LowBitDense)]
    assert [graph.tensors[n.weight].dtype for n in sums] == [DType.TERNARY, DType.BINARY]
    assert [graph.tensors[n.y].dtype for n in sums] == [DType.BINARY, DType.INT16]
    assert trained.result["bits"]["weights"] == 2 * 24 * 16 + 16 * 3


def test_a_float_network_has_no_graph_and_says_why(tmp_path: Path) -> None:
    network = [{"kind": "dense", "units": 3, "weight": "float"}]
    trained = _trained(tmp_path, (12,), network=network)
    assert trained.result["graph"] is None
    with pytest.raises(UnsupportedError, match="layer0: its weights are float"):
        export.to_graph(trained.network, "a", (12,), np.dtype(np.uint8))


def test_an_activation_that_is_not_quantized_is_named(tmp_path: Path) -> None:
    network = [dict(BINARY[0], activation="relu"), HEAD]
    with pytest.raises(UnsupportedError, match="layer0: its activation is not quantized"):
        _trained(tmp_path, (12,), network=network)


@pytest.mark.data
@pytest.mark.nightly
def test_all_mnist_test_images(tmp_path: Path, shared_data: Path) -> None:
    network = [
        _conv(16, kernel=5, stride=2, activation="binary"),
        _conv(32, pool=2, activation="binary"),
        {"kind": "dense", "units": 10},
    ]
    wanted = {
        "name": "mnist",
        "data": {"kind": "idx", "path": str(shared_data / "datasets" / "mnist")},
        "input": {"kind": "thermometer", "thresholds": [38.25, 89.25, 140.25, 191.25]},
        "network": network,
        "train": {"epochs": 1, "batch": 128, "compute": "bfloat16"},
    }
    trained = run.train(config.parse(wanted, "a"), tmp_path / "w", Silent())
    _assert_equal(trained)
    assert trained.result["samples"]["test"] == 10000
    assert trained.result["accuracy"]["validation"] > 0.9
