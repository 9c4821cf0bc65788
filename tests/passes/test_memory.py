"""The arena plan against a simulated allocator."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from writers.random_graphs import GraphBuilder, random_graph

from edgekit.ir.graph import Graph
from edgekit.ir.nodes import Add, Clamp, Requantize, Reshape, inputs_of
from edgekit.passes import optimize
from edgekit.passes.memory import MemoryPlan, Overlap, plan, tensor_bytes


def simulate(
    graph: Graph,
    scratch: Mapping[str, int],
    memory: MemoryPlan,
    overlaps: Mapping[str, Overlap] | None = None,
) -> None:
    """Run every node's reads and writes on tagged bytes: what is read must still be there."""
    arena = np.full(memory.arena_bytes, -1)
    tags = {name: tag for tag, name in enumerate(graph.tensors)}

    def span(name: str) -> slice:
        start = memory.offsets[name]
        assert start % 4 == 0
        end = start + tensor_bytes(graph.tensors[name])
        assert end <= memory.arena_bytes
        return slice(start, end)

    def intact(name: str) -> bool:
        return bool((arena[span(name)] == tags[name]).all())

    for edge in graph.inputs:
        arena[span(edge.tensor)] = tags[edge.tensor]
    for node in graph.nodes:
        used = np.zeros(memory.arena_bytes, bool)
        for name in inputs_of(node):
            assert intact(name), f"{node.label} reads {name} after it was overwritten"
            used[span(name)] = True
        work = check_scratch(memory, node.y, scratch.get(node.y, 0), used)
        arena[work] = -2
        used[work] = True
        out = span(node.y)
        overlap = (overlaps or {}).get(node.y)
        if used[out].any() and overlap is not None:
            check_overlap(memory, node.y, overlap, out, used)
        elif used[out].any():
            assert isinstance(node, Reshape | Add | Clamp | Requantize), node.label
            shared = [name for name in inputs_of(node) if memory.offsets[name] == out.start]
            assert shared, f"{node.label} overlaps an input without sharing its place"
            work = memory.scratch_offsets.get(node.y)
            assert work is None or not set(range(work, work + scratch[node.y])) & set(
                range(out.start, out.stop)
            )
        # A reshape's bytes are its input's: both names stay readable.
        if isinstance(node, Reshape):
            tags[node.y] = tags[node.x]
        arena[out] = tags[node.y]
    for edge in graph.outputs:
        assert intact(edge.tensor), f"output {edge.tensor} was overwritten"


def check_scratch(memory: MemoryPlan, name: str, size: int, used: np.ndarray) -> slice:
    """Return where the node's scratch is: nothing else is there."""
    start = memory.scratch_offsets[name] if size > 0 else 0
    assert start % 4 == 0
    assert start + size <= memory.arena_bytes
    assert not used[start : start + size].any()
    return slice(start, start + size)


def check_overlap(
    memory: MemoryPlan, name: str, overlap: Overlap, out: slice, used: np.ndarray
) -> None:
    """Write the output's bytes in order: the input's bytes that are still needed stay whole."""
    life = memory.lifetimes[overlap.input]
    start = memory.offsets[overlap.input]
    source = range(start, start + life.size_bytes)
    others = used.copy()
    others[source.start : source.stop] = False
    assert not others[out].any(), f"{name} overlaps more than its input"
    if overlap.same_place:
        assert out.start == start, f"{name} is not where its input is"
        return
    for written in range(out.stop - out.start):
        # The last byte written spoils nothing that is read later.
        needed = start + max(written + 1 - overlap.behind_bytes, 0)
        assert out.start + written not in range(needed, source.stop), f"{name} is too near"


def some_overlaps(graph: Graph, rng: np.random.Generator) -> dict[str, Overlap]:
    """Return a made-up permission for every second node."""
    found = {}
    for node in graph.nodes:
        if isinstance(node, Reshape | Add | Clamp | Requantize) or rng.random() < 0.5:
            continue
        name = inputs_of(node)[0]
        sizes = [tensor_bytes(graph.tensors[t]) for t in (name, node.y)]
        same = sizes[0] == sizes[1] and rng.random() < 0.5
        behind = 0 if same else int(rng.integers(-sizes[0], sizes[1] + 1))
        found[node.y] = Overlap(name, behind, same)
    return found


@pytest.mark.parametrize("seed", range(60))
def test_outputs_run_behind_their_inputs(seed):
    builder = random_graph(seed, nodes=14)
    rng = np.random.default_rng(seed)
    names = {builder.nodes[-1].y, *(n.y for n in builder.nodes if rng.random() < 0.15)}
    graph = builder.graph(*sorted(names))
    scratch = {n.y: int(rng.integers(1, 300)) for n in graph.nodes if rng.random() < 0.3}
    overlaps = some_overlaps(graph, rng)
    memory = plan(graph, scratch, overlaps)
    simulate(graph, scratch, memory, overlaps)
    assert memory.lower_bound_bytes <= memory.arena_bytes
    assert memory.arena_bytes <= plan(graph, scratch).arena_bytes


