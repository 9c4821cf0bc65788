"""Which products and quotients of scales are rounded to float32, aimed at ties.

A difference of 2**-24 in a scale moves about one output in 100,000; these inputs sit on it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from writers.tflite_small import Small, f32
from writers.tflite_writer import INT8, INT32, OpSpec, constant, write

from edgekit import frontend
from edgekit.frontend.reference import Reference
from edgekit.ir import edges, interp
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import Conv2D, Dense, Requantize

Compare = Callable[[Small, np.ndarray], Graph]  # type: ignore[type-arg]
RATIOS = [(seed, numerator) for seed in range(8) for numerator in (129, 187, 255, 301, 389, 511)]


@pytest.fixture
def compare(reference: Reference, tmp_path: Path) -> Compare:
    def run(small: Small, x: np.ndarray) -> Graph:  # type: ignore[type-arg]
        path = tmp_path / "small.tflite"
        path.write_bytes(write(small.spec))
        graph = frontend.load(path)
        edge = graph.inputs[0]
        got = interp.run(graph, {edge.tensor: edges.quantize(edge, x)})
        want = reference.run(path, graph, x)
        np.testing.assert_array_equal(got[graph.outputs[0].tensor], want)
        return graph

    return run


def weighted(seed: int, code: str, units: int = 400) -> tuple[Small, float, float]:
    """Return a layer whose biases alone, at a zero input, straddle ties of both scales."""
    rng = np.random.default_rng(seed)
    s_in, s_w = f32(rng.uniform(1e-3, 2e-3)), f32(rng.uniform(1e-3, 2e-3))
    s_out = f32(s_in * s_w * 2**23)
    wide = float(np.float64(s_in) * np.float64(s_w) / np.float64(s_out))
    narrow = float(np.float64(np.float32(np.float32(s_in) * np.float32(s_w))) / np.float64(s_out))
    ties = rng.integers(20, 110, units) + 0.5
    ties *= rng.choice([-1, 1], units)
    bias = np.round((ties / wide + ties / narrow) / 2).astype(np.int64)
    dense = code == "FULLY_CONNECTED"
    small = Small(seed, (4,) if dense else (1, 1, 4), scale=s_in, zero=0)
    shape = (units, 4) if dense else (units, 1, 1, 4)
    weight = np.zeros(shape, np.int64)
    quant = {"scales": [s_w], "zero_points": [0]}
    filters = small.tensor(constant("w", weight, INT8, **quant))
    quant = {"scales": [f32(s_in * s_w)], "zero_points": [0]}
    biases = small.tensor(constant("b", bias, INT32, **quant))
    y = small.activation((1, units) if dense else (1, 1, 1, units), s_out, 0)
    options = ("FullyConnectedOptions", {})
    if not dense:
        options = ("Conv2DOptions", {"StrideH": 1, "StrideW": 1})
    small.spec.ops.append(OpSpec(code, [0, filters, biases], [y], options))
    small.spec.outputs = [y]
    return small, wide, narrow


@pytest.mark.parametrize("code", ["FULLY_CONNECTED", "CONV_2D"])
@pytest.mark.parametrize("seed", range(6))
def test_fully_connected_rounds_the_product_and_convolution_does_not(
    compare: Compare, code: str, seed: int
) -> None:
    small, wide, narrow = weighted(seed, code)
    x = np.zeros((1, *small.spec.tensors[0].shape[1:]), np.int8)
    graph = compare(small, x)
    node = graph.nodes[0]
    assert isinstance(node, Dense | Conv2D)
    bias = graph.constants[node.bias]
    if wide != narrow:
        assert (np.rint(bias * wide) != np.rint(bias * narrow)).any(), "no tie was hit"


def test_the_two_products_differ_in_these_cases() -> None:
    assert sum(wide != narrow for _, wide, narrow in (weighted(s, "CONV_2D") for s in range(6))) > 3


@pytest.mark.parametrize(("seed", "numerator"), RATIOS)
@pytest.mark.parametrize("code", ["QUANTIZE", "RELU"])
def test_quotients_at_ties(compare: Compare, code: str, seed: int, numerator: int) -> None:
    # A difference of 128 steps lands on numerator / 2: a tie, if the quotient is exact.
    s_out = f32(np.random.default_rng(seed).uniform(0.01, 0.1))
    small = Small(seed, (256,), scale=f32(s_out * numerator / 256), zero=-1)
    small.unary(code, s_out, -128 if code == "RELU" else -100)
    x = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)
    graph = compare(small, x)
    assert isinstance(graph.nodes[0], Requantize)
