"""An estimate of what binary and ternary layers take as hard-wired logic."""

from __future__ import annotations

import numpy as np

from edgekit.ir import nodes
from edgekit.ir.graph import Graph
from edgekit.ir.types import DType

_WEIGHTED = (
    nodes.Conv2D | nodes.DepthwiseConv2D | nodes.Dense,
    nodes.LowBitConv2D | nodes.LowBitDepthwiseConv2D | nodes.LowBitDense,
)


def estimate(graph: Graph) -> int | None:
    """Return 4-input LUTs of hard-wired adder trees, or None where no layer has such weights.

    A sum of n terms of b bits is a tree of n - 1 adders: level k has n / 2**k of b + k - 1 bits,
    in all about (n - 1) * (b + 1) full adders, one LUT with carry each. Zeros cost nothing. One
    unit serves all pixels of a convolution. Layers with wider weights are not in it.
    """
    total, counted = 0, False
    for node in graph.nodes:
        if not isinstance(node, _WEIGHTED[0] | _WEIGHTED[1]):
            continue
        if graph.tensors[node.weight].dtype not in (DType.BINARY, DType.TERNARY):
            continue
        weight = graph.constants[node.weight]
        depthwise = isinstance(node, nodes.DepthwiseConv2D | nodes.LowBitDepthwiseConv2D)
        axes = (0, 1) if depthwise else tuple(range(1, weight.ndim))
        terms = np.count_nonzero(weight, axis=axes)
        bits = graph.tensors[node.x].dtype.bits
        total += int((np.maximum(terms - 1, 0) * (bits + 1)).sum())
        counted = True
    return total if counted else None
