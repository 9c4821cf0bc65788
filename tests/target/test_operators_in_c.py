"""Networks of every operator that is no layer, as generated C: each tensor of each node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from native_model import NativeModel, plan_of
from writers.tflite_small import RELU, VALID, Small, f32
from writers.tflite_writer import INT8, INT32, OpSpec, constant, write

from edgekit.frontend.tflite import load_bytes
from edgekit.ir import interp
from edgekit.ir.check import verify
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import Reshape
from edgekit.passes import optimize


def indices(small: Small, values: object) -> int:
    return small.tensor(constant(f"i{len(small.spec.tensors)}", np.asarray(values), INT32))


def attention() -> Small:
    """A squeeze and excitation of channels, and a skip that is subtracted."""
    small = Small(1, (8, 7, 3), scale=f32(0.02)).conv(6, (3, 3)).unary("LOGISTIC", 1 / 256, -128)
    entry = small.at
    y = small.activation((1, 1, 1, 6), small.quant[0] * 0.7, -128)
    axes = indices(small, (1, 2))
    small.op("MEAN", [small.at, axes], y, ("ReducerOptions", {"KeepDims": True}))
    y = small.conv(6, (1, 1)).activation((1, 1, 1, 6), *small.quant)
    small.op("LEAKY_RELU", [small.at], y, ("LeakyReluOptions", {"Alpha": f32(0.2)}))
    y = small.activation((1, 8, 7, 6), 0.01, 5)
    small.op("MUL", [entry, small.at], y, ("MulOptions", {}))
    y = small.activation((1, 8, 7, 6), 0.009, -3)
    small.op("SUB", [small.at, entry], y, ("SubOptions", {"FusedActivationFunction": RELU}))
    y = small.activation((1, 8, 7, 6), 0.02, -3)
    small.op("HARD_SWISH", [small.at], y)
    return small.dense(4)


def pyramid() -> Small:
    """Down, up again, and joined with what was there before."""
    small = Small(2, (8, 8, 4), scale=f32(0.02))
    entry = small.at
    small.pool("MAX_POOL_2D", (2, 2), (2, 2), padding=VALID)
    y = small.activation((1, 8, 8, 4), *small.quant)
    size = indices(small, (8, 8))
    small.op("RESIZE_NEAREST_NEIGHBOR", [small.at, size], y, ("ResizeNearestNeighborOptions", {}))
    y = small.activation((1, 8, 8, 12), *small.quant)
    parts = [entry, small.at, entry]
    small.op("CONCATENATION", parts, y, ("ConcatenationOptions", {"Axis": 3}))
    y = small.activation((1, 12, 8, 8), *small.quant)
    order = indices(small, (0, 3, 1, 2))
    small.op("TRANSPOSE", [small.at, order], y, ("TransposeOptions", {}))
    inputs = [small.at, *(indices(small, v) for v in ((0, 11, 1, 0), (1, 2, 8, 8), (1, -3, 2, 1)))]
    y = small.activation((1, 3, 4, 8), *small.quant)
    small.op("STRIDED_SLICE", inputs, y, ("StridedSliceOptions", {}))
    y = small.activation((1, 3, 8), small.quant[0] * 0.8, 11)
    axes = indices(small, 2)
    return small.op("MEAN", [small.at, axes], y, ("ReducerOptions", {})).dense(5)


def numbers() -> Small:
    """Stored operands, parts of a signal, and a function that follows another one."""
    small = Small(3, (12, 4), scale=f32(0.03), zero=-128)
    halves = [small.activation((1, 6, 4), *small.quant) for _ in range(2)]
    axis = indices(small, 1)
    small.spec.ops.append(OpSpec("SPLIT", [axis, small.at], halves, ("SplitOptions", {})))
    y = small.activation((1, 6, 4), 0.05, 3)
    small.op("ADD", halves, y, ("AddOptions", {}))
    stored = constant("factors", np.array([3, -90, 77, 1]), INT8, scales=[0.01], zero_points=[5])
    y = small.activation((1, 6, 4), 0.02, 3)
    small.op("MUL", [small.at, small.tensor(stored)], y, ("MulOptions", {}))
    small.unary("TANH", 1 / 128, 0).unary("ABS").unary("QUANTIZE", 1 / 60, -50)
    y = small.activation((1, 2, 6, 4), *small.quant)
    small.op("PACK", [small.at] * 2, y, ("PackOptions", {"ValuesCount": 2, "Axis": 1}))
    return small.dense(6)


@pytest.mark.parametrize("network", [attention, pyramid, numbers])
@pytest.mark.parametrize("optimized", [False, True])
def test_every_tensor_of_the_c(tmp_path: Path, network: object, optimized: bool) -> None:
    assert callable(network)
    small = network()
    graph = load_bytes(write(small.spec), "network")
    verify(graph)
    graph = optimize(graph) if optimized else graph
    x = small.rng.integers(-128, 128, (3, *graph.inputs[0].source_shape[1:]))
    tensors = interp.run(graph, {graph.inputs[0].tensor: x}, keep=True)
    model = NativeModel(plan_of(graph), tmp_path)
    for sample, values in enumerate(x):
        for index, node in enumerate(graph.nodes):
            wanted = tensors[node.y][sample].ravel()
            np.testing.assert_array_equal(model.tensor(values, index), wanted, err_msg=node.label)
    last = tensors[graph.outputs[0].tensor]
    assert np.unique(last).size >= 4
    assert spread(graph, tensors) >= 0.3, shares(graph, tensors)


def spread(graph: Graph, tensors: dict[str, np.ndarray]) -> float:
    """Return the smallest share of values that lie within the range, over all nodes."""
    return min(shares(graph, tensors).values())


def shares(graph: Graph, tensors: dict[str, np.ndarray]) -> dict[str, float]:
    computed = {n.label: tensors[n.y] for n in graph.nodes if not isinstance(n, Reshape)}
    return {k: float((np.abs(t + 0.5) < 127).mean()) for k, t in computed.items()}
