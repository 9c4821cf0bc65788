"""The interpreter against scalar loops, on random graphs and on the edges of each node."""

import naive
import numpy as np
import pytest
from writers.random_graphs import GraphBuilder, random_graph

from edgekit.errors import ConfigError
from edgekit.ir.arithmetic import softmax_table
from edgekit.ir.check import verify
from edgekit.ir.interp import run
from edgekit.ir.interp.matmul import matmul
from edgekit.ir.interp.softmax import reciprocal, softmax
from edgekit.ir.nodes import Softmax
from edgekit.ir.types import Padding, Rounding


def compare_every_tensor(builder: GraphBuilder, sample: int = 0) -> None:
    """Compare each node on the interpreter's own inputs, so that one fault shows once."""
    graph = builder.graph(builder.nodes[-1].y)
    verify(graph)
    x = {edge.tensor: builder.values[edge.tensor] for edge in graph.inputs}
    kept = run(graph, x, keep=True)
    one = {name: array[sample] for name, array in kept.items()}
    for node in graph.nodes:
        wanted = naive.run_node(graph, node, one)
        np.testing.assert_array_equal(one[node.y], wanted, err_msg=node.label)


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("seed", range(8))
def test_random_graphs_equal_scalar_loops(seed, rounding):
    compare_every_tensor(random_graph(seed, rounding))


@pytest.mark.nightly
@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("seed", range(100, 400))
def test_many_random_graphs_equal_scalar_loops(seed, rounding):
    compare_every_tensor(random_graph(seed, rounding, nodes=12))


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 3)])
@pytest.mark.parametrize("padding", [Padding(), Padding(1, 0, 2, 3), Padding(4, 4, 4, 4)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
def test_convolution_windows(depthwise, dilation, padding, stride):
    builder = GraphBuilder(5, samples=2)
    x = builder.input(9, 10, 2)
    builder.conv(x, 3, (3, 2), stride, dilation, padding, depthwise)
    compare_every_tensor(builder, 1)


def test_average_pool_rounds_halves_away_from_zero():
    builder = GraphBuilder(1, samples=1)
    x = builder.input(1, 2, 6)
    builder.values[x] = np.array([[[[1, -1, 3, -3, 0, 127], [2, -2, 4, -4, -1, 126]]]])
    graph = builder.graph(builder.average_pool(x, (1, 2)))
    low, high = graph.nodes[0].low, graph.nodes[0].high
    out = run(graph, {x: builder.values[x]})[graph.nodes[0].y]
    np.testing.assert_array_equal(out[0, 0, 0], np.clip([2, -2, 4, -4, -1, 127], low, high))


def test_max_pool_never_takes_padding():
    builder = GraphBuilder(4, samples=1)
    x = builder.input(2, 2, 1)
    builder.values[x] = np.full((1, 2, 2, 1), -128)
    graph = builder.graph(builder.max_pool(x, (2, 2), padding=Padding(1, 1, 1, 1)))
    assert run(graph, {x: builder.values[x]})[graph.nodes[0].y].max() == graph.nodes[0].low


@pytest.mark.parametrize("scale", [0.004, 0.05, 0.3, 2.0])
@pytest.mark.parametrize("length", [1, 2, 12, 511])
def test_softmax_equals_scalar_algorithm(scale, length):
    rng = np.random.default_rng(length)
    table = softmax_table(1.0, scale)
    rows = np.concatenate(
        [
            rng.integers(-128, 128, (12, length)),
            rng.integers(-5, 5, (12, length)),
            np.full((1, length), 127),
        ]
    )
    wanted = [naive.softmax(row, table.tolist()) for row in rows.tolist()]
    np.testing.assert_array_equal(softmax(rows, table), wanted)


def test_softmax_reciprocal_to_the_last_bit():
    rng = np.random.default_rng(3)
    fractions = np.concatenate([[0, 1, 2**30, 2**31 - 1], rng.integers(0, 2**31, 500)])
    found = reciprocal(fractions)
    assert found.tolist() == [naive.reciprocal(f) for f in fractions.tolist()]
    np.testing.assert_allclose(found / 2**31, 1 / (1 + fractions / 2**31), atol=1e-8)


def test_softmax_is_a_softmax():
    rows = np.random.default_rng(0).integers(-30, 30, (50, 10))
    real = np.exp(0.1 * rows) / np.exp(0.1 * rows).sum(axis=1, keepdims=True)
    out = softmax(rows, softmax_table(1.0, 0.1))
    assert np.abs((out + 128) / 256 - real).max() <= 1 / 256


def test_matmul_is_exact_beyond_float64():
    x = np.array([[2**40 + 1, 3]])
    weight = np.array([[2**20 + 1, -7], [1, 1]])
    wanted = [[(2**40 + 1) * (2**20 + 1) - 21, 2**40 + 4]]
    np.testing.assert_array_equal(matmul(x, weight), wanted)


def test_run_keeps_tensors_only_on_request_and_splits_batches():
    builder = random_graph(3)
    last = builder.nodes[-1].y
    graph = builder.graph(last)
    name = graph.inputs[0].tensor
    x = np.random.default_rng(2).integers(-128, 128, (70, *graph.tensors[name].shape))
    assert set(run(graph, {name: x})) == {last}
    kept = run(graph, {name: x}, keep=True)
    assert set(kept) == {name, *(node.y for node in graph.nodes)}
    alone = np.concatenate([run(graph, {name: x[k : k + 1]})[last] for k in range(70)])
    np.testing.assert_array_equal(kept[last], alone)
    flat = run(graph, {name: x.reshape(70, -1)})[last]
    np.testing.assert_array_equal(flat, alone)
    assert run(graph, {name: x[:0]})[last].shape == (0, *graph.tensors[last].shape)


def test_run_refuses_wrong_inputs():
    builder = GraphBuilder(1)
    x = builder.input(2, 3, 1)
    graph = builder.graph(builder.reshape(x, 6))
    good = np.zeros((2, 2, 3, 1), np.int64)
    cases = {
        "input input_0 is missing; found other": {"other": good},
        "input input_0 is missing; found nothing": {},
        "input input_0 is float64; graph integers are wanted": {x: good + 0.5},
        "input input_0 is (2, 5); [batch, *(2, 3, 1)] is wanted": {x: np.zeros((2, 5), int)},
        "input input_0 reaches 0 to 200; -128 to 127 is wanted": {
            x: good + np.arange(2)[:, None, None, None] * 200
        },
    }
    for message, inputs in cases.items():
        with pytest.raises(ConfigError) as caught:
            run(graph, inputs)
        assert caught.value.message == message


def test_softmax_node_reads_its_table():
    builder = GraphBuilder(2)
    x = builder.dense(builder.input(4, 4, 2), 7)
    builder.softmax(x, 0.2)
    assert isinstance(builder.nodes[-1], Softmax)
    compare_every_tensor(builder)
