"""Accumulator ranges contain what is reached and no more; multiply counts."""

from dataclasses import replace

import numpy as np
import pytest
from changes import node, sample
from writers.random_graphs import GraphBuilder, random_graph

from edgekit.ir.check import accumulator_range, macs
from edgekit.ir.interp import run
from edgekit.ir.interp.add import add_fixed_sum, add_float32_sum
from edgekit.ir.interp.conv2d import conv2d_accumulators
from edgekit.ir.interp.dense import dense_accumulators
from edgekit.ir.interp.depthwise_conv2d import depthwise_accumulators
from edgekit.ir.nodes import (
    Add,
    AveragePool,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Requantize,
    inputs_of,
)
from edgekit.ir.types import DType, Padding, Rounding, Tensor


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("seed", range(6))
def test_accumulator_range_holds(seed, rounding):
    builder = random_graph(seed, rounding)
    graph = builder.graph(builder.nodes[-1].y)
    kept = run(graph, {graph.inputs[0].tensor: builder.values[graph.inputs[0].tensor]}, keep=True)
    measures = {
        Conv2D: conv2d_accumulators,
        DepthwiseConv2D: depthwise_accumulators,
        Dense: dense_accumulators,
    }
    for n in graph.nodes:
        low, high = accumulator_range(graph, n)
        if type(n) in measures:
            weight, bias = graph.constants[n.weight], graph.constants[n.bias]
            acc = measures[type(n)](n, kept[n.x], weight, bias)
        elif isinstance(n, Requantize):
            acc = kept[n.x] - n.input_zero_point
        elif isinstance(n, AveragePool | Add):
            continue  # the range is of a sum; the next test takes its ends
        else:
            acc = kept[inputs_of(n)[0]]
        assert low <= acc.min()
        assert acc.max() <= high


@pytest.mark.parametrize("rounding", list(Rounding))
def test_accumulator_range_of_add_and_pool_contains_all_sums(rounding):
    graph = sample(rounding)
    every = np.arange(-128, 128)
    add = graph.nodes[1]
    low_a, high_a = graph.nodes[0].requant.low, graph.nodes[0].requant.high
    a, b = (v.ravel() for v in np.meshgrid(np.arange(low_a, high_a + 1), every))
    a, b = a - add.a_zero_point, b - add.b_zero_point
    if rounding is Rounding.FLOAT32_RNE:
        sums = np.rint(add_float32_sum(add, a, b)).astype(int)
    else:
        sums = add_fixed_sum(add, a, b)
    assert accumulator_range(graph, add) == (sums.min(), sums.max())
    mean = graph.nodes[2]
    centre = mean.input_zero_point if mean.requant else 0
    low, high = (4 * (value - centre) for value in (add.requant.low, add.requant.high))
    found = accumulator_range(graph, mean)
    assert found[0] <= low <= high <= found[1]


def test_accumulator_range_is_tight():
    builder = GraphBuilder(1, samples=1)
    x = builder.input(12)
    builder.dense(x, 3)
    graph = builder.graph(builder.nodes[-1].y)
    dense = graph.nodes[0]
    weight, bias = graph.constants[dense.weight], graph.constants[dense.bias]
    worst = np.where(weight > 0, 127, -128) - dense.input_zero_point
    best = np.where(weight > 0, -128, 127) - dense.input_zero_point
    highs, lows = (weight * worst).sum(axis=1) + bias, (weight * best).sum(axis=1) + bias
    assert accumulator_range(graph, dense) == (lows.min(), highs.max())


def test_accumulator_range_counts_padding():
    # All inputs lie 10 to 20 above the zero point, but a padded cell lies at it.
    builder = GraphBuilder(1, samples=1)
    x = builder.clamp(builder.input(2, 2, 1), 10, 20)
    builder.conv(x, 1, (3, 3), padding=Padding(1, 1, 1, 1))
    graph = node(1, builder.graph(builder.nodes[-1].y), input_zero_point=0)
    conv = graph.nodes[1]
    weight, bias = graph.constants[conv.weight], int(graph.constants[conv.bias][0])
    low, high = (20 * int(part.sum()) for part in (np.minimum(weight, 0), np.maximum(weight, 0)))
    assert accumulator_range(graph, conv) == (bias + low, bias + high)
    inside = replace(conv, padding=Padding())
    low = 20 * int(np.minimum(weight, 0).sum()) + 10 * int(np.maximum(weight, 0).sum())
    high = 10 * int(np.minimum(weight, 0).sum()) + 20 * int(np.maximum(weight, 0).sum())
    assert accumulator_range(graph, inside) == (bias + low, bias + high)


def test_macs():
    graph = sample()
    assert [macs(graph, n) for n in graph.nodes] == [
        6 * 5 * 2 * 9 * 2, 0, 0, 0, 0, 0, 0, 0, 160, 0, 5 * 4 * 2 * 4
    ]  # fmt: skip


def test_tensor_sizes_are_counted():
    assert Tensor("t", (3, 4, 5), DType.INT8).size == 60
