"""Layers in bands of rows in generated C: every tensor, and each constant once."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from native_model import NativeModel, board
from numpy.typing import NDArray
from writers.random_graphs import GraphBuilder

from edgekit.errors import DoesNotFitError
from edgekit.frontend import load
from edgekit.ir.graph import Graph
from edgekit.ir.interp import run
from edgekit.ir.nodes import Stack
from edgekit.ir.types import Padding
from edgekit.pipeline import stages
from edgekit.target.mcu import emit

DATA = PurePosixPath("model/model_data.c")
MODEL = PurePosixPath("model/model.c")


def compare(
    graph: Graph,
    lowered: stages.Lowered,
    directory: Path,
    pictures: NDArray[np.int64] | None = None,
) -> None:
    """Compare every tensor of the C with the graph's, and the output with that of all rows."""
    native = NativeModel(emit(lowered.graph, lowered.arena, board(), "gcc", trace=True), directory)
    source = graph.inputs[0].tensor
    shape = graph.tensors[source].shape
    x = np.random.default_rng(3).integers(-128, 128, (2, *shape))
    if pictures is not None:
        x = np.concatenate([x[:1], pictures])
    kept = run(lowered.graph, {source: x}, keep=True)
    wanted = run(graph, {source: x})[graph.outputs[0].tensor]
    np.testing.assert_array_equal(kept[lowered.graph.outputs[0].tensor], wanted)
    for sample in range(len(x)):
        for index, node in enumerate(lowered.graph.nodes):
            tensor = native.tensor(x[sample], index)
            np.testing.assert_array_equal(tensor, kept[node.y][sample].ravel(), node.label)


def small_chain() -> Graph:
    builder = GraphBuilder(4)
    around = Padding(1, 1, 1, 1)
    x = builder.conv(builder.input(17, 9, 4), 16, (3, 3), padding=around)
    y = builder.conv(x, 1, (3, 3), padding=around, depthwise=True)
    x = builder.conv(builder.add(x, y), 1, (3, 3), (2, 2), padding=around, depthwise=True)
    x = builder.max_pool(builder.conv(x, 8, (1, 1)), (2, 2), (2, 2))
    return builder.graph(builder.dense(builder.reshape(x, builder.tensors[x].size), 3))


def test_every_tensor_of_a_chain(tmp_path):
    graph = small_chain()
    whole = stages.lower(graph, board())
    lowered = stages.lower(graph, board(), arena_limit_bytes=whole.arena.arena_bytes * 3 // 4)
    assert any(isinstance(node, Stack) for node in lowered.graph.nodes)
    compare(graph, lowered, tmp_path)


def test_bands_share_constants_and_parameters():
    graph = small_chain()
    whole = stages.lower(graph, board())
    limit = whole.arena.arena_bytes * 3 // 4
    taken: list[str] = []
    lowered = stages.lower(
        graph, board(), lambda name, _: taken.append(name), arena_limit_bytes=limit
    )
    assert taken[-1] == lowered.savings[-1].name == "patches"
    assert lowered.savings[-1].as_json()["arena_bytes"] == [
        whole.arena.arena_bytes,
        lowered.arena.arena_bytes,
    ]
    plans = [emit(low.graph, low.arena, board(), "gcc") for low in (whole, lowered)]
    arrays = [re.findall(r"= (\{[^}]*\});", plan.files[DATA].decode()) for plan in plans]
    assert arrays[0] == arrays[1]
    calls, tables = (
        len(re.findall(pattern, plans[1].files[MODEL].decode()))
        for pattern in (r"    ek_\w+\(&model_p_", r"_params model_p_")
    )
    assert tables < calls


def test_a_limit_that_nothing_meets_names_the_smallest_arena():
    with pytest.raises(DoesNotFitError, match=r"at most 300 bytes is wanted; the smallest .* \d+"):
        stages.lower(small_chain(), board(), arena_limit_bytes=300)


def test_a_small_board_runs_in_bands_unasked():
    graph = small_chain()
    whole = stages.lower(graph, board())
    reserve = 16 * 1024
    ram = board().ram.model_copy(update={"size_bytes": reserve + whole.arena.arena_bytes * 3 // 4})
    lowered = stages.lower(graph, board().model_copy(update={"ram": ram}))
    assert lowered.arena.arena_bytes <= ram.size_bytes - reserve
    assert any(isinstance(node, Stack) for node in lowered.graph.nodes)
    assert not any(isinstance(node, Stack) for node in whole.graph.nodes)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "limit_bytes"), [("vww_96_int8", 30_000), ("pretrainedResnet_quant", 28_000)]
)
def test_benchmark_models(tmp_path, shared_data, name, limit_bytes):
    graph = load(shared_data / f"models/mlperf_tiny_ref/{name}.tflite")
    lowered = stages.lower(graph, board(), arena_limit_bytes=limit_bytes)
    assert lowered.arena.arena_bytes <= limit_bytes
    saved = lowered.savings[-1]
    assert saved.macs_before < saved.macs_after < 1.02 * saved.macs_before
    with np.load(shared_data / "datasets/mlperf_tiny_eval/ref_sample_inputs.npz") as samples:
        grey = samples["vww_f32"].reshape(-1, 96, 96, 1)
    step = 96 // graph.tensors[graph.inputs[0].tensor].shape[0]
    pictures = np.rint(grey[:1, ::step, ::step] * 127).astype(np.int64).repeat(3, axis=3)
    compare(graph, lowered, tmp_path, pictures)
