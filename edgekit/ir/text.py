"""A graph as text, one line a node, and its digest."""

from __future__ import annotations

import hashlib
from dataclasses import fields

import numpy as np

from edgekit.ir.graph import Graph
from edgekit.ir.nodes import Node, constants_of, inputs_of
from edgekit.ir.types import Edge, Padding, Requant, Tensor

_NAMED_APART = {
    *("label", "x", "xs", "a", "b", "parts", "y", "weight", "bias", "table"),
    *("thresholds", "connections", "tables"),
}


def dump(graph: Graph) -> str:
    """Return the graph as text: inputs, constants, one line a node, outputs.

    A requant of more than one channel is shortened to its count and first scale.
    """
    return _text(graph, full=False)


def digest(graph: Graph) -> str:
    """Return 64 hex digits: sha256 over the graph's full text and its constants.

    Two graphs with equal digests compute the same integers under the same names; source
    labels and the file that the graph came from do not enter.
    """
    state = hashlib.sha256(_text(graph, full=True).encode())
    for name in sorted(graph.constants):
        array = np.ascontiguousarray(graph.constants[name], dtype="<i8")
        state.update(f"{name} {array.shape}\n".encode())
        state.update(array.tobytes())
    return state.hexdigest()


def _text(graph: Graph, *, full: bool) -> str:
    lines = [f"graph {graph.name}"]
    lines += [f"input {_edge(graph, edge, full=full)}" for edge in graph.inputs]
    lines += [f"constant {_tensor(graph.tensors[name])}" for name in sorted(graph.constants)]
    lines += [_node(graph, node, full=full) for node in graph.nodes]
    lines += [f"output {_edge(graph, edge, full=full)}" for edge in graph.outputs]
    return "\n".join(lines) + "\n"


def _node(graph: Graph, node: Node, *, full: bool) -> str:
    reads = ", ".join((*inputs_of(node), *constants_of(node)))
    parts = [f"{_tensor(graph.tensors[node.y])} = {type(node).__name__}({reads})"]
    for field in fields(node):
        if field.name not in _NAMED_APART:
            parts.append(f"{field.name}={_value(getattr(node, field.name), full=full)}")
    return " ".join(parts) if full else f"{' '.join(parts)}  # {node.label}"


def _tensor(tensor: Tensor) -> str:
    return f"{tensor.name}: {tensor.dtype.name.lower()}[{', '.join(map(str, tensor.shape))}]"


def _edge(graph: Graph, edge: Edge, *, full: bool) -> str:
    text = (
        f"{_tensor(graph.tensors[edge.tensor])} source={edge.source_dtype}"
        f"[{', '.join(map(str, edge.source_shape))}] "
        f"scale={np.float32(edge.scale)!s} zero_point={edge.zero_point}"
    )
    if edge.source_offset:
        text += f" offset={edge.source_offset}"
    if edge.transpose is not None:
        text += f" transpose={_value(edge.transpose, full=full)}"
    if edge.host_ops:
        text += f" host={'+'.join(edge.host_ops)}"
    if edge.thresholds:
        text += f" lowest={edge.lowest} thresholds={_reals(edge.thresholds, full=full)}"
    if edge.channel_scale is not None:
        text += f" channel_scale={_reals(edge.channel_scale, full=full)}"
    if edge.channel_offset is not None:
        text += f" channel_offset={_reals(edge.channel_offset, full=full)}"
    return f"{text} rounding={edge.rounding}" if full else f"{text}  # {edge.source_name}"


def _reals(values: tuple[float, ...], *, full: bool) -> str:
    shown = values if full or len(values) < 4 else values[:1]
    text = ",".join(str(np.float32(value)) for value in shown)
    return text if len(shown) == len(values) else f"{text},...x{len(values)}"


def _value(value: object, *, full: bool) -> str:
    match value:
        case Requant():
            return _requant(value, full=full)
        case Padding():
            return f"{value.top},{value.left},{value.bottom},{value.right}"
        case tuple():
            return ",".join(map(str, value))
        case _:
            return str(value)


def _requant(requant: Requant, *, full: bool) -> str:
    scales = [
        f"{multiplier}^{shift}"
        for multiplier, shift in zip(requant.multiplier, requant.shift, strict=True)
    ]
    shown = ",".join(scales) if full or len(scales) == 1 else f"{scales[0]},...x{len(scales)}"
    return (
        f"({shown} {requant.rounding.value} zero_point={requant.zero_point} "
        f"clamp={requant.low},{requant.high})"
    )
