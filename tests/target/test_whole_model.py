"""Whole generated models, compiled for the host, against the interpreter: every tensor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from native_model import NativeModel, board, plan_of
from small_graph import small_graph
from writers.random_graphs import GraphBuilder, random_graph
from writers.tflite_small import SAME
from writers.tflite_wide import Wide
from writers.tflite_writer import write

from edgekit.frontend import load
from edgekit.ir.interp import run
from edgekit.ir.types import DType, Rounding
from edgekit.passes import optimize
from edgekit.target import mcu
from edgekit.target.mcu import plan


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
@pytest.mark.parametrize("name", ["kws_ref_model", "vww_96_int8", "pretrainedResnet_quant"])
def test_benchmark_models(tmp_path, shared_data, name):
    graph = optimize(load(shared_data / f"models/mlperf_tiny_ref/{name}.tflite"))
    native = NativeModel(plan_of(graph), tmp_path)
    source = graph.inputs[0].tensor
    x = np.random.default_rng(3).integers(-128, 128, (2, *graph.tensors[source].shape))
    kept = run(graph, {source: x}, keep=True)
    for sample in range(2):
        for index, node in enumerate(graph.nodes):
            wanted = kept[node.y][sample].ravel()
            np.testing.assert_array_equal(native.tensor(x[sample], index), wanted, node.label)


def wide_network(seed: int) -> Wide:
    """16-bit activations through every kernel that takes them."""
    wide = Wide(seed, (9, 8, 1 + seed)).conv(6, (3, 3), padding=SAME).leaky(0.3, 0.8)
    first = wide.at
    wide.around([[0, 0], [1, 1], [0, 2], [0, 0]]).conv(6, (3, 3)).leaky(0.2, 1.0)
    second = wide.turn([0, 2, 1, 3]).turn([0, 2, 1, 3]).rescale(1.1).at
    wide.part([0, 1, 0, 2], [1, 8, 8, 3])
    wide.at = second
    wide.join(("ADD", "SUB")[seed % 2], first).concat(wide.at, 1 + seed % 3)
    return wide.conv(5, (3, 3), stride=2)


@pytest.mark.parametrize("passes", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_activations_of_16_bits(tmp_path, seed, passes):
    path = tmp_path / "wide.tflite"
    path.write_bytes(write(wide_network(seed).spec))
    graph = optimize(load(path)) if passes else load(path)
    native = NativeModel(plan_of(graph), tmp_path, DType.INT16)
    source = graph.inputs[0].tensor
    x = np.random.default_rng(seed).integers(-32768, 32768, (2, *graph.tensors[source].shape))
    kept = run(graph, {source: x}, keep=True)
    for sample in range(2):
        for index, node in enumerate(graph.nodes):
            wanted = kept[node.y][sample].ravel()
            np.testing.assert_array_equal(native.tensor(x[sample], index), wanted, node.label)


@pytest.mark.parametrize("seed", range(3))
def test_without_special_instructions(tmp_path, monkeypatch, seed):
    """The portable kernels, in place of those that the board's CPU would get."""
    monkeypatch.setitem(plan.FEATURES, board().cpu, frozenset())
    builder = random_graph(seed)
    kernels = mcu.kernels(builder.graph(builder.nodes[-1].y), board())
    assert not any(kernel.endswith("_dsp") for kernel in kernels.values())
    compare(builder, tmp_path)
