"""Functions of one value, products and differences against the reference kernels, exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from writers.tflite_small import NONE, RELU, RELU6, RELU_N1_TO_1, Small, f32
from writers.tflite_writer import INT8, constant

from edgekit.errors import UnsupportedError
from edgekit.ir import nodes
from edgekit.ir.graph import Graph

Check = Callable[..., Graph]

ACTIVATIONS = (NONE, RELU, RELU6, RELU_N1_TO_1)
ENDS = (-128, 127)  # zero points


def every_value(seed: int, scale: float) -> Small:
    """A model whose input has one place for each int8 value, so that 64 samples meet them all."""
    rng = np.random.default_rng(seed)
    zero = ENDS[seed % 2] if seed % 5 == 0 else int(rng.integers(-128, 128))
    return Small(seed, (16, 16), scale=scale, zero=zero)


def stored(small: Small, values: Any, scale: float, zero: int) -> int:
    array = np.asarray(values)
    spec = constant(f"k{len(small.spec.tensors)}", array, INT8, scales=[scale], zero_points=[zero])
    return small.tensor(spec)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("code", ["LOGISTIC", "TANH"])
def test_float_functions(check: Check, code: str, seed: int) -> None:
    small = every_value(seed, f32(10 ** np.random.default_rng(seed).uniform(-2.6, -0.6)))
    if code == "LOGISTIC":
        small.unary(code, 1 / 256, -128)
    else:
        small.unary(code, 1 / 128, 0)
    graph = check(small, samples=8)
    assert isinstance(graph.nodes[0], nodes.Lut8)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("code", ["LEAKY_RELU", "HARD_SWISH", "ABS", "RELU_N1_TO_1"])
def test_scaled_functions(check: Check, code: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    small = every_value(seed, f32(10 ** rng.uniform(-2.3, -0.6)))
    factor = 1.0 if seed % 4 == 0 else float(rng.uniform(0.4, 2.5))
    zero = small.quant[1] if seed % 4 == 0 else int(rng.integers(-128, 128))
    if code == "RELU_N1_TO_1":
        zero = int(np.clip(zero, -100, 100))
    y = small.activation(tuple(small.now.shape), small.quant[0] * factor, zero)
    options = ("LeakyReluOptions", {"Alpha": f32(rng.uniform(0.01, 1.5))})
    small.op(code, [small.at], y, options if code == "LEAKY_RELU" else None)
    check(small, samples=8, distinct=2)


@pytest.mark.parametrize("seed", range(12))
def test_prelu_with_one_slope(check: Check, seed: int) -> None:
    small = every_value(seed, f32(0.03))
    slope = stored(small, [[[int(small.rng.integers(-128, 128))]]], f32(0.004), seed - 6)
    y = small.activation(tuple(small.now.shape), 0.04, int(small.rng.integers(-60, 60)))
    check(small.op("PRELU", [small.at, slope], y), samples=8)


def product(small: Small, a: int, b: int, activation: int, factor: float) -> Small:
    """Multiply at an output scale that spreads the results."""
    scales = [(small.spec.tensors[t].scales or [1.0])[0] for t in (a, b)]
    shape = max((small.spec.tensors[t].shape for t in (a, b)), key=lambda s: int(np.prod(s)))
    zero = int(small.rng.integers(-128, 0 if activation else 128))
    y = small.activation(tuple(shape), scales[0] * scales[1] * factor, zero)
    return small.op("MUL", [a, b], y, ("MulOptions", {"FusedActivationFunction": activation}))


@pytest.mark.parametrize("seed", range(30))
def test_mul(check: Check, seed: int) -> None:
    rng = np.random.default_rng(seed)
    small = Small(seed, (4, 5, 3), scale=f32(rng.uniform(0.01, 0.1)))
    entry = small.at
    if seed % 3:
        small.conv(3, (3, 3))
    factor = float(rng.uniform(40, 120)) if seed % 7 else 0.5  # 0.5: a scale above 1
    graph = check(product(small, small.at, entry, ACTIVATIONS[seed % 4], factor), distinct=2)
    assert isinstance(graph.nodes[-1], nodes.Mul)


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_mul_by_a_factor_for_each_channel(check: Check, seed: int, swapped: bool) -> None:
    small = Small(seed, (4, 6, 5), scale=f32(0.02))
    entry = small.at
    small.pool("AVERAGE_POOL_2D", (4, 6), (4, 6)).conv(5, (1, 1)).unary("LOGISTIC", 1 / 256, -128)
    pair = (small.at, entry) if swapped else (entry, small.at)
    graph = check(product(small, *pair, NONE, 150.0))
    assert isinstance(graph.nodes[-1], nodes.Mul)


@pytest.mark.parametrize("shape", [(1,), (1, 1, 1, 1)])
@pytest.mark.parametrize("seed", range(6))
def test_mul_by_a_number(check: Check, seed: int, shape: tuple[int, ...]) -> None:
    small = every_value(seed, f32(0.02))
    number = stored(small, np.full(shape, 40 * seed - 110), f32(0.01), 5 * seed)
    if len(shape) == 4:
        small.spec.tensors[small.at].shape = [1, 4, 8, 8]
    graph = check(product(small, small.at, number, NONE, 60.0), samples=8, distinct=2)
    assert isinstance(graph.nodes[0], nodes.Lut8)


@pytest.mark.parametrize("shape", [(9,), (5, 6), (4, 5, 3)])
def test_mul_by_stored_factors_is_a_depthwise_layer(check: Check, shape: tuple[int, ...]) -> None:
    small = Small(7, shape, scale=f32(0.03))
    factors = stored(small, small.rng.integers(-100, 100, shape[-1:]), f32(0.01), 9)
    y_shape = small.spec.tensors[small.at].shape
    graph = check(product(small, small.at, factors, RELU, 50.0), samples=16)
    assert nodes.DepthwiseConv2D in {type(node) for node in graph.nodes}
    assert graph.outputs[0].source_shape == tuple(y_shape)


def difference(small: Small, a: int, b: int, activation: int, code: str = "SUB") -> Small:
    scales = [(small.spec.tensors[t].scales or [1.0])[0] for t in (a, b)]
    y_scale = float(np.hypot(*scales)) * float(small.rng.uniform(0.7, 1.3))
    zero = int(small.rng.integers(-90, 0 if activation else 90))
    y = small.activation(tuple(small.spec.tensors[a].shape), y_scale, zero)
    options = (f"{code.title()}Options", {"FusedActivationFunction": activation})
    return small.op(code, [a, b], y, options)


@pytest.mark.parametrize("seed", range(30))
def test_sub(check: Check, seed: int) -> None:
    small = Small(seed, (5, 6, 3), scale=f32(np.random.default_rng(seed).uniform(0.01, 0.05)))
    entry = small.at
    small.conv(3, (3, 3))
    pair = (small.at, entry) if seed % 2 else (entry, small.at)
    graph = check(difference(small, *pair, ACTIVATIONS[seed % 4]), samples=8)
    assert isinstance(graph.nodes[-1], nodes.Add)
    assert graph.nodes[-1].subtract


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("code", ["ADD", "SUB"])
@pytest.mark.parametrize("seed", range(6))
def test_sums_with_a_number(check: Check, seed: int, code: str, first: bool) -> None:
    small = every_value(seed, f32(0.02))
    number = stored(small, [[16 * seed - 40]], f32(0.01 + 0.02 * (seed % 3)), 10 - 4 * seed)
    entry = small.at
    difference(small, entry, number, NONE, code)
    if first:
        small.spec.ops[-1].inputs = [number, entry]
    graph = check(small, samples=8)
    assert isinstance(graph.nodes[0], nodes.Lut8)


@pytest.mark.parametrize("code", ["ADD", "SUB", "MUL", "PRELU"])
@pytest.mark.parametrize("shape", [(5,), (1, 1, 5), (1, 1, 1, 5)])
def test_a_stored_number_for_each_channel(check: Check, code: str, shape: tuple[int, ...]) -> None:
    small = Small(8, (9, 9, 5), scale=f32(0.02), zero=-20)
    entry = small.at
    numbers = stored(small, np.reshape([127, -128, 3, -60, 90], shape), f32(0.01), -128)
    if code == "MUL":
        product(small, entry, numbers, NONE, 150.0)
    elif code == "PRELU":
        small.op(code, [entry, numbers], small.activation((1, 9, 9, 5), 0.03, 4))
    else:
        difference(small, entry, numbers, RELU6, code)
    graph = check(small, samples=16)
    assert isinstance(graph.nodes[0], nodes.Lut8)
    assert graph.constants[graph.nodes[0].table].shape == (5, 256)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("code", ["MINIMUM", "MAXIMUM"])
def test_limits_by_a_number(check: Check, code: str, first: bool) -> None:
    small = every_value(3, f32(0.05))
    number = stored(small, 30, *small.quant)
    entry = small.at
    small.op(code, [entry, number], small.activation((1, 16, 16), *small.quant))
    if first:
        small.spec.ops[-1].inputs = [number, entry]
    graph = check(small)
    assert isinstance(graph.nodes[0], nodes.Clamp)


def test_slopes_and_factors_that_are_refused(check: Check) -> None:
    small = Small(1, (4, 4, 3), scale=0.05)
    y = small.activation((1, 4, 4, 3), 0.05, 0)
    small.op("LEAKY_RELU", [small.at], y, ("LeakyReluOptions", {"Alpha": -0.5}))
    with pytest.raises(UnsupportedError, match=r"slope -0\.5 found"):
        check(small)
    small = Small(1, (4, 4, 3), scale=0.05)
    numbers = stored(small, [[[1], [2], [3], [4]]], 0.01, 0)
    with pytest.raises(UnsupportedError, match="one value or 3 are wanted"):
        check(difference(small, small.at, numbers, NONE))
