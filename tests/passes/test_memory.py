"""The arena plan against a simulated allocator."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from writers.random_graphs import GraphBuilder, random_graph

from edgekit.ir.graph import Graph
from edgekit.ir.nodes import (
    Add,
    Clamp,
    Lut8,
    Mul,
    Node,
    Requantize,
    Reshape,
    Rows,
    Stack,
    inputs_of,
)
from edgekit.passes import optimize
from edgekit.passes.memory import MemoryPlan, Overlap, plan, tensor_bytes

IN_PLACE = Add | Mul | Clamp | Requantize | Lut8


class Allocator:
    """An arena whose bytes remember who wrote them: what is read must still be there."""

    def __init__(self, graph: Graph, memory: MemoryPlan) -> None:
        self.graph = graph
        self.memory = memory
        self.arena = np.full(memory.arena_bytes, -1)
        self.marks: dict[str, np.ndarray] = {}  # what the bytes of each tensor hold
        self.written = 0

    def span(self, name: str) -> range:
        start = self.memory.offsets[name]
        assert start % 4 == 0
        end = start + tensor_bytes(self.graph.tensors[name])
        assert end <= self.memory.arena_bytes
        return range(start, end)

    def write(self, name: str) -> None:
        span = self.span(name)
        self.marks[name] = np.arange(self.written, self.written + len(span))
        self.written += len(span)
        self.arena[span] = self.marks[name]

    def is_intact(self, name: str) -> bool:
        return np.array_equal(self.arena[self.span(name)], self.marks[name])

    def name_anew(self, node: Reshape | Rows | Stack) -> None:
        """A view: the bytes lie where its name says, and are nothing else."""
        inputs = inputs_of(node)
        marks = np.concatenate([self.marks[name] for name in inputs])
        if isinstance(node, Rows):
            row = tensor_bytes(self.graph.tensors[node.x]) // self.graph.tensors[node.x].shape[0]
            marks = marks[node.first * row :][: len(self.span(node.y))]
        self.marks[node.y] = marks
        assert self.is_intact(node.y), f"{node.label} names other bytes"

    def compute(self, node: Node, scratch_bytes: int, overlaps: Sequence[Overlap]) -> None:
        out = self.span(node.y)
        for name in inputs_of(node):
            assert self.is_intact(name), f"{node.label} reads {name} after it was overwritten"
        if scratch_bytes:
            start = self.memory.scratch_offsets[node.y]
            work = range(start, start + scratch_bytes)
            assert start % 4 == 0
            assert work.stop <= self.memory.arena_bytes
            for name in (*inputs_of(node), node.y):
                assert not meet(work, self.span(name)), f"{node.label}: scratch lies on {name}"
            self.arena[work] = -2
        for name in inputs_of(node):
            self.check_overlap(node, name, [o for o in overlaps if o.input == name])
        self.write(node.y)
        assert len(out) == len(self.marks[node.y])

    def check_overlap(self, node: Node, name: str, overlaps: Sequence[Overlap]) -> None:
        """Write the output's bytes in order: the input's bytes that are still needed stay whole."""
        out, source = self.span(node.y), self.span(name)
        if not meet(out, source):
            return
        assert overlaps, f"{node.label} overlaps an input"
        for overlap in overlaps:
            if overlap.same_place:
                assert out.start == source.start, f"{node.label} is not where its input is"
                continue
            for written, address in enumerate(out):
                # The last byte written spoils nothing that is read later.
                needed = source.start + max(written + 1 - overlap.behind_bytes, 0)
                assert address not in range(needed, source.stop), f"{node.label} is too near"


def meet(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop


def simulate(
    graph: Graph,
    scratch: Mapping[str, int],
    memory: MemoryPlan,
    overlaps: Mapping[str, Overlap] | None = None,
) -> None:
    """Run every node's reads and writes on an arena that remembers."""
    allocator = Allocator(graph, memory)
    for edge in graph.inputs:
        allocator.write(edge.tensor)
    for edge in graph.inputs:
        assert allocator.is_intact(edge.tensor)
    for node in graph.nodes:
        if isinstance(node, Reshape | Rows | Stack):
            allocator.name_anew(node)
            continue
        found = [(overlaps or {})[node.y]] if node.y in (overlaps or {}) else []
        if not found and isinstance(node, IN_PLACE):
            # By element, in rising order; a factor that is repeated is read again later.
            size = graph.tensors[node.y].size
            names = [name for name in inputs_of(node) if graph.tensors[name].size == size]
            found = [Overlap(name, 0) for name in names]
        allocator.compute(node, scratch.get(node.y, 0), found)
    for edge in graph.outputs:
        assert allocator.is_intact(edge.tensor), f"output {edge.tensor} was overwritten"


def some_overlaps(graph: Graph, rng: np.random.Generator) -> dict[str, Overlap]:
    """Return a made-up permission for every second node."""
    found = {}
    for node in graph.nodes:
        if isinstance(node, Reshape | Rows | Stack | IN_PLACE) or rng.random() < 0.5:
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
    x = builder.conv(builder.input(4, 4, 2), 6, (1, 1))
    clamped = builder.clamp(x)
    moved = builder.requantize(clamped)
    flat = builder.reshape(moved, 96)
    graph = builder.graph(flat)
    memory = plan(graph, {})
    assert memory.offsets[moved] == memory.offsets[flat]
    assert memory.arena_bytes == memory.lower_bound_bytes == 32 + 96


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
    assert {name: (life.first, life.last) for name, (life,) in memory.lifetimes.items()} == {
        x: (0, 0),
        y: (0, 1),
        z: (1, 1),
    }
    (life,) = memory.lifetimes[z]
    assert life.size_bytes == 75
    assert life.offset == memory.offsets[z]
    assert memory.lower_bound_bytes == 28 + 76
    assert memory.arena_bytes == 104


def test_the_plan_is_the_same_every_time():
    graph = random_graph(11, nodes=14).graph(random_graph(11, nodes=14).nodes[-1].y)
    assert plan(graph, {}) == plan(graph, {})
