"""A graph with every kind of node, and ways to change one thing about a graph."""

from __future__ import annotations

from dataclasses import replace

from writers.random_graphs import GraphBuilder

from edgekit.ir.graph import Graph
from edgekit.ir.nodes import Node
from edgekit.ir.types import Padding, Rounding


def sample(rounding: Rounding = Rounding.DOUBLE) -> Graph:
    """Nodes: 0 conv, 1 add, 2 mean, 3 max, 4 pad, 5 clamp, 6 requant, 7 flat, 8 dense, 9 softmax.

    10 depthwise.
    """
    builder = GraphBuilder(9, rounding)
    x = builder.input(6, 5, 2)
    conv = builder.conv(x, 2, (3, 3), padding=Padding(1, 1, 1, 1))
    added = builder.add(conv, x)
    mean = builder.average_pool(added, (2, 2))
    top = builder.max_pool(mean, (2, 2))
    padded = builder.pad(top, (1, 0, 0), (0, 1, 0))
    clamped = builder.clamp(padded)
    same = builder.requantize(clamped)
    flat = builder.reshape(same, 40)
    builder.softmax(builder.dense(flat, 4))
    builder.conv(x, 1, (2, 2), depthwise=True)
    return builder.graph(builder.nodes[-2].y)


GRAPH = sample()


def tensor(key: str, graph: Graph = GRAPH, /, **changes: object) -> Graph:
    tensors = dict(graph.tensors)
    tensors[key] = replace(tensors[key], **changes)
    return replace(graph, tensors=tensors)


def node(index: int, graph: Graph = GRAPH, **changes: object) -> Graph:
    nodes: list[Node] = list(graph.nodes)
    nodes[index] = replace(nodes[index], **changes)
    return replace(graph, nodes=tuple(nodes))


def reshaped(graph: Graph, shape: tuple[int, ...]) -> Graph:
    """Give the single node's output, which is the graph's, another shape."""
    (out,) = graph.outputs
    moved = replace(graph, outputs=(replace(out, source_shape=(1, *shape)),))
    return tensor(graph.nodes[0].y, moved, shape=shape)
