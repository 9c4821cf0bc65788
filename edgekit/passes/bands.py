"""Running consecutive nodes in bands of output rows, one band after the other.

A band's part of a tensor is a few of its rows. What a band needs of the tensors before the nodes it
reads where they lie; what it makes it writes where the last node's output belongs. Rows between
that two bands need are computed twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from edgekit.ir.geometry import kernel_of
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import (
    Add,
    AveragePool,
    Clamp,
    Conv2D,
    DepthwiseConv2D,
    Lut8,
    MaxPool,
    Node,
    Requantize,
    Rows,
    Stack,
    inputs_of,
)
from edgekit.ir.types import Padding, Tensor
from edgekit.passes.buffers import ALIGNMENT_BYTES, tensor_bytes

Windowed = Conv2D | DepthwiseConv2D | AveragePool | MaxPool
Banded = Windowed | Add | Clamp | Requantize | Lut8

_STEM = 40  # characters of a tensor's name that its bands' names keep


@dataclass(frozen=True, slots=True)
class Span:
    """Rows `first` to `end` of a tensor."""

    first: int
    end: int

    @property
    def rows(self) -> int:
        """Return how many rows there are."""
        return self.end - self.first

    def union(self, other: Span | None) -> Span:
        """Return the least span that holds both."""
        if other is None:
            return self
        return Span(min(self.first, other.first), max(self.end, other.end))


def is_region(graph: Graph, first: int, last: int) -> bool:
    """Tell whether nodes `first` to `last` can run in bands: rows in, rows of one tensor out."""
    nodes = graph.nodes[first : last + 1]
    read = {name for node in nodes for name in inputs_of(node)}
    leaving = {edge.tensor for edge in graph.outputs}
    for node in graph.nodes[last + 1 :]:
        leaving.update(inputs_of(node))
    return (
        all(isinstance(node, Banded) for node in nodes)
        and all(len(graph.tensors[n].shape) == 3 for x in nodes for n in (*inputs_of(x), x.y))
        and all(node.y in read and node.y not in leaving for node in nodes[:-1])
        and nodes[-1].y not in read
    )


def cuts(rows: int, bands: int) -> tuple[Span, ...]:
    """Return `rows` in bands as equal as they can be, the larger ones last."""
    ends = [rows * k // bands for k in range(bands + 1)]
    return tuple(Span(a, b) for a, b in itertools.pairwise(ends))


def spans(graph: Graph, nodes: Sequence[Node], band: Span) -> dict[str, Span] | None:
    """Return the rows of every tensor that a band of the last node's output needs.

    None where a band has a window that lies in the padding alone.
    """
    needed = {nodes[-1].y: band}
    for node in reversed(nodes):
        for name in inputs_of(node):
            span = _read(graph, node, name, needed[node.y])
            if span is None:
                return None
            needed[name] = span.union(needed.get(name))
    return needed


def _read(graph: Graph, node: Node, name: str, out: Span) -> Span | None:
    if not isinstance(node, Windowed):
        return out
    first, end = _window(graph, node, out)
    height = graph.tensors[name].shape[0]
    inside = Span(max(first, 0), min(end, height))
    return inside if inside.rows > 0 else None


def _window(graph: Graph, node: Windowed, out: Span) -> tuple[int, int]:
    """Return the input rows, those in the padding too, of some output rows."""
    kernel = kernel_of(graph, node)[0]
    dilation = node.dilation[0] if isinstance(node, Conv2D | DepthwiseConv2D) else 1
    first = out.first * node.stride[0] - node.padding.top
    last = (out.end - 1) * node.stride[0] - node.padding.top
    return first, last + (kernel - 1) * dilation + 1


def in_bands(graph: Graph, first: int, last: int, bands: Sequence[Span]) -> Graph | None:
    """Return the graph with nodes `first` to `last`, a region, in bands of their output's rows.

    None where a band would begin at an address that is no multiple of 4, or in the padding alone.
    """
    builder = _Bands(graph, graph.nodes[first : last + 1])
    for band in bands:
        needed = spans(graph, builder.region, band)
        if needed is None or not builder.add(needed):
            return None
    y = builder.region[-1].y
    rows = graph.tensors[y].shape[0]
    stack = Stack(f"{builder.region[-1].label}, all {rows} rows", tuple(builder.parts), y)
    nodes = (*graph.nodes[:first], *builder.nodes, stack, *graph.nodes[last + 1 :])
    inner = {node.y for node in builder.region[:-1]}
    tensors = {name: t for name, t in graph.tensors.items() if name not in inner}
    return replace(graph, nodes=nodes, tensors={**tensors, **builder.tensors})


@dataclass(slots=True)
class _Bands:
    """Collects the nodes of one band after the other."""

    graph: Graph
    region: Sequence[Node]
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    parts: list[str] = field(default_factory=list)

    def add(self, needed: Mapping[str, Span]) -> bool:
        """Append a band's nodes; False where rows begin at no multiple of 4 bytes."""
        made: dict[str, str] = {}  # this band's part of a tensor
        views: dict[tuple[str, Span], str] = {}
        for node in self.region:
            out = needed[node.y]
            names = {}
            for name in dict.fromkeys(inputs_of(node)):
                wanted = _read(self.graph, node, name, out)
                assert wanted is not None  # `spans` saw it
                have = needed[name] if name in made else Span(0, self.graph.tensors[name].shape[0])
                if wanted == have:
                    names[name] = made.get(name, name)
                    continue
                if (name, wanted) not in views:
                    view = self._rows(name, made.get(name, name), have, wanted)
                    if view is None:
                        return False
                    views[name, wanted] = view
                names[name] = views[name, wanted]
            made[node.y] = self._tensor(node.y, out)
            self.nodes.append(self._node(node, names, made[node.y], out))
        y = self.region[-1].y
        self.parts.append(made[y])
        return self._start(y, needed[y].first) % ALIGNMENT_BYTES == 0

    def _rows(self, name: str, source: str, have: Span, wanted: Span) -> str | None:
        first = wanted.first - have.first
        if self._start(name, first) % ALIGNMENT_BYTES:
            return None
        y = self._tensor(name, wanted)
        label = f"rows {wanted.first} to {wanted.end - 1} of {name}"
        self.nodes.append(Rows(label, source, y, first))
        return y

    def _start(self, name: str, row: int) -> int:
        tensor = self.graph.tensors[name]
        return row * tensor_bytes(tensor) // tensor.shape[0]

    def _tensor(self, name: str, span: Span) -> str:
        tensor = self.graph.tensors[name]
        new = f"{name[:_STEM]}_b{len(self.parts)}_{len(self.tensors)}"
        while new in self.graph.tensors:
            new += "_"
        self.tensors[new] = Tensor(new, (span.rows, *tensor.shape[1:]), tensor.dtype)
        return new

    def _node(self, node: Node, names: Mapping[str, str], y: str, out: Span) -> Node:
        label = f"{node.label}, rows {out.first} to {out.end - 1}"
        if isinstance(node, Add):
            return replace(node, label=label, a=names[node.a], b=names[node.b], y=y)
        if isinstance(node, Windowed):
            first, end = _window(self.graph, node, out)
            height = self.graph.tensors[node.x].shape[0]
            padding = Padding(
                max(-first, 0), node.padding.left, max(end - height, 0), node.padding.right
            )
            return replace(node, label=label, x=names[node.x], y=y, padding=padding)
        assert isinstance(node, Clamp | Requantize | Lut8)  # a region has nothing else
        return replace(node, label=label, x=names[node.x], y=y)
