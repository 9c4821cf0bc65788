"""Bits of images become vectors where they are read flat; integers stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit import passes
from edgekit.ir import check, interp
from edgekit.ir.graph import Graph, Source
from edgekit.ir.nodes import LowBitDense, LutLayer, Thermometer, Threshold
from edgekit.ir.types import DType, Edge, Tensor


def network(reader: str, levels: int, channels: int, rows: int = 1) -> Graph:
    rng = np.random.default_rng(levels)
    bits = 6 * levels * channels
    constants = {
        "t": (np.sort(rng.integers(-99, 99, (rows, levels)), axis=1), DType.INT32),
        "w": (rng.choice([-1, 1], (5, bits)), DType.BINARY),
        "b": (np.zeros(5, np.int64), DType.INT32),
        "places": (rng.integers(0, bits, (5, 3)), DType.INT16),
        "tables": (rng.choice([-1, 1], (5, 8)), DType.BINARY),
    }
    y = ((5,), DType.INT16) if reader == "dense" else ((5,), DType.BINARY)
    shapes = {
        "x": ((2, 3, channels), DType.INT8),
        "bits": ((2, 3, levels * channels), DType.BINARY),
        "y": y,
    }
    tensors = {name: Tensor(name, shape, dtype) for name, (shape, dtype) in shapes.items()}
    stored = {}
    for name, (array, dtype) in constants.items():
        tensors[name] = Tensor(name, array.shape, dtype)
        stored[name] = np.ascontiguousarray(array, dtype=np.int64)
        stored[name].setflags(write=False)
    first = (
        Thermometer("bits", "x", "bits", "t")
        if levels > 1
        else Threshold("bits", "x", "bits", "t", -1)
    )
    last = (
        LowBitDense("last", "bits", "y", "w", "b", 0, None, 0)
        if reader == "dense"
        else LutLayer("last", "bits", "y", "places", "tables")
    )
    source = Edge("x", "x", (1, 2, 3, channels), "int8", 1.0, 0)
    sink = Edge("y", "y", (1, 5), "float32", 1.0, 0, dtype=y[1])
    graph = Graph("g", Source("edgekit", "none", ""), (source,), (sink,), (first, last), {}, {})
    used = {name: a for name, a in stored.items() if name in ("t", *_constants(last))}
    names = {"x", "bits", "y", *used}
    graph = replace(graph, tensors={n: t for n, t in tensors.items() if n in names}, constants=used)
    check.verify(graph)
    return graph


def _constants(node: LowBitDense | LutLayer) -> tuple[str, str]:
    if isinstance(node, LowBitDense):
        return node.weight, node.bias
    return node.connections, node.tables


@pytest.mark.parametrize("reader", ["dense", "tables"])
@pytest.mark.parametrize(("levels", "channels"), [(1, 1), (1, 3), (3, 1), (3, 2)])
def test_a_vector_of_bits(reader: str, levels: int, channels: int) -> None:
    graph = network(reader, levels, channels)
    x = np.random.default_rng(0).integers(-128, 128, (40, 2, 3, channels))
    flat = passes.optimize(graph)
    bits = next(n for n in flat.nodes if isinstance(n, Threshold | Thermometer))
    assert flat.tensors[bits.y].shape == (6 * levels * channels,)
    name = flat.outputs[0].tensor
    np.testing.assert_array_equal(
        interp.run(flat, {"x": x})[name], interp.run(graph, {"x": x})["y"]
    )


def test_thresholds_by_channel_stay_where_the_channels_are() -> None:
    graph = network("dense", 2, 3, rows=3)
    bits = next(n for n in passes.optimize(graph).nodes if isinstance(n, Thermometer))
    assert passes.optimize(graph).tensors[bits.y].shape == (2, 3, 6)
