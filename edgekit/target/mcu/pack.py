"""Weights and biases as the kernels want them: order, folded zero points, lane proof."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.graph import Graph
from edgekit.ir.nodes import Conv2D, Dense, DepthwiseConv2D
from edgekit.ir.ranges import channel_weights

_LANE_LIMIT = 1 << 22  # ek_lanes.h: the lower lane holds [-2**22, 2**22)

Weighted = Conv2D | DepthwiseConv2D | Dense


@dataclass(frozen=True, slots=True)
class Sums:
    """Facts of a weighted node over *all* int8 inputs, padding included."""

    bias: tuple[int, ...]  # the input's zero point folded in
    low: int  # accumulator with bias
    high: int
    lanes: int  # 2 where two pixels may share a multiplication


def sums(graph: Graph, node: Weighted) -> Sums:
    """Return folded biases, accumulator range and lanes of `node`."""
    weight = channel_weights(graph, node)
    bias = graph.constants[node.bias] - node.input_zero_point * weight.sum(axis=1)
    positive = np.maximum(weight, 0).sum(axis=1)
    negative = np.minimum(weight, 0).sum(axis=1)
    low = -128 * positive + 127 * negative
    high = 127 * positive - 128 * negative
    fits = int(low.min()) >= -_LANE_LIMIT and int(high.max()) < _LANE_LIMIT
    return Sums(
        bias=tuple(int(b) for b in bias),
        low=int((low + bias).min()),
        high=int((high + bias).max()),
        lanes=2 if fits else 1,
    )


def groups(weight: NDArray[np.int64], count: int) -> tuple[int, ...]:
    """Return (C_out, depth) weights in groups of `count` channels, depth-major; the rest by row."""
    whole = weight.shape[0] // count * count
    head = weight[:whole].reshape(-1, count, weight.shape[1]).transpose(0, 2, 1)
    return (*head.ravel().tolist(), *weight[whole:].ravel().tolist())


def columns(weight: NDArray[np.int64]) -> tuple[int, ...]:
    """Return (kernel_h, kernel_w, C_out) depthwise weights as [C_out][kernel_w][kernel_h]."""
    return tuple(weight.transpose(2, 1, 0).ravel().tolist())
