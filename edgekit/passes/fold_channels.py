"""Dead-channel folding: channels that nothing reads, and channels that are one number."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.graph import Graph
from edgekit.ir.nodes import (
    Conv2D,
    Dense,
    DepthwiseConv2D,
    LowBitConv2D,
    LowBitDense,
    LowBitDepthwiseConv2D,
    Lut8,
    Node,
    Requantize,
    Threshold,
    Weighted,
    constants_of,
)
from edgekit.ir.types import Requant, Tensor
from edgekit.passes.bounds import element_bounds
from edgekit.passes.channels import Channels, Mask, Mixing, Terms, by_channel, needed, terms
from edgekit.passes.rewrite import rebuild

Ints = NDArray[np.int64]


def fold_dead_channels(graph: Graph) -> Graph:
    """Remove channels that are unread or provably constant, until none is left.

    What a constant channel adds to the sums of its readers goes into their biases. No partial sum
    can grow by that: `|bias|` rises by at most 255 for each unit of weight that goes.
    """
    while (smaller := _fold(graph)) is not None:
        graph = smaller
    return graph


def _fold(graph: Graph) -> Graph | None:
    """Return the graph without the channels found in one look, or None if there are none."""
    bounds = element_bounds(graph)
    found = {
        node.y: terms(graph, node, bounds[node.x])
        for node in graph.nodes
        if isinstance(node, Mixing)
    }
    keep = needed(graph, found)
    if all(mask.all() for mask in keep.values()):
        return None
    return _Fold(graph, keep, found).graph()


class _Fold:
    """Rewrites one graph so that it holds only the channels of `keep`."""

    def __init__(self, graph: Graph, keep: Channels, found: Mapping[str, Terms]) -> None:
        self._before = graph
        self._keep = keep
        self._terms = found
        self._tensors = dict(graph.tensors)
        self._constants = dict(graph.constants)
        self._uses = Counter(name for node in graph.nodes for name in constants_of(node))

    def graph(self) -> Graph:
        """Return the smaller graph."""
        for name, mask in self._keep.items():
            tensor = self._tensors[name]
            self._tensors[name] = replace(tensor, shape=(*tensor.shape[:-1], int(mask.sum())))
        nodes = [self._node(node) for node in self._before.nodes if self._keep[node.y].any()]
        after = replace(self._before, tensors=self._tensors, constants=self._constants)
        return rebuild(after, nodes, {})

    def _node(self, node: Node) -> Node:
        rows = self._keep[node.y]
        match node:
            case Conv2D() | Dense() | LowBitConv2D() | LowBitDense():
                return self._mixing(node, rows, self._keep[node.x])
            case DepthwiseConv2D() | LowBitDepthwiseConv2D() if not rows.all():
                weight, bias = (self._before.constants[n] for n in (node.weight, node.bias))
                return self._weighted(node, rows, weight[..., rows], bias[rows])
            case Lut8() if not rows.all() and self._before.constants[node.table].ndim == 2:
                table = self._before.constants[node.table][rows]
                return replace(node, table=self._constant(node.table, table))
            case Threshold() if self._tensors[node.thresholds].shape[0] > 1 and not rows.all():
                levels = self._before.constants[node.thresholds][rows]
                return replace(node, thresholds=self._constant(node.thresholds, levels))
            case Requantize():
                return replace(node, requant=_select(node.requant, rows))
            case _:
                return node

    def _mixing(self, node: Mixing, rows: Mask, columns: Mask) -> Node:
        if rows.all() and columns.all():
            return node
        weight = by_channel(self._before, node)[rows][..., columns]
        shape = self._before.tensors[node.weight].shape
        spatial = isinstance(node, Conv2D | LowBitConv2D)
        inner = (*shape[1:3], weight.shape[2]) if spatial else (-1,)
        bias = self._before.constants[node.bias][rows]
        bias = bias + self._terms[node.y].fixed[rows][:, ~columns].sum(axis=1)
        return self._weighted(node, rows, weight.reshape(weight.shape[0], *inner), bias)

    def _weighted(self, node: Weighted, rows: Mask, weight: Ints, bias: Ints) -> Weighted:
        weight_name = self._constant(node.weight, weight)
        bias_name = self._constant(node.bias, bias)
        if isinstance(node, Conv2D | DepthwiseConv2D | Dense):
            requant = _select(node.requant, rows)
            return replace(node, weight=weight_name, bias=bias_name, requant=requant)
        levels = node.thresholds
        if levels is not None:
            levels = self._constant(levels, self._before.constants[levels][rows])
        return replace(node, weight=weight_name, bias=bias_name, thresholds=levels)

    def _constant(self, name: str, value: Ints) -> str:
        """Store a constant's new value and return its name: another one if it has two readers."""
        dtype = self._tensors[name].dtype
        if self._uses[name] > 1:
            name = self._free(name[:50])
        value = np.ascontiguousarray(value)
        value.setflags(write=False)
        self._tensors[name] = Tensor(name, value.shape, dtype)
        self._constants[name] = value
        return name

    def _free(self, stem: str) -> str:
        names = (f"{stem}_{k}" for k in itertools.count())
        return next(name for name in names if name not in self._tensors)


def _select(requant: Requant, rows: Mask) -> Requant:
    if len(requant.multiplier) == 1:
        return requant
    kept = np.flatnonzero(rows)
    return replace(
        requant,
        multiplier=tuple(requant.multiplier[k] for k in kept),
        shift=tuple(requant.shift[k] for k in kept),
    )
