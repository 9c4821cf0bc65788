from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from float_nets import dense_net, image_net

from edgekit.compress import calibrate, floatnet, lowrank, quantize, simulate, weights
from edgekit.compress.floatnet import FloatNet
from edgekit.compress.quantize import Plan
from edgekit.errors import ConfigError
from edgekit.ir import edges, interp
from edgekit.ir.graph import Graph
from edgekit.ir.types import DType, Rounding


def inputs(net: FloatNet, count: int = 40) -> np.ndarray:
    return np.random.default_rng(5).normal(size=(count, *net.input_shape)).astype(np.float32)


def plan_for(net: FloatNet, word: weights.Word = "int8", method: str = "min_max") -> Plan:
    grids = calibrate.grids(calibrate.observe(net, inputs(net)), method)
    return Plan(grids, {layer.label: word for _, layer in floatnet.weighted(net)})


def answers(graph: Graph, x: np.ndarray) -> np.ndarray:
    (given,), (taken,) = graph.inputs, graph.outputs
    out = interp.run(graph, {given.tensor: edges.quantize(given, x)})
    return edges.dequantize(taken, out[taken.tensor])


@pytest.mark.parametrize("method", ["min_max", "percentile", "mse"])
def test_int8_follows_the_float_network(method: str) -> None:
    net = image_net()
    x = inputs(net)
    graph = quantize.lower(net, plan_for(net, method=method))
    step = graph.outputs[0].scale
    error = np.abs(answers(graph, x) - floatnet.forward(net, x))
    assert error.mean() < 2 * step
    assert {type(node).__name__ for node in graph.nodes} == {
        "Conv2D", "DepthwiseConv2D", "MaxPool", "AveragePool", "Dense"
    }  # fmt: skip
    assert all(
        node.requant.rounding is Rounding.SINGLE
        for node in graph.nodes
        if getattr(node, "requant", None) is not None
    )


@pytest.mark.parametrize("word", ["int4", "int2", "ternary", "binary"])
def test_narrow_weights_are_typed_as_such(word: weights.Word) -> None:
    net = image_net()
    graph = quantize.lower(net, plan_for(net, word))
    dtype = weights.DTYPES[word]
    stored = {name for name in graph.constants if graph.tensors[name].dtype is dtype}
    assert len(stored) == 4
    for name in stored:
        assert np.abs(graph.constants[name]).max() <= weights.LARGEST[word]
    assert (word != "binary") or all((graph.constants[n] != 0).all() for n in stored)


def test_the_simulation_is_the_graph_but_for_single_steps() -> None:
    net = lowrank.tensor_train(dense_net(widths=(24, 30, 10)), "dense 0", (5, 6), (6, 4), (3,))
    plan = plan_for(net)
    graph, x = quantize.lower(net, plan), inputs(net)
    step = graph.outputs[0].scale
    away = np.abs(answers(graph, x) - simulate.forward(net, plan, x)) / step
    assert away.max() <= 1.01
    assert (away > 0.5).mean() < 0.1


def test_bias_correction_restores_the_means() -> None:
    net = image_net()
    x = np.abs(inputs(net, 200))
    grids = calibrate.grids(calibrate.observe(net, x), "min_max")
    plan = Plan(grids, {layer.label: "ternary" for _, layer in floatnet.weighted(net)})
    wanted = floatnet.forward(net, x).mean(axis=0)
    plain = simulate.forward(net, plan, x).mean(axis=0)
    corrected = simulate.forward(simulate.bias_corrected(net, plan, x), plan, x).mean(axis=0)
    assert np.abs(corrected - wanted).max() < 0.2 * np.abs(plain - wanted).max()


def test_the_grid_of_least_error_clips_a_tail() -> None:
    net = dense_net(widths=(24, 10))
    x = inputs(net, 400)
    x[0, 0] = 50.0
    seen = calibrate.observe(net, x)
    wide, percentile, least = (
        calibrate.grids(seen, method, 99.9)[calibrate.INPUT].scale
        for method in ("min_max", "percentile", "mse")
    )
    assert wide > 3 * percentile
    assert wide > least
    sample = seen[calibrate.INPUT].values.astype(np.float64)

    def error(grid: calibrate.Grid) -> float:
        there = calibrate.real(grid, calibrate.q(grid, sample))
        return float(np.square(there - sample).mean())

    grids = calibrate.grids(seen, "mse")[calibrate.INPUT], calibrate.grid(-4.0, 50.0)
    assert error(grids[0]) <= error(grids[1])


