"""The checker's part for nodes that look values up or move them (SPEC 4.11 to 4.13)."""

from __future__ import annotations

from typing import NoReturn, assert_never

from edgekit.errors import UnsupportedError
from edgekit.ir.geometry import repeats
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import (
    Concat,
    Lut8,
    Mul,
    Node,
    ResizeBilinear,
    ResizeNearest,
    Slice,
    Transpose,
)
from edgekit.ir.types import DType, Rounding

_REPORT = "the front end or pass that made this graph is at fault; please report the model"
_MOST_VALUES = 1 << 24
Shape = tuple[int, ...]
_Moving = Mul | Lut8 | Concat | Transpose | Slice | ResizeNearest | ResizeBilinear


def fail(node: Node, message: str, hint: str = _REPORT) -> NoReturn:
    """Refuse `node`.

    Raises:
        UnsupportedError: always, with the node's label in front.
    """
    raise UnsupportedError(f"{node.label}: {message}", hint=hint)


def want(node: Node, what: str, found: object, wanted: object) -> None:
    """Refuse `node` unless `found` equals `wanted`.

    Raises:
        UnsupportedError: naming `what`, what was found and what is wanted.
    """
    if found != wanted:
        fail(node, f"{what} is {found}; {wanted} is wanted")


def check_move(graph: Graph, node: _Moving) -> None:
    """Check shapes, tables and places of one node.

    Raises:
        UnsupportedError: naming the node, what was found and what is wanted.
    """
    shape = graph.tensors[node.y].shape
    size = graph.tensors[node.y].size
    if size > _MOST_VALUES:
        fail(node, f"its output holds {size} values; at most {_MOST_VALUES} is wanted")
    match node:
        case Mul():
            _check_mul(graph, node, shape)
        case Lut8():
            want(node, "shape of its input", graph.tensors[node.x].shape, shape)
            table = graph.tensors[node.table]
            if table.shape not in ((256,), (shape[-1], 256)):
                fail(node, f"table shape {table.shape}; (256,) or ({shape[-1]}, 256) is wanted")
            want(node, "table type", table.dtype.name, DType.INT8.name)
        case Concat():
            _check_concat(node, [graph.tensors[name].shape for name in node.xs], shape)
        case Transpose():
            source = graph.tensors[node.x].shape
            if sorted(node.order) != list(range(len(source))):
                fail(node, f"order {node.order}; each axis of {source} once is wanted")
            want(node, "output shape", shape, tuple(source[axis] for axis in node.order))
        case Slice():
            _check_slice(node, graph.tensors[node.x].shape, shape)
        case ResizeNearest() | ResizeBilinear():
            _check_resize(node, graph.tensors[node.x].shape, shape)
        case _:
            assert_never(node)


def _check_mul(graph: Graph, node: Mul, shape: Shape) -> None:
    a, b = graph.tensors[node.a].shape, graph.tensors[node.b].shape
    want(node, f"shape of {node.a}", a, shape)
    if not repeats(a, b):
        fail(node, f"shape of {node.b} is {b}; {a} or its last axes are wanted")
    most = 255 if node.requant.rounding is Rounding.FLOAT32_RNE else 0
    if abs(node.addend) > most:
        fail(node, f"addend is {node.addend}; {-most} to {most} is wanted")


def _check_concat(node: Concat, sources: list[Shape], shape: Shape) -> None:
    if not 0 <= node.axis < len(shape):
        fail(node, f"axis {node.axis} of {shape}; one of its axes is wanted")
    if len(sources) < 2:
        fail(node, f"{len(sources)} inputs; at least 2 are wanted")
    for name, source in zip(node.xs, sources, strict=True):
        extent = source[node.axis] if len(source) == len(shape) else None
        around = tuple(extent if k == node.axis else e for k, e in enumerate(shape))
        want(node, f"shape of {name}", source, around)
    want(node, "extent", shape[node.axis], sum(source[node.axis] for source in sources))


def _check_slice(node: Slice, source: Shape, shape: Shape) -> None:
    if not len(node.start) == len(node.step) == len(source) == len(shape):
        fail(node, f"start {node.start}, step {node.step}; one entry for each axis of {source}")
    for start, step, extent, out in zip(node.start, node.step, source, shape, strict=True):
        if step == 0 or not (0 <= start < extent and 0 <= start + step * (out - 1) < extent):
            fail(node, f"start {node.start} and step {node.step} take {shape} beyond {source}")


def _check_resize(node: ResizeNearest | ResizeBilinear, source: Shape, shape: Shape) -> None:
    if len(source) != 3 or len(shape) != 3:
        fail(node, f"shapes {source} and {shape}; (H, W, C) is wanted")
    want(node, "output shape", shape, (len(node.rows), len(node.columns), source[2]))
    for what, places, extent in (
        ("row", node.rows, source[0]),
        ("column", node.columns, source[1]),
    ):
        flat = [end for place in places for end in _ends(node, place)]
        if min(flat) < 0 or max(flat) >= extent:
            fail(node, f"{what}s {min(flat)} to {max(flat)}; 0 to {extent - 1} is wanted")


def _ends(node: Node, place: int | tuple[int, int, int]) -> tuple[int, ...]:
    """Return the input indices that an output index reads."""
    if isinstance(place, int):
        return (place,)
    first, second, share = place
    if not 0 <= share <= 1024:
        fail(node, f"share {share} of 1024; 0 to 1024 is wanted")
    return first, second
