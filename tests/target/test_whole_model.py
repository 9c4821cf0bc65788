"""Whole generated models, compiled for the host, against the interpreter: every tensor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from native_model import NativeModel, plan_of
from small_graph import small_graph
from writers.random_graphs import GraphBuilder, random_graph

from edgekit.frontend import load
from edgekit.ir.interp import run
from edgekit.ir.types import Rounding
from edgekit.passes import optimize


def compare(builder: GraphBuilder, directory: Path) -> None:
    graph = builder.graph(builder.nodes[-1].y)
    native = NativeModel(plan_of(graph), directory)
    x = builder.values[builder.inputs[0].tensor]
    for sample in range(len(x)):
        for index, node in enumerate(graph.nodes):
            wanted = builder.values[node.y][sample].ravel()
            np.testing.assert_array_equal(native.tensor(x[sample], index), wanted, node.label)


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("seed", range(6))
def test_random_graphs(tmp_path, seed, rounding):
    compare(random_graph(seed, rounding), tmp_path)


@pytest.mark.nightly
@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("seed", range(100, 300))
def test_many_random_graphs(tmp_path, seed, rounding):
    compare(random_graph(seed, rounding, nodes=14), tmp_path)


@pytest.mark.parametrize("seed", range(4))
def test_optimized_graphs(tmp_path, seed):
    """The passes, then the C; outputs only, for nodes were fused."""
    builder = random_graph(seed + 50)
    plain = builder.graph(builder.nodes[-1].y)
    graph = optimize(plain)
    native = NativeModel(plan_of(graph, trace=False), tmp_path)
    output = plain.outputs[0].tensor
    for sample, x in enumerate(builder.values[builder.inputs[0].tensor]):
        wanted = builder.values[output][sample].ravel()
        np.testing.assert_array_equal(native.run(x, wanted.size), wanted)


def test_without_trace_there_is_no_trace(tmp_path):
    native = NativeModel(plan_of(small_graph(), trace=False), tmp_path)
    assert not hasattr(native._library, "model_trace_tensor")
    assert not hasattr(native._library, "model_trace_stop")


@pytest.mark.data
def test_keyword_spotting(tmp_path, shared_data):
    graph = optimize(load(shared_data / "models/mlperf_tiny_ref/kws_ref_model.tflite"))
    native = NativeModel(plan_of(graph), tmp_path)
    name = graph.inputs[0].tensor
    x = np.random.default_rng(3).integers(-128, 128, (3, *graph.tensors[name].shape))
    kept = run(graph, {name: x}, keep=True)
    for sample in range(3):
        for index, node in enumerate(graph.nodes):
            wanted = kept[node.y][sample].ravel()
            np.testing.assert_array_equal(native.tensor(x[sample], index), wanted, node.label)
