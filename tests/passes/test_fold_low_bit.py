"""Dead channels of low-bit networks go, and no output changes."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit import passes
from edgekit.ir import check, interp
from edgekit.ir.graph import Graph, Source
from edgekit.ir.nodes import LowBitConv2D, LowBitDense, LowBitDepthwiseConv2D, MaxPool, Threshold
from edgekit.ir.types import DType, Edge, Padding, Tensor


def network(seed: int, sparsity: float) -> Graph:
    """Bits of an image, a convolution, a depthwise one, a pool, two dense layers."""
    rng = np.random.default_rng(seed)
    cell = int(rng.integers(-1, 2))
    pad = Padding(1, 1, 1, 1)

    def ternary(*shape: int) -> np.ndarray:
        signs = rng.choice([-1, 1], shape)
        return np.where(rng.random(shape) < sparsity, 0, signs)

    constants = {
        "t0": (rng.integers(-60, 60, (2, 1)), DType.INT32),
        "w1": (ternary(9, 3, 3, 2), DType.TERNARY),
        "b1": (rng.integers(-2, 3, 9), DType.INT32),
        "t1": (rng.integers(-6, 7, (9, 1)), DType.INT32),
        "w2": (ternary(3, 3, 9), DType.TERNARY),
        "b2": (rng.integers(-2, 3, 9), DType.INT32),
        "t2": (np.sort(rng.integers(-6, 7, (9, 2)), axis=1), DType.INT32),
        "w3": (ternary(7, 81), DType.TERNARY),
        "b3": (rng.integers(-3, 4, 7), DType.INT32),
        "t3": (rng.integers(-9, 9, (7, 1)), DType.INT32),
        "w4": (ternary(4, 7), DType.TERNARY),
        "b4": (rng.integers(-3, 4, 4), DType.INT32),
    }
    shapes = {
        "x": ((6, 6, 2), DType.INT8),
        "bits": ((6, 6, 2), DType.BINARY),
        "h1": ((6, 6, 9), DType.BINARY),
        "h2": ((6, 6, 9), DType.TERNARY),
        "h3": ((3, 3, 9), DType.TERNARY),
        "h4": ((7,), DType.BINARY),
        "y": ((4,), DType.INT16),
    }
    tensors = {name: Tensor(name, shape, dtype) for name, (shape, dtype) in shapes.items()}
    stored = {}
    for name, (array, dtype) in constants.items():
        tensors[name] = Tensor(name, array.shape, dtype)
        stored[name] = np.ascontiguousarray(array, dtype=np.int64)
        stored[name].setflags(write=False)
    one = (1, 1)
    nodes = (
        Threshold("bits", "x", "bits", "t0", -1),
        LowBitConv2D("conv", "bits", "h1", "w1", "b1", one, one, pad, cell, 0, "t1", -1),
        LowBitDepthwiseConv2D("depth", "h1", "h2", "w2", "b2", one, one, pad, cell, 0, "t2", -1),
        MaxPool("pool", "h2", "h3", (2, 2), (2, 2), Padding(), -1, 1),
        LowBitDense("dense", "h3", "h4", "w3", "b3", 0, "t3", -1),
        LowBitDense("scores", "h4", "y", "w4", "b4", 0, None, 0),
    )
    source = Edge("x", "x", (1, 6, 6, 2), "int8", 1.0, 0)
    sink = Edge("y", "y", (1, 4), "int16", 1.0, 0, dtype=DType.INT16)
    return Graph("net", Source("edgekit", "none", ""), (source,), (sink,), nodes, tensors, stored)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("sparsity", [0.3, 0.9])
def test_outputs_stay(seed: int, sparsity: float) -> None:
    graph = network(seed, sparsity)
    check.verify(graph)
    x = np.random.default_rng(seed).integers(-128, 128, (20, 6, 6, 2))
    smaller = passes.optimize(graph)
    before, after = interp.run(graph, {"x": x}), interp.run(smaller, {"x": x})
    np.testing.assert_array_equal(after[smaller.outputs[0].tensor], before["y"])


def test_constant_neurons_go() -> None:
    shrunk = [passes.optimize(network(seed, 0.9)) for seed in range(12)]
    widths = [
        graph.tensors[node.y].shape[-1]
        for graph in shrunk
        for node in graph.nodes
        if node.label == "dense"
    ]
    assert min(widths, default=0) < 7
    full = [passes.optimize(network(seed, 0.0)) for seed in range(3)]
    assert all(len(graph.nodes) == 6 for graph in full)
