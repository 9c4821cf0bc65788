"""Bits that are read flat are stored flat: no word is spent on each pixel's few channels."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.graph import Graph
from edgekit.ir.nodes import LowBitDense, LutLayer, Node, Reshape, Thermometer, Threshold
from edgekit.ir.types import DType, Tensor
from edgekit.passes.rewrite import output_names, readers, rebuild

Ints = NDArray[np.int64]
Flat = LowBitDense | LutLayer  # nodes that read their input as one vector


def flatten_bits(graph: Graph) -> Graph:
    """Let a threshold or thermometer of an image whose readers are all flat write a vector.

    A thermometer of a vector holds all pixels of one threshold together, so the columns of its
    readers' weights, or their connections, move along.
    """
    read_by, leaving = readers(graph), output_names(graph)
    for node in graph.nodes:
        if not isinstance(node, Threshold | Thermometer) or node.y in leaving:
            continue
        flat = [reader for reader in read_by[node.y] if isinstance(reader, Flat)]
        if len(flat) == len(read_by[node.y]) and _is_image_of_bits(graph, node):
            return flatten_bits(_flattened(graph, node, flat))
    return graph


def _is_image_of_bits(graph: Graph, node: Threshold | Thermometer) -> bool:
    y = graph.tensors[node.y]
    one_row = graph.tensors[node.thresholds].shape[0] == 1
    return y.dtype is DType.BINARY and len(y.shape) > 1 and one_row


def _flattened(graph: Graph, node: Threshold | Thermometer, flat: Iterable[Flat]) -> Graph:
    source, target = graph.tensors[node.x], graph.tensors[node.y]
    vector = Tensor(_free(graph, f"{node.x[:50]}_flat"), (source.size,), source.dtype)
    tensors = {**graph.tensors, vector.name: vector}
    tensors[node.y] = replace(target, shape=(target.size,))
    wider = replace(graph, tensors=tensors)
    levels = graph.tensors[node.thresholds].shape[1] if isinstance(node, Thermometer) else 1
    moved = {}
    for reader in flat:
        wider, moved[reader.y] = _moved(wider, reader, _places(source, levels))
    nodes: list[Node] = []
    for each in graph.nodes:
        if each is node:
            nodes.append(Reshape(label=node.label, x=node.x, y=vector.name))
            nodes.append(replace(node, x=vector.name))
        else:
            nodes.append(moved.get(each.y, each))
    return rebuild(wider, nodes, {})


def _places(source: Tensor, levels: int) -> Ints:
    """Return, for each bit of the image's thermometer, its place in the vector's."""
    channels = source.shape[-1]
    places = np.arange(source.size * levels).reshape(levels, -1, channels)
    return places.transpose(1, 0, 2).reshape(-1)


def _moved(graph: Graph, reader: Flat, places: Ints) -> tuple[Graph, Flat]:
    """Return `reader` with its columns or connections where the bits now are."""
    if (places == np.arange(places.size)).all():
        return graph, reader
    if isinstance(reader, LutLayer):
        name, value = reader.connections, places[graph.constants[reader.connections]]
    else:
        name = reader.weight
        value = np.empty_like(graph.constants[name])
        value[:, places] = graph.constants[name]
    value.setflags(write=False)
    new = _free(graph, f"{name[:50]}_flat")
    wider = replace(
        graph,
        tensors={**graph.tensors, new: replace(graph.tensors[name], name=new)},
        constants={**graph.constants, new: value},
    )
    if isinstance(reader, LutLayer):
        return wider, replace(reader, connections=new)
    return wider, replace(reader, weight=new)


def _free(graph: Graph, stem: str) -> str:
    names = itertools.chain((stem,), (f"{stem}_{k}" for k in itertools.count()))
    return next(name for name in names if name not in graph.tensors)
