"""Rows and Stack: what they mean, and what the checker refuses."""

import numpy as np
import pytest
from writers.random_graphs import GraphBuilder

from edgekit.errors import UnsupportedError
from edgekit.ir.check import verify
from edgekit.ir.interp import run
from edgekit.ir.ranges import value_ranges
from edgekit.ir.text import digest
from edgekit.passes import optimize


def builder_with(*heights: int) -> tuple[GraphBuilder, list[str]]:
    """Return clamps of consecutive rows of one input."""
    builder = GraphBuilder(1)
    x = builder.input(sum(heights), 3, 2)
    parts = []
    for k, height in enumerate(heights):
        rows = builder.rows(x, sum(heights[:k]), height)
        parts.append(builder.clamp(rows, -100 + k, 50 + k))
    return builder, parts


def test_rows_and_their_stack():
    builder, parts = builder_with(2, 1, 3)
    graph = builder.graph(builder.stack(*parts))
    verify(graph)
    x = builder.values[builder.inputs[0].tensor]
    (y,) = run(graph, {builder.inputs[0].tensor: x}).values()
    wanted = [np.clip(x[:, :2], -100, 50), np.clip(x[:, 2:3], -99, 51), np.clip(x[:, 3:], -98, 52)]
    np.testing.assert_array_equal(y, np.concatenate(wanted, axis=1))
    assert value_ranges(graph)[graph.outputs[0].tensor] == (-100, 52)
    assert optimize(graph).nodes == graph.nodes
    other = builder.graph(builder.stack(*reversed(parts)))
    assert digest(other) != digest(graph)


@pytest.mark.parametrize("first", [-1, 3])
def test_rows_outside_are_refused(first):
    builder = GraphBuilder(1)
    x = builder.input(4, 3, 2)
    good = builder.rows(x, 2, 2)
    node = builder.nodes.pop()
    builder.nodes.append(type(node)(node.label, x, good, first))
    with pytest.raises(UnsupportedError, match="are no part of"):
        verify(builder.graph(good))


def test_parts_that_do_not_make_up_the_stack_are_refused():
    builder, parts = builder_with(2, 2)
    node = builder.nodes[-1]
    builder.stack(*parts)
    stack = builder.nodes.pop()
    builder.nodes.append(type(stack)(stack.label, parts[:1], stack.y))
    with pytest.raises(UnsupportedError, match="do not make up"):
        verify(builder.graph(stack.y))
    assert node.y == parts[-1]


def test_parts_that_are_read_elsewhere_are_refused():
    builder, parts = builder_with(2, 2)
    stack = builder.stack(*parts)
    with pytest.raises(UnsupportedError, match="2 readers"):
        verify(builder.graph(stack, parts[0]))


def test_parts_that_lie_elsewhere_are_refused():
    builder, parts = builder_with(2, 2)
    stack = builder.stack(parts[0], builder.rows(parts[1], 0, 2))
    with pytest.raises(UnsupportedError, match="a copy is wanted"):
        verify(builder.graph(stack))
