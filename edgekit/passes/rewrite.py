"""Replacing nodes of a graph while keeping its names consistent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from edgekit.ir.graph import Graph
from edgekit.ir.nodes import Add, Concat, Mul, Node, Stack, constants_of, inputs_of


def readers(graph: Graph) -> dict[str, list[Node]]:
    """Return the nodes that read each activation, in order."""
    found: dict[str, list[Node]] = {name: [] for name in graph.tensors}
    for node in graph.nodes:
        for name in dict.fromkeys(inputs_of(node)):
            found[name].append(node)
    return found


def output_names(graph: Graph) -> set[str]:
    """Return the tensors that leave the graph."""
    return {edge.tensor for edge in graph.outputs}


def can_bypass(graph: Graph, source: str, target: str) -> bool:
    """Say whether all uses of `target` may read `source` instead.

    Not where `target` leaves the graph and `source` is a graph input or leaves it too: the
    two must stay apart then. Nor where a Stack reads `target`, which must be written for it alone.
    """
    if any(isinstance(node, Stack) and target in node.parts for node in graph.nodes):
        return False
    if target not in output_names(graph):
        return True
    return source not in output_names(graph) | {edge.tensor for edge in graph.inputs}


def rebuild(graph: Graph, nodes: Iterable[Node], renamed: Mapping[str, str]) -> Graph:
    """Return the graph with other nodes, reads renamed, unused tensors and constants removed.

    Args:
        graph: the graph before.
        nodes: the new nodes in execution order.
        renamed: tensor that is no longer produced -> tensor to read instead; chains are followed.
    """
    kept = tuple(_rename(node, renamed) for node in nodes)
    inputs = graph.inputs
    outputs = tuple(replace(edge, tensor=resolve(edge.tensor, renamed)) for edge in graph.outputs)
    constants = {name for node in kept for name in constants_of(node)}
    used = constants | {node.y for node in kept} | {edge.tensor for edge in inputs}
    return replace(
        graph,
        nodes=kept,
        outputs=outputs,
        tensors={name: tensor for name, tensor in graph.tensors.items() if name in used},
        constants={name: a for name, a in graph.constants.items() if name in constants},
    )


def resolve(name: str, renamed: Mapping[str, str]) -> str:
    """Return the tensor that stands for `name` after all renamings."""
    while name in renamed:
        name = renamed[name]
    return name


def _rename(node: Node, renamed: Mapping[str, str]) -> Node:
    match node:
        case Add() | Mul():
            return replace(node, a=resolve(node.a, renamed), b=resolve(node.b, renamed))
        case Stack():
            return replace(node, parts=tuple(resolve(name, renamed) for name in node.parts))
        case Concat():
            return replace(node, xs=tuple(resolve(name, renamed) for name in node.xs))
        case _:
            return replace(node, x=resolve(node.x, renamed))