def test_simulation_sees_an_output_too_near():
    builder = GraphBuilder(1)
    x = builder.conv(builder.input(6, 6, 1), 2, (1, 1))
    y = builder.conv(x, 2, (1, 1))
    graph = builder.graph(y)
    overlaps = {y: Overlap(x, 8)}
    memory = plan(graph, {}, overlaps)
    distance = memory.offsets[x] - memory.offsets[y]
    assert 8 <= distance < 72
    simulate(graph, {}, memory, overlaps)
    with pytest.raises(AssertionError, match="too near"):
        simulate(graph, {}, memory, {y: Overlap(x, distance + 4)})
    with pytest.raises(AssertionError, match="not where"):
        simulate(graph, {}, memory, {y: Overlap(x, 0, same_place=True)})


def test_chain_in_place():
    builder = GraphBuilder(1)
    names = [builder.input(8, 8, 3)]
    for _ in range(4):
        names.append(builder.conv(names[-1], 3, (1, 1)))
    graph = builder.graph(names[-1])
    overlaps = {
        y: Overlap(x, 4 * (k % 2), same_place=k % 2 == 0)
        for k, (x, y) in enumerate(pairwise(names))
    }
    memory = plan(graph, {}, overlaps)
    simulate(graph, {}, memory, overlaps)
    assert memory.arena_bytes <= 8 * 8 * 3 + 2 * 4


@pytest.mark.parametrize("seed", range(60))
def test_live_data_never_overlaps(seed):
    builder = random_graph(seed, nodes=14)
    rng = np.random.default_rng(seed)
    names = {builder.nodes[-1].y, *(n.y for n in builder.nodes if rng.random() < 0.15)}
    graph = builder.graph(*sorted(names))
    scratch = {n.y: int(rng.integers(1, 300)) for n in graph.nodes if rng.random() < 0.3}
    memory = plan(graph, scratch)
    simulate(graph, scratch, memory)
    assert memory.lower_bound_bytes <= memory.arena_bytes
    assert memory.arena_bytes <= 1.5 * memory.lower_bound_bytes
    assert set(memory.offsets) == {e.tensor for e in graph.inputs} | {n.y for n in graph.nodes}
    assert set(memory.scratch_offsets) == set(scratch)
    optimized = optimize(graph)
    simulate(optimized, {}, plan(optimized, {}))


def test_simulation_sees_an_overlap():
    builder = GraphBuilder(1)
    x = builder.conv(builder.input(6, 6, 2), 2)
    y = builder.conv(x, 2)
    graph = builder.graph(y)
    good = plan(graph, {})
    simulate(graph, {}, good)
    bad = MemoryPlan(
        offsets={**good.offsets, y: good.offsets[x] + 4},
        scratch_offsets={},
        arena_bytes=good.arena_bytes + 64,
        lower_bound_bytes=0,
        lifetimes={},
    )
    with pytest.raises(AssertionError, match=graph.nodes[1].label):
        simulate(graph, {}, bad)
    early = {**good.offsets, y: good.offsets[x]}
    with pytest.raises(AssertionError, match=graph.nodes[1].label):
        simulate(graph, {}, replace(bad, offsets=early))


def test_chain_meets_the_lower_bound():
    builder = GraphBuilder(1)
    x = builder.input(8, 8, 2)
    for _ in range(3):
        x = builder.conv(x, 3, (1, 1))
    graph = builder.graph(x)
    memory = plan(graph, {})
    assert memory.arena_bytes == memory.lower_bound_bytes == 2 * 8 * 8 * 3


def test_elementwise_nodes_run_in_place():
    builder = GraphBuilder(1)
    x = builder.conv(builder.input(4, 4, 2), 2, (1, 1))
    clamped = builder.clamp(x)
    moved = builder.requantize(clamped)
    flat = builder.reshape(moved, 32)
    graph = builder.graph(flat)
    memory = plan(graph, {})
    assert len({memory.offsets[name] for name in (x, clamped, moved, flat)}) == 1
    assert memory.arena_bytes == memory.lower_bound_bytes == 64


def test_add_takes_the_place_of_the_input_that_dies():
    builder = GraphBuilder(1)
    x = builder.conv(builder.input(4, 4, 2), 2, (1, 1))
    y = builder.conv(x, 2, (1, 1))
    total = builder.add(x, y)
    last = builder.add(total, x)
    graph = builder.graph(last)
    memory = plan(graph, {})
    assert memory.offsets[total] == memory.offsets[y]
    assert memory.offsets[x] not in (memory.offsets[y], memory.offsets[total])
    assert memory.arena_bytes == 64


def test_an_output_is_not_overwritten_in_place():
    builder = GraphBuilder(1)
    x = builder.conv(builder.input(4, 4, 2), 2, (1, 1))
    clamped = builder.clamp(x)
    memory = plan(builder.graph(x, clamped), {})
    assert memory.offsets[x] != memory.offsets[clamped]


def test_scratch_and_lifetimes():
    builder = GraphBuilder(1)
    x = builder.input(5, 5, 1)
    y = builder.conv(x, 1, (1, 1))
    z = builder.conv(y, 3, (1, 1))
    graph = builder.graph(z)
    memory = plan(graph, {y: 10})
    life = memory.lifetimes
    assert {name: (life[name].first, life[name].last) for name in (x, y, z)} == {
        x: (0, 0),
        y: (0, 1),
        z: (1, 1),
    }
    assert life[z].size_bytes == 75
    assert life[z].offset == memory.offsets[z]
    assert memory.lower_bound_bytes == 28 + 76
    assert memory.arena_bytes == 104


def test_the_plan_is_the_same_every_time():
    graph = random_graph(11, nodes=14).graph(random_graph(11, nodes=14).nodes[-1].y)
    assert plan(graph, {}) == plan(graph, {})