def test_a_neuron_without_weights_computes_its_bias() -> None:
    net = dense_net(widths=(24, 30, 10))
    first = net.layers[0]
    weight, bias = first.weight.copy(), first.bias.copy()
    weight[3], bias[3] = 0, 1.0
    bias[4] = 900.0  # far above what its weights reach
    weight[4] *= 1e-4
    net = floatnet.with_layers(net, {0: replace(first, weight=weight, bias=bias)})
    x = inputs(net)
    graph = quantize.lower(net, plan_for(net))
    error = np.abs(answers(graph, x) - floatnet.forward(net, x))
    assert error.max() < 3 * graph.outputs[0].scale
    assert graph.constants["w0"][3].tolist() == [0] * 24


def test_a_network_of_zeros_is_a_constant() -> None:
    net = dense_net(widths=(24, 10))
    layer = net.layers[0]
    zero = replace(layer, weight=layer.weight * 0, bias=layer.bias * 0)
    net = floatnet.with_layers(net, {0: zero})
    assert not answers(quantize.lower(net, plan_for(net)), inputs(net)).any()


def test_calibration_needs_samples_and_numbers() -> None:
    net = dense_net()
    with pytest.raises(ConfigError, match="no samples to calibrate with"):
        calibrate.observe(net, inputs(net, 0))
    bad = inputs(net)
    bad[2, 3] = np.inf
    with pytest.raises(ConfigError, match="the calibration data: values that are not finite"):
        calibrate.observe(net, bad)


def test_activations_are_int8() -> None:
    graph = quantize.lower(dense_net(), plan_for(dense_net(), "int4"))
    kinds = {graph.tensors[node.y].dtype for node in graph.nodes}
    assert kinds == {DType.INT8}


def test_a_grid_holds_zero_and_both_ends() -> None:
    for low, high in ((-1.0, 3.0), (0.0, 6.0), (-5.0, 0.0), (0.5, 2.0), (-1e-3, 1e4)):
        one = calibrate.grid(low, high)
        ends = np.array([min(low, 0.0), 0.0, max(high, 0.0)])
        there = calibrate.real(one, calibrate.q(one, ends))
        assert there[1] == 0
        assert np.abs(there - ends).max() <= 0.51 * one.scale


def test_a_limited_relu_ends_at_its_limit() -> None:
    net = image_net()
    plan = plan_for(net)
    place = next(k for k, layer in enumerate(net.layers) if layer.label == "relu6")
    grids = {**plan.grids, place: calibrate.Grid(0.1, -128)}
    graph = quantize.lower(net, replace(plan, grids=grids))
    requant = next(node.requant for node in graph.nodes if node.label == "depthwise")
    assert (requant.low, requant.high) == (-128, -68)


def test_biases_are_the_nearest_integers() -> None:
    layer = replace(dense_net().layers[0], bias=np.linspace(-2, 2, 30).astype(np.float32))
    weight = layer.weight.copy()
    weight[7] = 0
    layer = replace(layer, weight=weight)
    x, y = calibrate.Grid(3.0, 5), calibrate.Grid(0.01, -4)
    found = quantize.coded(layer, "int8", None, x, y)
    away = np.abs(found.bias * found.scale * x.scale - layer.bias)
    assert (away <= 0.501 * found.scale * x.scale).all()
    assert away[7] <= y.scale / 500  # a dead row is as fine as its output needs


@pytest.mark.parametrize("word", ["int4", "int2"])
def test_narrow_scales_have_less_error_than_full_range(word: weights.Word) -> None:
    rows = np.random.default_rng(2).normal(size=(6, 200))
    full = np.abs(rows).max(axis=1) / weights.LARGEST[word]
    errors = [
        np.square(weights.codes(rows, scale, word) * scale[:, None] - rows).sum(axis=1)
        for scale in (weights.scales(rows, word), full)
    ]
    assert (errors[0] < 0.97 * errors[1]).all()
