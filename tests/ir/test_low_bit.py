"""Low-bit nodes: the meaning by hand, and what the checker refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ir.test_serialize import low_bit_graph

from edgekit.errors import ConfigError, UnsupportedError
from edgekit.ir import check, interp
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import LowBitConv2D, LowBitDense, MaxPool
from edgekit.ir.types import DType, Padding, Tensor

GRAPH = low_bit_graph(0)


def test_checked_graph_is_accepted() -> None:
    for seed in range(5):
        check.verify(low_bit_graph(seed))


def with_constant(name: str, value: object) -> Graph:
    array = np.array(value, np.int64)
    array.setflags(write=False)
    tensor = Tensor(name, array.shape, GRAPH.tensors[name].dtype)
    return replace(
        GRAPH,
        constants={**GRAPH.constants, name: array},
        tensors={**GRAPH.tensors, name: tensor},
    )


def with_node(index: int, **changes: object) -> Graph:
    nodes = list(GRAPH.nodes)
    nodes[index] = replace(nodes[index], **changes)  # type: ignore[type-var]
    return replace(GRAPH, nodes=tuple(nodes))


def with_type(name: str, dtype: DType) -> Graph:
    return replace(
        GRAPH, tensors={**GRAPH.tensors, name: replace(GRAPH.tensors[name], dtype=dtype)}
    )


BROKEN = {
    "it holds 0": with_constant("w1", GRAPH.constants["w1"] * 0),
    "thresholds of channel 0 fall": with_constant("t2", [[3, 2, 1]] * 6),
    "threshold shape": with_constant("t1", [[1]] * 7),
    "one row of thresholds": with_constant("t1", [[1]]),
    "levels -1 to 2": with_node(2, low=-1),
    "levels 1 to 3": with_node(1, low=1),
    "levels -2 to 1; TERNARY holds -1 to 1": with_type("h2", DType.TERNARY),
    "connections 0 to 12": with_constant("places", [[0, 1, 2, 12]] * 8),
    "table shape": with_constant("tables", [[1, -1]] * 8),
    "padding value 2 is above": with_node(1, padding_value=2),
    "type of h2 is INT2; one of INT16, INT32": with_node(2, thresholds=None, low=0),
    "input zero point is 5": with_node(2, input_zero_point=5),
}


@pytest.mark.parametrize("message", sorted(BROKEN))
def test_broken_graphs_are_refused(message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        check.verify(BROKEN[message])


def test_sums_and_steps_by_hand() -> None:
    x = np.array([[1, -1, 1]], np.int64)
    node = LowBitDense("d", "x", "y", "w", "b", 0, "t", -1)
    weight = np.array([[1, 1, 1], [-1, 1, -1]], np.int64)
    acc = interp.lowbit.low_bit_accumulators(node, x, weight, np.array([0, 5]))
    assert acc.tolist() == [[1, 2]]
    passed = interp.threshold(acc, np.array([[1], [3]]), -1, DType.BINARY)
    assert passed.tolist() == [[1, -1]]
    steps = interp.threshold(acc, np.array([[0, 1, 2]]), -2, DType.INT2)
    assert steps.tolist() == [[0, 1]]


@pytest.mark.parametrize("cell", [-1, 0, 1])
def test_a_padded_cell_adds_its_value(cell: int) -> None:
    node = LowBitConv2D("c", "x", "y", "w", "b", (1, 1), (1, 1), Padding(1), cell, 0, None, 0)
    x = np.ones((1, 1, 1, 1), np.int64)
    weight = np.array([[[[-1]], [[1]]]], np.int64)  # a column of two rows
    acc = interp.lowbit.low_bit_accumulators(node, x, weight, np.array([0]))
    assert acc.tolist() == [[[[1 - cell]]]]


def test_a_maximum_of_bits_is_or() -> None:
    pool = MaxPool("p", "x", "y", (1, 2), (1, 2), Padding(), -1, 1)
    x = np.array([[[[-1], [-1], [-1], [1]]]], np.int64)
    assert interp.max_pool(pool, x).reshape(-1).tolist() == [-1, 1]


def test_a_bit_that_is_0_is_refused() -> None:
    bits = replace(GRAPH, inputs=(replace(GRAPH.inputs[0], tensor="bits", dtype=DType.BINARY),))
    with pytest.raises(ConfigError, match="holds 0"):
        interp.run(bits, {"bits": np.zeros((1, 6, 6, 2), np.int64)})
