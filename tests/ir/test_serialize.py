"""Graph files: written and read back equal, damaged ones refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from writers.random_graphs import random_graph

from edgekit.errors import EdgekitError
from edgekit.frontend import load
from edgekit.ir import edges, interp, serialize, text
from edgekit.ir.graph import Graph, Source
from edgekit.ir.nodes import GroupCount, LowBitConv2D, LowBitDense, LutLayer, Thermometer, Threshold
from edgekit.ir.types import DType, Edge, Padding, Tensor
from edgekit.passes.buffers import tensor_bytes


def low_bit_graph(seed: int) -> Graph:
    """A graph with each low-bit node and constant type once."""
    rng = np.random.default_rng(seed)
    constants = {
        "levels": (np.sort(rng.integers(-99, 99, (1, 2)), axis=1), DType.INT32),
        "w1": (rng.choice([-1, 1], (40, 3, 3, 2)), DType.BINARY),
        "b1": (rng.integers(-2, 3, 40), DType.INT32),
        "t1": (rng.integers(-3, 3, (40, 1)), DType.INT32),
        "w2": (rng.integers(-1, 2, (6, 640)), DType.TERNARY),
        "w3": (rng.integers(-8, 8, (12, 6)), DType.INT4),
        "b2": (np.zeros(6, np.int64), DType.INT32),
        "b3": (np.zeros(12, np.int64), DType.INT32),
        "t2": (np.sort(rng.integers(-20, 20, (6, 3)), axis=1), DType.INT32),
        "t3": (rng.integers(-9, 9, (12, 1)), DType.INT32),
        "places": (rng.integers(0, 12, (8, 4)), DType.INT16),
        "tables": (rng.choice([-1, 1], (8, 16)), DType.BINARY),
    }
    shapes = {
        "x": ((6, 6, 1), DType.INT8),
        "bits": ((6, 6, 2), DType.BINARY),
        "h1": ((4, 4, 40), DType.BINARY),
        "h2": ((6,), DType.INT2),
        "h3": ((12,), DType.BINARY),
        "h4": ((8,), DType.BINARY),
        "y": ((2,), DType.INT16),
    }
    tensors = {name: Tensor(name, shape, dtype) for name, (shape, dtype) in shapes.items()}
    stored = {}
    for name, (array, dtype) in constants.items():
        tensors[name] = Tensor(name, array.shape, dtype)
        stored[name] = np.ascontiguousarray(array, dtype=np.int64)
        stored[name].setflags(write=False)
    nodes = (
        Thermometer("levels", "x", "bits", "levels"),
        LowBitConv2D(
            "conv", "bits", "h1", "w1", "b1", (1, 1), (1, 1), Padding(), 0, 0, "t1", low=-1
        ),
        LowBitDense("dense", "h1", "h2", "w2", "b2", 0, "t2", low=-2),
        LowBitDense("wide", "h2", "h3", "w3", "b3", 0, "t3", low=-1),
        LutLayer("tables", "h3", "h4", "places", "tables"),
        GroupCount("groups", "h4", "y"),
    )
    source = Edge("x", "x", (1, 6, 6, 1), "int8", 1.0, 0)
    sink = Edge("y", "y", (1, 2), "int16", 1.0, 0, dtype=DType.INT16, channel_scale=(0.5, 2.0))
    return Graph(
        f"low{seed}", Source("edgekit", "none", ""), (source,), (sink,), nodes, tensors, stored
    )


@pytest.mark.parametrize("seed", range(4))
def test_what_is_read_is_what_was_written(tmp_path: Path, seed: int) -> None:
    builder = random_graph(seed)
    for graph in (low_bit_graph(seed), builder.graph(builder.nodes[-1].y)):
        serialize.save(graph, tmp_path / "a.safetensors")
        read = load(tmp_path / "a.safetensors")
        assert text.digest(read) == text.digest(graph)
        assert [node.label for node in read.nodes] == [node.label for node in graph.nodes]
        serialize.save(read, tmp_path / "b.safetensors")
        assert (tmp_path / "a.safetensors").read_bytes() == (
            tmp_path / "b.safetensors"
        ).read_bytes()


def test_a_binary_weight_takes_a_bit(tmp_path: Path) -> None:
    graph = low_bit_graph(0)
    serialize.save(graph, tmp_path / "a.safetensors")
    data = (tmp_path / "a.safetensors").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    start, end = header["w1"]["data_offsets"]
    assert end - start == 40 * 18 // 8


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    serialize.save(low_bit_graph(0), tmp_path / "a.safetensors")
    data = (tmp_path / "a.safetensors").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        broken = bytearray(data)
        for place in rng.integers(0, len(data), 3):
            broken[place] = int(rng.integers(256))
        try:
            serialize.load_bytes(bytes(broken), "broken")
        except EdgekitError:
            refused += 1
    assert refused > 100
    for cut in (0, 7, 100, len(data) - 1):
        with pytest.raises(EdgekitError):
            serialize.load_bytes(data[:cut], "cut")


def test_a_write_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(EdgekitError, match="cannot be written"):
        serialize.save(low_bit_graph(0), tmp_path / "missing" / "a.safetensors")


@pytest.mark.parametrize("shape", [(5,), (32,), (3, 2, 37), (2, 2, 64)])
def test_bits_lie_in_words(shape: tuple[int, ...]) -> None:
    tensor = Tensor("t", shape, DType.BINARY)
    values = np.random.default_rng(1).choice([-1, 1], (4, *shape))
    stored = edges.to_bytes(tensor, values)
    assert stored.shape == (4, tensor_bytes(tensor))
    assert (edges.from_bytes(tensor, stored) == values.reshape(4, -1)).all()
    word = int.from_bytes(stored[0, :4].tobytes(), "little")
    first = values[0].reshape(-1, shape[-1])[0][:32]
    assert word == sum(1 << place for place, value in enumerate(first) if value > 0)


def test_thresholds_of_an_input() -> None:
    edge = Edge(
        "x", "x", (1, 3), "float32", 1.0, 0, dtype=DType.INT2, thresholds=(0.0, 0.5), lowest=-1
    )
    x = np.array([[-0.1, 0.0, 0.5]], np.float32)
    assert edges.quantize(edge, x).tolist() == [[-1, 0, 1]]
    again = edges.representative(edge, np.array([[-1, 0, 1]]))
    assert edges.quantize(edge, again).tolist() == [[-1, 0, 1]]


def test_a_float_tail_by_channel() -> None:
    graph = low_bit_graph(0)
    real = edges.dequantize(graph.outputs[0], np.array([[4, 4]]))
    assert real.tolist() == [[2.0, 8.0]]
    assert interp.run(graph, {"x": np.zeros((1, 6, 6, 1), np.int64)})["y"].shape == (1, 2)
    assert Threshold("t", "x", "y", "t", -1).low == -1
