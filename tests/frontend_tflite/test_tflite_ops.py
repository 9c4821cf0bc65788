"""Each operator against the reference kernels, exactly, over random shapes and parameters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from writers.tflite_small import NONE, RELU, RELU6, RELU_N1_TO_1, SAME, VALID, Small
from writers.tflite_writer import FLOAT32, INT32, UINT8, constant

from edgekit.ir import nodes
from edgekit.ir.graph import Graph

Check = Callable[..., Graph]

ACTIVATIONS = (NONE, RELU, RELU6, RELU_N1_TO_1)


def image(seed: int) -> tuple[np.random.Generator, Small]:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(5, 12)), int(rng.integers(5, 12)), int(rng.integers(1, 9)))
    scale = float(np.float32(rng.uniform(0.01, 0.05)))
    return rng, Small(seed, shape, scale=scale, zero=int(rng.integers(-100, 60)))


def pair(rng: np.random.Generator, low: int, high: int) -> tuple[int, int]:
    return int(rng.integers(low, high)), int(rng.integers(low, high))


@pytest.mark.parametrize("seed", range(1000, 1040))
def test_conv_2d(check: Check, seed: int) -> None:
    rng, small = image(seed)
    dilated = rng.random() < 0.3
    small.conv(
        int(rng.integers(1, 12)),
        pair(rng, 1, 3 if dilated else 5),
        (1, 1) if dilated else pair(rng, 1, 4),
        pair(rng, 1, 4) if dilated else (1, 1),
        padding=int(rng.choice([SAME, VALID])),
        activation=ACTIVATIONS[seed % 4],
        per_channel=bool(rng.random() < 0.7),
    )
    graph = check(small)
    assert isinstance(graph.nodes[0], nodes.Conv2D)


@pytest.mark.parametrize("seed", range(100, 140))
def test_depthwise_conv_2d(check: Check, seed: int) -> None:
    rng, small = image(seed)
    dilated = rng.random() < 0.3
    small.depthwise(
        int(rng.integers(1, 4)),
        pair(rng, 1, 3 if dilated else 5),
        (1, 1) if dilated else pair(rng, 1, 4),
        pair(rng, 1, 4) if dilated else (1, 1),
        padding=int(rng.choice([SAME, VALID])),
        activation=ACTIVATIONS[seed % 4],
        per_channel=bool(rng.random() < 0.7),
        bias=bool(rng.random() < 0.8),
    )
    graph = check(small)
    assert isinstance(graph.nodes[0], nodes.DepthwiseConv2D)


@pytest.mark.parametrize("seed", range(200, 240))
def test_fully_connected(check: Check, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 90)),) if seed % 3 else (3, 2, int(rng.integers(1, 9)))
    small = Small(seed, shape)
    small.dense(
        int(rng.integers(1, 40)),
        activation=ACTIVATIONS[seed % 4],
        per_channel=seed % 2 == 1,
        bias=bool(rng.random() < 0.8),
    )
    graph = check(small, samples=16)
    assert isinstance(graph.nodes[0], nodes.Dense)


def test_fully_connected_that_keeps_dimensions(check: Check) -> None:
    small = Small(4, (1, 1, 30)).dense(12, keep=True).dense(9, activation=RELU)
    graph = check(small, samples=16)
    kinds = [type(node) for node in graph.nodes]
    assert kinds == [nodes.Dense, nodes.Reshape, nodes.Dense]


@pytest.mark.parametrize("zero", [-3, 5])
def test_fully_connected_filter_zero_point_is_folded(check: Check, zero: int) -> None:
    small = Small(7, (20,)).dense(9)
    weight = small.spec.tensors[1]
    values = np.frombuffer(weight.data or b"", np.int8).astype(np.int64)
    weight.data = np.clip(values, -120, 120).astype(np.int8).tobytes()
    weight.zero_points = [zero]
    graph = check(small, samples=16)
    assert graph.constants["n0_weight"].max() > 110


@pytest.mark.parametrize("seed", range(330, 354))
@pytest.mark.parametrize("code", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
def test_pools(check: Check, code: str, seed: int) -> None:
    rng, small = image(seed)
    small.pool(
        code,
        pair(rng, 1, 5),
        pair(rng, 1, 4),
        padding=int(rng.choice([SAME, VALID])),
        activation=ACTIVATIONS[seed % 4] if seed % 2 else NONE,
    )
    # The maximum of a large window is often the upper bound.
    check(small, distinct=2 if code == "MAX_POOL_2D" else 4)


@pytest.mark.parametrize("seed", range(400, 424))
def test_add(check: Check, seed: int) -> None:
    rng, small = image(seed)
    entry = small.at
    small.conv(small.now.shape[3], (3, 3), activation=int(rng.choice([NONE, RELU])))
    if seed % 3 == 0:
        entry = small.at
        small.conv(small.now.shape[3], (1, 1))
    small.add(entry, activation=ACTIVATIONS[seed % 4] if seed % 2 else NONE)
    graph = check(small)
    assert isinstance(graph.nodes[-1], nodes.Add)


@pytest.mark.parametrize("seed", range(500, 506))
def test_add_of_a_tensor_to_itself(check: Check, seed: int) -> None:
    _, small = image(seed)
    check(small.add(small.at))


@pytest.mark.parametrize("seed", range(600, 610))
def test_pad(check: Check, seed: int) -> None:
    rng, small = image(seed)
    amounts = [[0, 0], *rng.integers(0, 3, (2, 2)).tolist(), [0, int(rng.integers(0, 2))]]
    check(small.pad(amounts))


@pytest.mark.parametrize("by_input", [True, False])
def test_reshape_and_its_relatives(check: Check, by_input: bool) -> None:
    small = Small(11, (4, 6, 2)).reshape((1, 48), by_input=by_input)
    small.reshape((1, 1, 1, 48))
    y = small.activation((1, 48), *small.quant)
    small.op("SQUEEZE", [small.at], y, ("SqueezeOptions", {"SqueezeDims": [1, 2]}))
    axis = small.tensor(constant("axis", np.asarray([-1]), INT32))
    y = small.activation((1, 48, 1), *small.quant)
    small.op("EXPAND_DIMS", [small.at, axis], y, ("ExpandDimsOptions", {}))
    graph = check(small.reshape((1, 48)).dense(7), samples=16)
    assert [type(node) for node in graph.nodes] == [nodes.Reshape] * 5 + [nodes.Dense]


@pytest.mark.parametrize("seed", range(700, 724))
def test_softmax(check: Check, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scale = float(np.float32(10 ** rng.uniform(-3, 0)))
    small = Small(seed, (int(rng.integers(2, 60)),), scale=scale)
    check(small.softmax(float(np.float32(rng.choice([1.0, 0.5, 2.3])))), samples=8)


@pytest.mark.parametrize("seed", range(800, 812))
@pytest.mark.parametrize("code", ["RELU", "RELU6"])
@pytest.mark.parametrize("same", [True, False])
def test_relu_as_operator(check: Check, code: str, seed: int, same: bool) -> None:
    rng = np.random.default_rng(seed)
    small = Small(seed, (5, 7, 3), scale=float(np.float32(rng.uniform(0.02, 0.2))))
    factor, zero = float(rng.uniform(0.4, 2.5)), int(rng.integers(-128, -20))
    if same:
        check(small.unary(code))
    else:
        check(small.unary(code, small.quant[0] * factor, zero))


@pytest.mark.parametrize("seed", range(900, 924))
def test_requantize(check: Check, seed: int) -> None:
    rng = np.random.default_rng(seed)
    small = Small(seed, (5, 7, 3))
    factor = float(rng.choice([1.0, 0.5, rng.uniform(0.3, 4.0), rng.uniform(0.3, 4.0)]))
    zero = int(rng.integers(-128, 128))
    small.unary("QUANTIZE", small.quant[0] * factor, zero)
    graph = check(small)
    assert isinstance(graph.nodes[0], nodes.Requantize)


@pytest.mark.parametrize("seed", range(6))
def test_float_and_uint8_ends(check: Check, seed: int) -> None:
    small = Small(seed, (6, 6, 2))
    small.enter(FLOAT32 if seed % 2 else UINT8).conv(5, (3, 3), activation=RELU)
    graph = check(small.dequantize() if seed % 3 else small.leave_uint8())
    assert graph.inputs[0].host_ops == (("quantize",) if seed % 2 else ())
    assert graph.inputs[0].source_offset == (0 if seed % 2 else 128)
    assert graph.outputs[0].host_ops == (("dequantize",) if seed % 3 else ())


@pytest.mark.parametrize("shape", [(5, 6), (2, 3, 4)])
def test_other_ranks(check: Check, shape: tuple[int, ...]) -> None:
    check(Small(1, shape).add(0))
    check(Small(1, shape, scale=0.05).softmax())
    check(Small(1, shape).dense(20))


@pytest.mark.parametrize("code", ["SOFTMAX", "LOG_SOFTMAX"])
def test_float_softmax_stays_on_the_host(check: Check, code: str) -> None:
    small = Small(3, (12,)).dense(6).dequantize()
    last = small.tensor(type(small.now)("probabilities", [1, 6], FLOAT32))
    options = ("SoftmaxOptions", {"Beta": 1.0}) if code == "SOFTMAX" else None
    small.op(code, [small.at], last, options)
    graph = check(small, samples=16)
    assert graph.outputs[0].host_ops == ("dequantize", code.lower())
    assert [skipped.label for skipped in graph.not_compared] == [code]


@pytest.mark.parametrize("seed", range(8))
def test_small_networks(check: Check, seed: int) -> None:
    small = Small(seed, (12, 10, 1)).conv(6, (3, 3), (2, 2), activation=RELU)
    small.depthwise(1, (3, 3), activation=RELU6).conv(8, (1, 1), activation=RELU)
    skip = small.at
    small.depthwise(1, (3, 3)).conv(8, (1, 1)).add(skip, activation=RELU)
    small.pool("AVERAGE_POOL_2D", (6, 5), (6, 5), padding=VALID)
    graph = check(small.reshape((1, 8)).dense(5).softmax(), samples=16)
    assert len(graph.nodes) == 10
