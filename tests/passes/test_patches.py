"""Layers in bands of rows: the same integers in a smaller arena."""

from collections.abc import Collection

import numpy as np
import pytest
from test_memory import simulate, some_overlaps
from writers.random_graphs import GraphBuilder

from edgekit.ir.check import macs, verify
from edgekit.ir.graph import Graph
from edgekit.ir.interp import run
from edgekit.ir.nodes import Rows, Stack
from edgekit.ir.types import Padding, Rounding
from edgekit.passes import buffers, memory
from edgekit.passes.bands import Span, cuts, in_bands, is_region
from edgekit.passes.patches import Needs, fit


def chain(seed: int, layers: int = 6, rounding: Rounding = Rounding.DOUBLE) -> GraphBuilder:
    """Return convolutions, pools and sums on one image; four channels keep rows aligned."""
    builder = GraphBuilder(seed, rounding)
    rng = np.random.default_rng(seed + 77)
    height, width = (int(v) for v in rng.integers(9, 17, 2))
    tensors = [
        builder.conv(builder.input(height, width, 3), 4, (3, 3), padding=Padding(1, 1, 1, 1))
    ]
    for _ in range(layers):
        x = tensors[-1]
        shape = builder.tensors[x].shape
        kernel = tuple(int(v) for v in rng.integers(1, 1 + np.minimum(4, shape[:2])))
        stride = tuple(int(v) for v in rng.integers(1, 3, 2))
        pads = Padding(*(int(rng.integers(0, k)) for k in (*kernel, *kernel)))
        dilation = (int(rng.integers(1, 3)) if 2 * kernel[0] < shape[0] else 1, 1)
        same = [t for t in tensors if builder.tensors[t].shape == shape]
        match int(rng.integers(0, 8)):
            case 0 | 1:
                y = builder.conv(x, 8, kernel, stride, dilation, pads)
            case 2 | 3:
                y = builder.conv(x, 1, kernel, stride, dilation, pads, depthwise=True)
            case 4:
                y = builder.average_pool(x, kernel, stride, pads)
            case 5:
                y = builder.max_pool(x, kernel, stride, pads)
            case 6:
                y = builder.add(x, same[int(rng.integers(0, len(same)))])
            case _:
                one_by_one = (builder.clamp, builder.requantize, builder.lut)
                y = one_by_one[int(rng.integers(0, 3))](x)
        tensors.append(y)
    builder.dense(builder.reshape(tensors[-1], builder.tensors[tensors[-1]].size), 5)
    return builder


def output(graph: Graph, builder: GraphBuilder) -> np.ndarray:
    x = {e.tensor: builder.values[e.tensor] for e in graph.inputs}
    return run(graph, x)[graph.outputs[0].tensor]


@pytest.mark.parametrize("rounding", [Rounding.DOUBLE, Rounding.FLOAT32_RNE])
@pytest.mark.parametrize("block", range(4))
def test_bands_compute_the_same_and_fit_their_arena(block, rounding):
    """Some bands would begin at odd addresses or in the padding; most chains have others."""
    tried = [check_bands(seed, rounding) for seed in range(5 * block, 5 * block + 5)]
    assert sum(count > 0 for count in tried) >= 3


@pytest.mark.nightly
@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("seed", range(100, 600))
def test_many_bands_compute_the_same(seed, rounding):
    check_bands(seed, rounding)


def check_bands(seed: int, rounding: Rounding) -> int:
    """Run regions of a random chain in bands, and their reads and writes on an arena."""
    builder = chain(seed, rounding=rounding)
    graph = builder.graph(builder.nodes[-1].y)
    wanted = output(graph, builder)
    rng = np.random.default_rng(seed)
    tried = 0
    last = len(graph.nodes)
    pairs = [(i, j) for i in range(last) for j in range(i, last) if is_region(graph, i, j)]
    for first, end in rng.permutation(pairs)[:4]:
        rows = graph.tensors[graph.nodes[end].y].shape[0]
        for count in {min(rows, int(n)) for n in rng.integers(2, 6, 2)} - {1}:
            after = in_bands(graph, int(first), int(end), cuts(rows, count))
            if after is None:
                continue
            tried += 1
            verify(after)
            np.testing.assert_array_equal(output(after, builder), wanted)
            assert set(after.constants) == set(graph.constants)
            scratch = {n.y: int(rng.integers(1, 99)) for n in after.nodes if not is_view(n)}
            overlaps = some_overlaps(after, rng)
            found = memory.plan(after, scratch, overlaps, enough_bytes=1 << 20)
            simulate(after, scratch, found, overlaps)
            assert found.lower_bound_bytes <= found.arena_bytes
    return tried


def is_view(node: object) -> bool:
    return isinstance(node, buffers.View)


