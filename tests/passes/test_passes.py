"""Passes keep every output integer, and do what they are for."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from writers.random_graphs import GraphBuilder, edge, random_graph

from edgekit.errors import UnsupportedError
from edgekit.ir.check import macs, verify
from edgekit.ir.graph import Graph
from edgekit.ir.interp import run
from edgekit.ir.nodes import Clamp, Pad, Requantize
from edgekit.ir.types import Padding, Requant, Rounding
from edgekit.passes import FOLD, PASSES, optimize, optimize_with_savings

BY_NAME = dict(PASSES)
WIDE = (-128, 127)


def outputs(graph: Graph, samples: int = 6, seed: int = 0) -> list[np.ndarray]:
    """Return the outputs in order: a pass may rename the tensors behind them."""
    rng = np.random.default_rng(seed)
    x = {
        e.tensor: rng.integers(-128, 128, (samples, *graph.tensors[e.tensor].shape))
        for e in graph.inputs
    }
    values = run(graph, x)
    return [values[e.tensor] for e in graph.outputs]


def assert_same(before: Graph, after: Graph) -> None:
    verify(after)
    assert [e.source_name for e in before.outputs] == [e.source_name for e in after.outputs]
    for one, other in zip(outputs(before), outputs(after), strict=True):
        np.testing.assert_array_equal(one, other)


def kinds(graph: Graph) -> list[str]:
    return [type(node).__name__ for node in graph.nodes]


def apply(name: str, builder: GraphBuilder, *names: str) -> Graph:
    before = builder.graph(*(names or (builder.nodes[-1].y,)))
    verify(before)
    after = BY_NAME[name](before)
    assert_same(before, after)
    return after


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("seed", range(25))
def test_optimize_keeps_all_outputs(seed, rounding):
    builder = random_graph(seed, rounding, nodes=12)
    rng = np.random.default_rng(seed)
    names = {builder.nodes[-1].y, *(n.y for n in builder.nodes if rng.random() < 0.2)}
    graph = builder.graph(*sorted(names))
    seen: list[str] = []
    optimized = optimize(graph, lambda name, after: (seen.append(name), assert_same(graph, after)))
    assert seen == [name for name, _ in PASSES]
    assert len(optimized.nodes) <= len(graph.nodes)
    assert optimize(optimized).nodes == optimized.nodes


def test_every_pass_says_what_it_saved():
    builder = GraphBuilder(1, dead=0.6)
    x = builder.conv(builder.input(5, 5, 2), 4, (1, 1))
    y = builder.dense(builder.reshape(builder.clamp(builder.conv(x, 8), -20, 20), 72), 3)
    graph = builder.graph(y)
    taken: list[str] = []
    after, savings = optimize_with_savings(graph, lambda name, _: taken.append(name))
    assert [s.name for s in savings] == taken == [name for name, _ in PASSES]
    assert after.nodes == optimize(graph).nodes
    for one, other in pairwise(savings):
        assert one.macs_after == other.macs_before
        assert one.weights_after == other.weights_before
        assert one.nodes_after == other.nodes_before
    assert savings[-1].macs_after == sum(macs(after, node) for node in after.nodes)
    assert savings[-1].weights_after == sum(
        after.constants[n.weight].size for n in after.nodes if hasattr(n, "weight")
    )
    by_name = {s.name: s for s in savings}
    assert by_name["drop-dead"].is_empty
    assert by_name["drop-dead"].sentence() == "drop-dead: nothing to save"
    assert by_name["fold-reshape"].sentence() == "fold-reshape: 5 → 4 nodes"
    assert by_name["fuse-clamp"].as_json()["nodes"] == [4, 3]
    folded = by_name[FOLD]
    assert folded.as_json()["weights"] == [folded.weights_before, folded.weights_after]
    assert folded.weights_before == 8 + 9 * 4 * 8 + 3 * 72 > folded.weights_after
    assert folded.sentence().startswith(f"{FOLD}: ")
    assert f"{folded.macs_before:,} → {folded.macs_after:,} MACs" in folded.sentence()


def test_folding_can_be_turned_off():
    builder = GraphBuilder(1, dead=0.6)
    x = builder.conv(builder.input(5, 5, 2), 4, (1, 1))
    graph = builder.graph(builder.dense(x, 3))
    seen: list[str] = []
    kept, savings = optimize_with_savings(graph, lambda name, _: seen.append(name), fold=False)
    assert FOLD not in seen
    assert [s.name for s in savings] == seen
    assert kept.nodes == graph.nodes == optimize(graph, fold=False).nodes
    assert optimize(graph).tensors[x].shape[-1] < 4


def test_optimize_refuses_a_broken_graph():
    builder = random_graph(1)
    graph = replace(builder.graph(builder.nodes[-1].y), nodes=())
    with pytest.raises(UnsupportedError):
        optimize(graph)


def test_pad_goes_into_all_convolutions_that_read_it():
    builder = GraphBuilder(1)
    x = builder.input(5, 5, 2)
    padded = builder.pad(x, (1, 2, 0), (0, 1, 0), value=9)
    left = builder.conv(padded, 2, (3, 3), padding=Padding(1, 0, 0, 1))
    right = builder.conv(padded, 1, (3, 3), depthwise=True)
    builder.nodes = [
        replace(n, input_zero_point=9) if hasattr(n, "requant") else n for n in builder.nodes
    ]
    after = apply("fuse-pad", builder, left, right)
    assert kinds(after) == ["Conv2D", "DepthwiseConv2D"]
    assert after.nodes[0].padding == Padding(2, 2, 0, 2)
    assert after.nodes[1].padding == Padding(1, 2, 0, 1)
    assert padded not in after.tensors


@pytest.mark.parametrize("case", ["value", "channels", "output", "reader"])
def test_pad_stays_where_its_meaning_would_change(case):
    builder = GraphBuilder(1)
    x = builder.input(5, 5, 2)
    sides = (0, 0, 1 if case == "channels" else 0)
    padded = builder.pad(x, sides, (1, 1, 0), value=9)
    conv = builder.conv(padded, 2)
    builder.nodes[-1] = replace(builder.nodes[-1], input_zero_point=8 if case == "value" else 9)
    names = [conv]
    if case == "output":
        names.append(padded)
    if case == "reader":
        names.append(builder.clamp(padded, 0, 5))
    assert "Pad" in kinds(apply("fuse-pad", builder, *names))


@pytest.mark.parametrize(
    ("value", "low", "merged"), [(-128, -128, True), (-100, -100, True), (-99, -100, False)]
)
def test_pad_goes_into_a_maximum_only_below_all_values(value, low, merged):
    builder = GraphBuilder(2)
    x = builder.clamp(builder.input(5, 5, 2), low, 100)
    padded = builder.pad(x, (1, 1, 0), (0, 1, 0), value=value)
    builder.max_pool(padded, (2, 2), (2, 2))
    assert ("Pad" not in kinds(apply("fuse-pad", builder))) == merged


def test_pad_wider_than_the_window_stays_before_a_maximum():
    builder = GraphBuilder(2)
    builder.max_pool(builder.pad(builder.input(5, 5, 2), (2, 0, 0), (0, 0, 0), -128), (2, 2))
    assert kinds(apply("fuse-pad", builder)) == ["Pad", "MaxPool"]


@pytest.mark.parametrize("limits", [(-20, 30), (100, 127), (-128, -100), (5, 5)])
@pytest.mark.parametrize("rounding", [Rounding.DOUBLE, Rounding.FLOAT32_RNE])
def test_clamp_goes_into_every_kind_of_producer(limits, rounding):
    makers = [
        lambda b, x: b.conv(x, 2),
        lambda b, x: b.conv(x, 1, depthwise=True),
        lambda b, x: b.dense(x, 5),
        lambda b, x: b.add(x, x),
        lambda b, x: b.requantize(x),
        lambda b, x: b.average_pool(x, (2, 2)),
        lambda b, x: b.max_pool(x, (2, 2)),
        lambda b, x: b.clamp(x),
    ]
    for maker in makers:
        builder = GraphBuilder(3, rounding)
        x = builder.input(6, 6, 2)
        inner = builder.clamp(maker(builder, x), *limits)
        builder.clamp(inner, -10, 110)  # a second one goes the same way
        assert len(apply("fuse-clamp", builder).nodes) == 1


def test_clamp_stays_where_its_input_is_seen():
    builder = GraphBuilder(3)
    x = builder.input(6, 6, 2)
    conv = builder.conv(x, 2)
    clamped = builder.clamp(conv, -5, 5)
    assert kinds(apply("fuse-clamp", builder, clamped, conv)) == ["Conv2D", "Clamp"]
    builder.add(conv, clamped)
    assert "Clamp" in kinds(apply("fuse-clamp", builder))
    alone = GraphBuilder(3)
    alone.clamp(alone.input(4), -5, 5)
    assert kinds(apply("fuse-clamp", alone)) == ["Clamp"]


def test_reshapes_fold():
    builder = GraphBuilder(4)
    x = builder.conv(builder.input(4, 4, 2), 2)
    flat = builder.reshape(builder.reshape(x, 4, 2), 8)
    builder.dense(flat, 3)
    assert kinds(apply("fold-reshape", builder)) == ["Conv2D", "Dense"]
    again = GraphBuilder(4)
    x = again.conv(again.input(4, 4, 2), 2)
    again.reshape(again.reshape(x, 4, 2), 8)
    assert kinds(apply("fold-reshape", again)) == ["Conv2D", "Reshape"]


def test_identities_are_dropped():
    builder = GraphBuilder(5)
    x = builder.conv(builder.input(4, 4, 2), 2)
    same = builder.reshape(x, *builder.tensors[x].shape)
    same = builder.pad(same, (0, 0, 0), (0, 0, 0))
    same = builder.clamp(same, *WIDE)
    for rounding, pair in [(Rounding.SINGLE, (1 << 30, 1)), (Rounding.FLOAT32_RNE, (1 << 23, -23))]:
        one = Requant((pair[0],), (pair[1],), 7, *WIDE, rounding)
        name = builder._tensor("same", builder.tensors[x].shape)
        same = builder.append(Requantize("SAME", same, name, 7, one))
    after = apply("drop-identity", builder)
    assert kinds(after) == ["Conv2D"]
    assert after.outputs[0].tensor == x


def test_near_identities_stay():
    for change in [
        {"zero_point": 6},
        {"low": -127},
        {"multiplier": ((1 << 30) + (1 << 23),)},
        {"shift": (0,)},
    ]:
        builder = GraphBuilder(5)
        x = builder.pad(builder.input(4), (1,), (0,))
        one = replace(Requant((1 << 30,), (1,), 7, *WIDE, Rounding.DOUBLE), **change)
        name = builder._tensor("same", (5,))
        builder.append(Requantize("SAME", x, name, 7, one))
        assert kinds(apply("drop-identity", builder)) == ["Pad", "Requantize"]


def test_an_output_never_becomes_an_input_or_a_second_output():
    builder = GraphBuilder(6)
    x = builder.input(4)
    one = builder.clamp(x, *WIDE)
    two = builder.clamp(one, *WIDE)
    after = apply("drop-identity", builder, two)
    assert kinds(after) == ["Clamp"]
    both = apply("drop-identity", builder, one, two)
    assert len({e.tensor for e in both.outputs}) == 2


def test_dead_nodes_and_their_constants_go():
    builder = GraphBuilder(7)
    x = builder.input(5, 5, 1)
    kept = builder.conv(x, 2)
    builder.dense(builder.conv(x, 3), 4)
    after = apply("drop-dead", builder, kept)
    assert kinds(after) == ["Conv2D"]
    assert len(after.constants) == 2
    assert set(after.tensors) == {x, kept, *after.constants}


def test_edges_keep_their_source():
    builder = GraphBuilder(8)
    x = builder.conv(builder.input(4, 4, 1), 1)
    clamped = builder.clamp(x, -3, 3)
    after = apply("fuse-clamp", builder)
    assert after.outputs == (replace(edge(clamped, builder.tensors[x].shape), tensor=x),)
    assert not [n for n in after.nodes if isinstance(n, Clamp | Pad)]
