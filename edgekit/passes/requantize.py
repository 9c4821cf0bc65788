"""Two changes of scale, one after the other, become one where no integer differs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.arithmetic import float32_scale, float32_value, quantize_multiplier
from edgekit.ir.graph import Graph
from edgekit.ir.interp.requantize import requantize_node
from edgekit.ir.nodes import Node, Requantize
from edgekit.ir.types import DType, Requant, Rounding
from edgekit.passes.rewrite import output_names, readers, rebuild

Ints = NDArray[np.int64]

_SCALES = (2.0**-30, 2.0**20)  # what every rounding can hold


def fuse_requantize(graph: Graph) -> Graph:
    """Merge a Requantize into the one before it that nobody else reads.

    Only of one scale each, and only if the scales' product gives the same integer for each of the
    256 that can come in.
    """
    read_by, leaving = readers(graph), output_names(graph)
    places: dict[str, int] = {}  # where in `nodes` a Requantize is written
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node, Requantize):
            alone = len(read_by[node.x]) == 1 and node.x not in leaving
            place = places.get(node.x) if alone else None
            first = None if place is None else nodes[place]
            if isinstance(first, Requantize) and place is not None:
                fused = _fused(graph, first, node)
                if fused is not None:
                    nodes[place] = fused
                    places[node.y] = place
                    continue
            places[node.y] = len(nodes)
        nodes.append(node)
    return rebuild(graph, nodes, {})


def _fused(graph: Graph, first: Requantize, second: Requantize) -> Requantize | None:
    dtypes = {graph.tensors[name].dtype for name in (first.x, first.y, second.y)}
    single = len(first.requant.multiplier) == len(second.requant.multiplier) == 1
    if dtypes != {DType.INT8} or not single or first.requant.rounding != second.requant.rounding:
        return None
    x = np.arange(DType.INT8.low, DType.INT8.high + 1)
    wanted = requantize_node(second, requantize_node(first, x))
    scale = _scale(first.requant) * _scale(second.requant)
    if not _SCALES[0] <= scale < _SCALES[1]:
        return None
    if first.requant.rounding is Rounding.FLOAT32_RNE:
        multiplier, shift = float32_scale(np.float32(scale))
    else:
        multiplier, shift = quantize_multiplier(scale)
    requant = Requant(
        (multiplier,),
        (shift,),
        second.requant.zero_point,
        int(wanted.min()),
        int(wanted.max()),
        first.requant.rounding,
    )
    fused = replace(second, x=first.x, input_zero_point=first.input_zero_point, requant=requant)
    return fused if np.array_equal(requantize_node(fused, x), wanted) else None


def _scale(requant: Requant) -> float:
    if requant.rounding is Rounding.FLOAT32_RNE:
        return float(float32_value(requant.multiplier[0], requant.shift[0]))
    return float(requant.multiplier[0]) * 2.0 ** (requant.shift[0] - 31)