def nothing(graph: Graph, tensors: Collection[str]) -> Needs:
    """No node needs anything beside its tensors."""
    return Needs({}, {})


def wide_in_the_middle() -> GraphBuilder:
    """A small image, a large tensor, a small one."""
    builder = GraphBuilder(4)
    x = builder.conv(builder.input(16, 8, 4), 32, (3, 3), padding=Padding(1, 1, 1, 1))
    x = builder.conv(x, 1, (3, 3), (2, 2), padding=Padding(1, 1, 1, 1), depthwise=True)
    builder.conv(x, 4, (1, 1))
    return builder


def test_the_arena_meets_its_limit_with_few_macs_more():
    builder = wide_in_the_middle()
    graph = builder.graph(builder.nodes[-1].y)
    whole = fit(graph, nothing, 10_000)
    assert whole.graph is graph
    assert whole.arena.arena_bytes == 16 * 8 * 32 + 8 * 4 * 32
    costs = [sum(macs(graph, node) for node in graph.nodes)]
    for limit in (4000, 3000, 2500):
        found = fit(graph, nothing, limit)
        assert found.arena.arena_bytes <= limit
        assert found.whole_bytes == whole.arena.arena_bytes
        simulate(found.graph, {}, found.arena)
        np.testing.assert_array_equal(output(found.graph, builder), output(graph, builder))
        costs.append(sum(macs(found.graph, node) for node in found.graph.nodes))
    assert costs == sorted(costs)
    assert costs[1] < 1.2 * costs[0]


def test_an_arena_that_no_plan_meets():
    """The smallest one found: the input is whole when the first band begins."""
    builder = wide_in_the_middle()
    graph = builder.graph(builder.nodes[-1].y)
    found = fit(graph, nothing, 16 * 8 * 4)
    assert 16 * 8 * 4 < found.arena.arena_bytes < 2000
    simulate(found.graph, {}, found.arena)


def test_a_chain_in_two_places():
    """Two runs of nodes are too large; both run in bands."""
    builder = wide_in_the_middle()
    x = builder.conv(builder.nodes[-1].y, 64, (3, 3), padding=Padding(1, 1, 1, 1))
    builder.conv(x, 2, (1, 1))
    graph = builder.graph(builder.nodes[-1].y)
    found = fit(graph, nothing, 2000)
    assert found.arena.arena_bytes <= 2000
    assert len([node for node in found.graph.nodes if isinstance(node, Stack)]) == 2
    simulate(found.graph, {}, found.arena)
    np.testing.assert_array_equal(output(found.graph, builder), output(graph, builder))


def test_rows_that_begin_at_odd_addresses_stay_whole():
    builder = GraphBuilder(2)
    x = builder.conv(builder.input(8, 3, 1), 1, (3, 3), padding=Padding(1, 1, 1, 1))
    builder.conv(x, 1, (3, 3), padding=Padding(1, 1, 1, 1))
    graph = builder.graph(builder.nodes[-1].y)
    assert in_bands(graph, 0, 1, cuts(8, 2)) is None  # rows of 3 bytes
    assert in_bands(graph, 0, 0, (Span(0, 4), Span(4, 8))) is None


def plan_of_bands() -> tuple[Graph, memory.MemoryPlan]:
    builder = wide_in_the_middle()
    graph = fit(builder.graph(builder.nodes[-1].y), nothing, 2500).graph
    return graph, memory.plan(graph, {})


def test_rows_that_die_too_early_are_seen(monkeypatch):
    graph, good = plan_of_bands()
    simulate(graph, {}, good)
    read = buffers.inputs_of
    # A planted bug: reading rows does not keep them alive.
    views = {node.y for node in graph.nodes if isinstance(node, Rows)}
    monkeypatch.setattr(
        buffers, "inputs_of", lambda node: tuple(n for n in read(node) if n not in views)
    )
    bad = memory.plan(graph, {})
    with pytest.raises(AssertionError, match=r"overlaps an input|after it was overwritten"):
        simulate(graph, {}, bad)


def test_parts_in_the_wrong_order_are_seen(monkeypatch):
    graph, _ = plan_of_bands()
    start = buffers._start_in
    monkeypatch.setattr(
        buffers,
        "_start_in",
        lambda graph, stack, part: start(graph, stack, stack.parts[-1]) - start(graph, stack, part),
    )
    with pytest.raises(AssertionError, match="names other bytes"):
        simulate(graph, {}, memory.plan(graph, {}))


@pytest.mark.parametrize("limit", range(1, 12))
def test_search_ends_where_no_arena_is_small_enough(limit):
    builder = GraphBuilder(1)
    y = builder.conv(builder.input(3, 4, 1), 1, (3, 3), padding=Padding(1, 1, 1, 1))
    found = fit(builder.graph(y), nothing, limit)
    assert limit < found.arena.arena_bytes < 64
