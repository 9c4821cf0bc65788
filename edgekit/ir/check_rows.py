"""The checker's part for views: rows of a tensor, and tensors written as rows of one."""

from __future__ import annotations

from typing import NoReturn

from edgekit.errors import UnsupportedError
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import Node, Reshape, Rows, Stack, inputs_of

_REPORT = "the front end or pass that made this graph is at fault; please report the model"


def check_view(graph: Graph, node: Rows | Stack) -> None:
    """Check that rows lie in x, or that parts make up y and can be written where y is.

    Raises:
        UnsupportedError: naming the node, what was found and what is wanted.
    """
    if isinstance(node, Rows):
        _check_rows(graph, node)
    else:
        _check_stack(graph, node)


def _check_rows(graph: Graph, node: Rows) -> None:
    source, shape = graph.tensors[node.x].shape, graph.tensors[node.y].shape
    if node.first < 0 or node.first + shape[0] > source[0] or shape[1:] != source[1:]:
        _fail(node, f"rows {node.first} on, {shape}, are no part of {source}")


def _check_stack(graph: Graph, node: Stack) -> None:
    shapes = [graph.tensors[name].shape for name in node.parts]
    shape = graph.tensors[node.y].shape
    rows = sum(part[0] for part in shapes)
    if rows != shape[0] or any(part[1:] != shape[1:] for part in shapes):
        _fail(node, f"parts {', '.join(map(str, shapes))} do not make up {shape}")
    written = {n.y for n in graph.nodes if not isinstance(n, Reshape | Rows | Stack)}
    read = [name for n in graph.nodes for name in inputs_of(n)]
    read += [edge.tensor for edge in graph.outputs]
    for name in node.parts:
        if name not in written:
            _fail(node, f"its part {name} is another name for other bytes; a copy is wanted")
        if read.count(name) != 1:
            _fail(
                node, f"its part {name} has {read.count(name)} readers; the stack alone is wanted"
            )


def _fail(node: Node, message: str) -> NoReturn:
    raise UnsupportedError(f"{node.label}: {message}", hint=_REPORT)
