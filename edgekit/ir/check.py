"""The checker: proves what docs/SPEC.md section 6 lists, after loading and after every pass."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UnsupportedError
from edgekit.ir.arithmetic import float32_exact, float32_scale
from edgekit.ir.check_nodes import check_node
from edgekit.ir.geometry import macs
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import Node, constants_of, inputs_of
from edgekit.ir.ranges import Range, accumulator_range, output_range
from edgekit.ir.types import DType, Edge, Tensor

__all__ = ["accumulator_range", "macs", "verify"]

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}", re.ASCII)
_KEYWORDS = re.compile(
    "auto|break|case|char|const|continue|default|do|double|else|enum|extern|float|for|goto|if|"
    "inline|int|long|register|restrict|return|short|signed|sizeof|static|struct|switch|typedef|"
    "union|unsigned|void|volatile|while|_Bool|_Complex|_Imaginary"
)
_HINT = "the front end or pass that made this graph is at fault; please report the model"


def verify(graph: Graph) -> None:
    """Prove that `graph` means what SPEC says and that no accumulator overflows.

    Raises:
        UnsupportedError: naming the tensor, edge or node, what was found and what is wanted.
    """
    _check_name(graph.name, "graph")
    for key, tensor in graph.tensors.items():
        _check_tensor(key, tensor)
    for name in graph.constants:
        _check_constant(graph, name)
    _check_edges(graph)
    ranges: dict[str, Range] = {}
    for edge in graph.inputs:
        dtype = graph.tensors[edge.tensor].dtype
        ranges[edge.tensor] = (dtype.low, dtype.high)
    for node in graph.nodes:
        _check_order(graph, node, ranges)
        check_node(graph, node, ranges)
        ranges[node.y] = output_range(graph, node, ranges)
    for edge in graph.outputs:
        if edge.tensor not in ranges:
            _fail(f"output {edge.source_name}: no node produces its tensor {edge.tensor}")


def _fail(message: str) -> None:
    raise UnsupportedError(message, hint=_HINT)


def _check_order(graph: Graph, node: Node, ranges: Mapping[str, Range]) -> None:
    for name in inputs_of(node):
        if name not in ranges:
            _fail(f"{node.label}: it reads {name}, which no input or earlier node produces")
    for name in constants_of(node):
        if name not in graph.constants:
            _fail(f"{node.label}: it reads the constant {name}, which the graph lacks")
    if node.y not in graph.tensors:
        _fail(f"{node.label}: it writes {node.y}, which the graph does not declare")
    if node.y in ranges or node.y in graph.constants:
        _fail(f"{node.label}: it writes {node.y}, which already has a value")


def is_name(name: str) -> bool:
    """Return whether a graph or a tensor may have this name: an identifier of C."""
    return bool(_IDENTIFIER.fullmatch(name)) and not _KEYWORDS.fullmatch(name)


def _check_name(name: str, what: str) -> None:
    if not is_name(name):
        _fail(f"{what} {name!r}: the name must be a C identifier of at most 63 characters")


def _check_tensor(key: str, tensor: Tensor) -> None:
    if key != tensor.name:
        _fail(f"tensor {key}: it is declared under the name {tensor.name}")
    _check_name(tensor.name, "tensor")
    if not tensor.shape or any(extent < 1 for extent in tensor.shape):
        _fail(f"tensor {tensor.name}: shape {tensor.shape}; extents of at least 1 are wanted")


def _check_constant(graph: Graph, name: str) -> None:
    if name not in graph.tensors:
        _fail(f"constant {name}: the graph does not declare it")
    tensor, array = graph.tensors[name], graph.constants[name]
    if array.dtype != np.int64 or array.flags.writeable:
        state = "writable" if array.flags.writeable else "read-only"
        _fail(f"constant {name}: {state} {array.dtype}; read-only int64 is wanted")
    if array.shape != tensor.shape:
        _fail(f"constant {name}: shape {array.shape}; {tensor.shape} is declared")
    low, high = int(array.min()), int(array.max())
    if low < tensor.dtype.low or high > tensor.dtype.high:
        _fail(
            f"constant {name}: values {low} to {high}; {tensor.dtype.name} holds "
            f"{tensor.dtype.low} to {tensor.dtype.high}"
        )
    if tensor.dtype is DType.BINARY and not array.all():
        _fail(f"constant {name}: it holds 0; a binary constant is -1 or 1")


def _check_edges(graph: Graph) -> None:
    for what, edges in (("input", graph.inputs), ("output", graph.outputs)):
        if not edges:
            _fail(f"graph {graph.name}: it has no {what}")
        names = [edge.tensor for edge in edges]
        if len(set(names)) != len(names):
            _fail(f"graph {graph.name}: two {what}s share a tensor: {', '.join(names)}")
        for edge in edges:
            _check_edge(graph, edge, f"{what} {edge.source_name}")


def _check_edge(graph: Graph, edge: Edge, where: str) -> None:
    if edge.tensor not in graph.tensors or edge.tensor in graph.constants:
        _fail(f"{where}: its tensor {edge.tensor} is not an activation of the graph")
    tensor = graph.tensors[edge.tensor]
    if tensor.dtype is not edge.dtype:
        _fail(f"{where}: type {tensor.dtype.name} behind an edge of {edge.dtype.name}")
    if not (edge.scale > 0 and np.isfinite(edge.scale) and _is_float32(edge.scale)):
        _fail(f"{where}: scale {edge.scale}; a positive float32 number is wanted")
    low, high = (0, 0) if edge.dtype.bits > 8 else (edge.dtype.low, edge.dtype.high)
    if not low <= edge.zero_point <= high:
        _fail(f"{where}: zero point {edge.zero_point}; {low} to {high} is wanted")
    _check_source(edge, where)
    _check_float_ends(edge, tensor, where)
    rank = len(edge.source_shape)
    runs = len(edge.thresholds) if edge.dtype is DType.BINARY and edge.thresholds else 1
    if prod(edge.source_shape[1:]) * runs != tensor.size or rank < 1:
        _fail(
            f"{where}: source shape {edge.source_shape} does not hold one {tensor.shape} a sample"
        )
    order = edge.transpose
    if order is not None and (sorted(order) != list(range(rank)) or order[0] != 0):
        _fail(f"{where}: transpose {order}; a permutation of {rank} axes, batch first, is wanted")


def _check_source(edge: Edge, where: str) -> None:
    stored = {"int16": DType.INT16, "int32": DType.INT32}.get(edge.source_dtype)
    wide = edge.dtype.bits > 8
    if edge.source_dtype != "float32" and (stored is edge.dtype) != wide:
        _fail(f"{where}: source type {edge.source_dtype} for {edge.dtype.name}")
    wanted = {"uint8": (128,), "float32": (0, 128)}.get(edge.source_dtype, (0,))
    if edge.source_offset not in wanted:
        _fail(
            f"{where}: source offset {edge.source_offset}; "
            f"{' or '.join(map(str, wanted))} is wanted for {edge.source_dtype}"
        )


def _check_float_ends(edge: Edge, tensor: Tensor, where: str) -> None:
    levels = np.array(edge.thresholds, np.float64)
    if levels.size > 1 and edge.dtype is DType.BINARY:
        _check_runs(edge, tensor, where)
    if levels.size and edge.source_dtype != "float32":
        _check_compared(edge, levels, where)
    if not np.isfinite(levels).all() or (np.diff(levels) < 0).any():
        _fail(f"{where}: its thresholds fall or are not finite")
    step, count = (2, 1) if edge.dtype is DType.BINARY else (1, levels.size)
    top = edge.lowest + step * count
    if levels.size and not edge.dtype.low <= edge.lowest <= top <= edge.dtype.high:
        _fail(f"{where}: levels {edge.lowest} to {top}, which {edge.dtype.name} cannot hold")
    for values in (edge.channel_scale, edge.channel_offset):
        if values is not None and (
            len(values) != tensor.shape[-1] or not np.isfinite(values).all()
        ):
            _fail(f"{where}: {len(values)} channel factors; {tensor.shape[-1]} numbers are wanted")


def _check_compared(edge: Edge, levels: NDArray[np.float64], where: str) -> None:
    """Integers that the host compares become bits, each of which some integer sets and clears."""
    limits = np.iinfo(edge.source_dtype)
    if edge.dtype is not DType.BINARY:
        _fail(
            f"{where}: thresholds for a source of {edge.source_dtype} and values of "
            f"{edge.dtype.name}; a source of float32, or BINARY values are wanted"
        )
    if not (limits.min < levels.min() and levels.max() <= limits.max):
        _fail(
            f"{where}: thresholds {levels.min():g} to {levels.max():g}; above {limits.min} "
            f"and not above {limits.max} is wanted for {edge.source_dtype}"
        )


def _check_runs(edge: Edge, tensor: Tensor, where: str) -> None:
    if len(tensor.shape) != 1 or edge.transpose is not None:
        _fail(
            f"{where}: several thresholds for bits of shape {tensor.shape}; "
            "a flat tensor without a transpose is wanted"
        )


def _is_float32(value: float) -> bool:
    return float(np.float32(value)) == value and float32_exact(*float32_scale(np.float32(value)))
