"""Passes that remove nodes without effect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgekit.ir.graph import Graph
from edgekit.ir.interp.requantize import requantize_node
from edgekit.ir.nodes import (
    Clamp,
    Dense,
    LowBitDense,
    Lut8,
    LutLayer,
    Node,
    Pad,
    Requantize,
    Reshape,
    ResizeNearest,
    Slice,
    Transpose,
    inputs_of,
)
from edgekit.ir.ranges import Ranges, value_ranges
from edgekit.passes.rewrite import can_bypass, output_names, rebuild, resolve


def fold_reshape(graph: Graph) -> Graph:
    """Let a reshape read through an earlier one, and what reads flat through any."""
    origin: dict[str, str] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node, Reshape | Dense | LowBitDense | LutLayer):
            nodes.append(replace(node, x=origin.get(node.x, node.x)))
        else:
            nodes.append(node)
        if isinstance(node, Reshape):
            origin[node.y] = origin.get(node.x, node.x)
    used = {name for node in nodes for name in inputs_of(node)} | output_names(graph)
    return rebuild(graph, (n for n in nodes if not isinstance(n, Reshape) or n.y in used), {})


def fold_transpose(graph: Graph) -> Graph:
    """Let a transpose read through an earlier one; one that moves nothing is a reshape."""
    earlier: dict[str, Transpose] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node, Transpose):
            if node.x in earlier:
                first = earlier[node.x]
                order = tuple(first.order[axis] for axis in node.order)
                node = replace(node, x=first.x, order=order)
            earlier[node.y] = node
            shape = graph.tensors[node.x].shape
            moved = [axis for axis in node.order if shape[axis] > 1]
            if moved == sorted(moved):
                nodes.append(Reshape(label=node.label, x=node.x, y=node.y))
                continue
        nodes.append(node)
    return drop_dead(rebuild(graph, nodes, {}))


def drop_identity(graph: Graph) -> Graph:
    """Remove nodes that return their input: equal shapes, empty padding, idle clamps, scale 1."""
    ranges = value_ranges(graph)
    renamed: dict[str, str] = {}
    nodes: list[Node] = []
    current = graph  # with its outputs moved as the removals so far move them
    for node in graph.nodes:
        (first, *others) = inputs_of(node)
        source = resolve(first, renamed)
        idle = not others and _is_identity(graph, node, ranges)
        if idle and can_bypass(current, source, node.y):
            renamed[node.y] = source
            current = rebuild(graph, graph.nodes, renamed)
        else:
            nodes.append(node)
    return rebuild(graph, nodes, renamed)


def drop_dead(graph: Graph) -> Graph:
    """Remove nodes whose output nobody reads."""
    needed = output_names(graph)
    nodes: list[Node] = []
    for node in reversed(graph.nodes):
        if node.y in needed:
            nodes.append(node)
            needed.update(inputs_of(node))
    return rebuild(graph, reversed(nodes), {})


def _is_identity(graph: Graph, node: Node, ranges: Ranges) -> bool:
    match node:
        case Reshape() | Slice() | ResizeNearest():
            return _moves_nothing(graph, node)
        case Lut8():
            low, high = ranges[node.x]
            reached = graph.constants[node.table][..., low + 128 : high + 129]
            return bool((reached == np.arange(low, high + 1)).all())
        case Pad():
            return not any(node.before) and not any(node.after)
        case Clamp():
            low, high = ranges[node.x]
            return node.low <= low and high <= node.high
        case Requantize():
            low, high = ranges[node.x]
            values = np.arange(low, high + 1)[:, np.newaxis]
            same = graph.tensors[node.x].dtype is graph.tensors[node.y].dtype
            return same and bool((requantize_node(node, values) == values).all())
        case _:
            return False


def _moves_nothing(graph: Graph, node: Reshape | Slice | ResizeNearest) -> bool:
    if graph.tensors[node.x].shape != graph.tensors[node.y].shape:
        return False
    match node:
        case Slice():
            extents = graph.tensors[node.y].shape
            return all(
                step > 0 or extent == 1 for step, extent in zip(node.step, extents, strict=True)
            )
        case ResizeNearest():
            places = (node.rows, node.columns)
            return all(place == tuple(range(len(place))) for place in places)
        case Reshape():
            return True
