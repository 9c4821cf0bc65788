"""Passes that merge a node into its neighbour."""

from __future__ import annotations

from dataclasses import replace

from edgekit.ir.graph import Graph
from edgekit.ir.nodes import (
    Add,
    AveragePool,
    Clamp,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    MaxPool,
    Node,
    Pad,
    Requantize,
)
from edgekit.ir.ranges import Ranges, value_ranges
from edgekit.ir.types import Padding, Requant
from edgekit.passes.rewrite import can_bypass, output_names, readers, rebuild

_Padded = Conv2D | DepthwiseConv2D | MaxPool
_Clamped = Conv2D | DepthwiseConv2D | Dense | Add | Requantize | AveragePool | MaxPool | Clamp


def fuse_pad(graph: Graph) -> Graph:
    """Merge a spatial Pad into the windows that read it, where the meaning is the same.

    A convolution pads with its zero point. A maximum ignores padding, which changes nothing if
    no real value lies below the padded one.
    """
    ranges, leaving, read_by = value_ranges(graph), output_names(graph), readers(graph)
    merged: dict[str, Pad] = {}
    for node in graph.nodes:
        if not isinstance(node, Pad) or node.y in leaving or not _is_spatial(node):
            continue
        targets = read_by[node.y]
        if targets and all(_accepts(target, node, ranges) for target in targets):
            merged[node.y] = node
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node, _Padded) and node.x in merged:
            nodes.append(_with_pad(node, merged[node.x]))
        elif node.y not in merged:
            nodes.append(node)
    return rebuild(graph, nodes, {name: pad.x for name, pad in merged.items()})


def fuse_clamp(graph: Graph) -> Graph:
    """Merge a Clamp into the node that produces its input and has no other reader."""
    read_by = readers(graph)
    producers: dict[str, int] = {}  # tensor -> place of its producer in `nodes`
    renamed: dict[str, str] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node, Clamp):
            source = renamed.get(node.x, node.x)
            place = producers.get(source)
            alone = len(read_by[node.x]) == 1 and node.x not in output_names(graph)
            if place is not None and alone and can_bypass(graph, source, node.y):
                producer = nodes[place]
                if isinstance(producer, _Clamped):
                    nodes[place] = _clamped(producer, node)
                    renamed[node.y] = source
                    continue
        producers[node.y] = len(nodes)
        nodes.append(node)
    return rebuild(graph, nodes, renamed)


def _is_spatial(node: Pad) -> bool:
    return len(node.before) == 3 and node.before[2] == node.after[2] == 0


def _accepts(target: Node, pad: Pad, ranges: Ranges) -> bool:
    if isinstance(target, Conv2D | DepthwiseConv2D):
        return pad.value == target.input_zero_point
    if isinstance(target, MaxPool):
        # Windows of padding alone have no maximum.
        before, after = pad.before, pad.after
        small = (
            target.padding == Padding()
            and max(before[0], after[0]) < target.kernel[0]
            and max(before[1], after[1]) < target.kernel[1]
        )
        return small and pad.value <= ranges[pad.x][0]
    return False


def _with_pad(node: _Padded, pad: Pad) -> _Padded:
    old = node.padding
    padding = Padding(
        top=old.top + pad.before[0],
        left=old.left + pad.before[1],
        bottom=old.bottom + pad.after[0],
        right=old.right + pad.after[1],
    )
    return replace(node, x=pad.x, padding=padding)


def _clamped(producer: _Clamped, clamp: Clamp) -> _Clamped:
    """Return the producer whose result is clamped once more: a clamp of a clamp is a clamp."""
    match producer:
        case Conv2D() | DepthwiseConv2D() | Dense() | Add() | Requantize():
            return replace(producer, requant=_tighter(producer.requant, clamp))
        case AveragePool() if producer.requant is not None:
            requant = _tighter(producer.requant, clamp)
            return replace(producer, requant=requant, low=requant.low, high=requant.high)
        case AveragePool() | MaxPool() | Clamp():
            low, high = _limits(producer.low, producer.high, clamp)
            return replace(producer, low=low, high=high)


def _tighter(requant: Requant, clamp: Clamp) -> Requant:
    low, high = _limits(requant.low, requant.high, clamp)
    return replace(requant, low=low, high=high)


def _limits(low: int, high: int, clamp: Clamp) -> tuple[int, int]:
    return (
        min(max(low, clamp.low), clamp.high),
        min(max(high, clamp.low), clamp.high),
    )
