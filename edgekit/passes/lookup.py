"""Functions of one value, one after the other, become one table."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.graph import Graph
from edgekit.ir.interp.requantize import requantize_node
from edgekit.ir.nodes import Clamp, Lut8, Node, Requantize
from edgekit.ir.types import DType, Tensor
from edgekit.passes.rewrite import output_names, readers, rebuild

Ints = NDArray[np.int64]

_Unary = Lut8 | Clamp | Requantize


def fuse_lookup(graph: Graph) -> Graph:
    """Merge a table with a table, clamp or change of scale next to it that nobody else reads."""
    while (pair := _pair(graph)) is not None:
        graph = _merged(graph, *pair)
    return graph


def _pair(graph: Graph) -> tuple[_Unary, _Unary] | None:
    """Return two nodes that follow each other and can be one table."""
    read_by, leaving = readers(graph), output_names(graph)
    producers = {node.y: node for node in graph.nodes}
    for second in graph.nodes:
        if not isinstance(second, _Unary):
            continue
        first = producers.get(second.x)
        if not isinstance(first, _Unary) or first.y in leaving or len(read_by[first.y]) > 1:
            continue
        tables = isinstance(first, Lut8) or isinstance(second, Lut8)
        if tables and _is_one_function(first) and _is_one_function(second):
            return first, second
    return None


def _is_one_function(node: _Unary) -> bool:
    return not isinstance(node, Requantize) or len(node.requant.multiplier) == 1


def _merged(graph: Graph, first: _Unary, second: _Unary) -> Graph:
    table = _apply(graph, second, _apply(graph, first, np.arange(-128, 128)))
    table.setflags(write=False)
    names = (f"lookup_{k}" for k in itertools.count())
    name = next(name for name in names if name not in graph.tensors)
    wider = replace(
        graph,
        tensors={**graph.tensors, name: Tensor(name, table.shape, DType.INT8)},
        constants={**graph.constants, name: table},
    )
    nodes: list[Node] = []
    for node in graph.nodes:
        if node is second:
            nodes.append(Lut8(label=second.label, x=first.x, y=second.y, table=name))
        elif node is not first:
            nodes.append(node)
    return rebuild(wider, nodes, {})


def _apply(graph: Graph, node: _Unary, x: Ints) -> Ints:
    match node:
        case Lut8():
            table = graph.constants[node.table]
            if table.ndim == 1:
                return np.asarray(table[x + 128])
            return np.asarray(table[np.arange(len(table))[:, np.newaxis], x + 128])
        case Clamp():
            return np.clip(x, node.low, node.high)
        case Requantize():
            return requantize_node(node, x)
        case _:
            assert_never(node)
