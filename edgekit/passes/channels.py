"""Which channels of each activation a graph needs: the least set that every reader agrees on.

A channel is the index along the last axis. A convolution or dense layer can do without an input
channel whose part in each of its sums is one fixed number; every other node keeps the channels of
its input and output together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.graph import Graph
from edgekit.ir.nodes import (
    Add,
    AveragePool,
    Clamp,
    Concat,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    LowBitConv2D,
    LowBitDense,
    LowBitDepthwiseConv2D,
    Lut8,
    MaxPool,
    Mul,
    Node,
    Pad,
    Requantize,
    Reshape,
    ResizeBilinear,
    ResizeNearest,
    Rows,
    Slice,
    Stack,
    Threshold,
    Transpose,
    inputs_of,
)
from edgekit.passes.bounds import Bounds, weighted_sums

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Mixing = Conv2D | Dense | LowBitConv2D | LowBitDense  # nodes whose sums go over channels
Channels = Mapping[str, Mask]  # for each activation, which channels stay


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """How the input channels of a convolution or dense layer enter its sums.

    `live` (C_out, C_in): the part of this input channel in this sum depends on the data or on
    the place. Where it does not, `fixed` (C_out, C_in) is that part.
    """

    live: Mask
    fixed: Ints


def terms(graph: Graph, node: Mixing, bounds: Bounds) -> Terms:
    """Return the terms of `node`, whose input has the elementwise `bounds`."""
    weight = by_channel(graph, node)
    live = weight.any(axis=1)
    fixed = np.zeros(live.shape, np.int64)
    channels = weight.shape[-1]
    low, high = (end.reshape(-1, channels) for end in bounds)
    constant = (low == high).all(axis=0) & live.any(axis=0)
    if isinstance(node, Dense | LowBitDense):
        parts = np.einsum("ec,oec->oc", low - node.input_zero_point, weight)
        live[:, constant], fixed[:, constant] = False, parts[:, constant]
        return Terms(live, fixed)
    raw, none = graph.constants[node.weight], np.zeros(weight.shape[0], np.int64)
    for channel in np.flatnonzero(constant):
        one = slice(channel, channel + 1)
        sums = weighted_sums(node, bounds[0][..., one], raw[..., one], none)
        sums = sums.reshape(-1, weight.shape[0])
        # At a padded border fewer weights meet the channel: there may be several parts.
        live[:, channel] = (sums != sums[0]).any(axis=0)
        fixed[:, channel] = sums[0]
    return Terms(live, fixed)


def by_channel(graph: Graph, node: Mixing) -> Ints:
    """Return the weights as (C_out, weights of a channel, C_in)."""
    weight = graph.constants[node.weight]
    return weight.reshape(weight.shape[0], -1, graph.tensors[node.x].shape[-1])


def needed(graph: Graph, found: Mapping[str, Terms]) -> dict[str, Mask]:
    """Return the channels of each activation that must stay; all False: nobody reads it.

    Args:
        graph: a checked graph.
        found: the terms of every Conv2D and Dense, by output tensor.
    """
    need = {
        name: np.zeros(tensor.shape[-1], np.bool_)
        for name, tensor in graph.tensors.items()
        if name not in graph.constants
    }
    for edge in (*graph.inputs, *graph.outputs):
        need[edge.tensor][:] = True
    _grow(graph, need, found)
    while (name := _empty_input(graph, need)) is not None:
        need[name][0] = True  # a node cannot read nothing
        _grow(graph, need, found)
    return need


def _grow(graph: Graph, need: Mapping[str, Mask], found: Mapping[str, Terms]) -> None:
    """Grow the masks to the least ones that content every node; they never shrink."""
    size = -1
    while size != (size := sum(int(mask.sum()) for mask in need.values())):
        for node in reversed(graph.nodes):
            out = need[node.y]
            if not out.any():
                continue  # it will be removed
            if isinstance(node, Mixing):
                need[node.x][found[node.y].live[out].any(axis=0)] = True
            else:
                _tie(graph, node, need)


def _empty_input(graph: Graph, need: Mapping[str, Mask]) -> str | None:
    """Return a tensor without channels that a node reads which stays."""
    for node in reversed(graph.nodes):
        if need[node.y].any():
            for name in inputs_of(node):
                if not need[name].any():
                    return name
    return None


def _tie(graph: Graph, node: Node, need: Mapping[str, Mask]) -> None:
    """Make a node other than Conv2D and Dense keep the same channels on both sides."""
    out, origin = need[node.y], _origin(graph, node)
    for name in inputs_of(node):
        mask = need[name]
        if origin is None:
            mask[:] = out[:] = True
            continue
        mask[origin[out]] = True
        if not (isinstance(node, DepthwiseConv2D | LowBitDepthwiseConv2D) and mask.size == 1):
            # One channel may have any number of outputs; several have as many each.
            out |= mask[origin]


def _origin(graph: Graph, node: Node) -> Ints | None:
    """Return the input channel behind each output channel; None: they mix, or nobody knows."""
    (first, *_), channels = inputs_of(node), graph.tensors[node.y].shape[-1]
    before = graph.tensors[first].shape
    match node:
        case DepthwiseConv2D() | LowBitDepthwiseConv2D():
            return np.arange(channels) // (channels // before[-1])
        case Add() | AveragePool() | MaxPool() | Clamp() | Requantize() | Lut8() | ResizeNearest():
            return np.arange(channels)
        case Reshape() if channels == graph.tensors[node.y].size:
            return np.arange(channels) % before[-1]
        case ResizeBilinear() | Threshold():
            return np.arange(channels)
        case _:
            return np.arange(channels) if _keeps_channels(graph, node, before, channels) else None


def _keeps_channels(graph: Graph, node: Node, before: tuple[int, ...], channels: int) -> bool:
    last = len(before) - 1
    match node:
        case Mul():
            return graph.tensors[node.b].shape[-1] == channels
        case Concat():
            return node.axis != last
        case Transpose():
            return node.order[-1] == last
        case Slice():
            return channels == before[-1] and node.step[-1] > 0
        case Rows() | Stack():
            return last > 0
        case Pad():
            return node.before[-1] == node.after[-1] == 0
        case Reshape():
            return channels == before[-1]
        case _:
            return False
