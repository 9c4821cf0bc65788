"""STRIDED_SLICE, SLICE, SPLIT, SPLIT_V and UNPACK: parts of a tensor."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.frontend.tflite.context import ActivationTensor, Context
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.schema import Options, TensorType
from edgekit.ir.nodes import Node, Reshape, Slice
from edgekit.ir.types import Tensor

_INDEX_TYPES = (TensorType.INT32, TensorType.INT64)
_MOST_PARTS = 64


def strided_slice(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate STRIDED_SLICE; begin, end and strides are constants."""
    context.operands(op, 4, 4)
    x = context.activation(op, 0)
    full = (1, *x.shape)
    begin, end, step = (
        context.constant(op, slot, (TensorType.INT32,)).reshape(-1).tolist() for slot in (1, 2, 3)
    )
    options = context.options(op, Options.STRIDED_SLICE)
    # Fields: masks of begin, end, ellipsis, new axis, shrink axis; bits are axes.
    masks = [options.integer(field, "i") for field in range(5)]
    fits = len(begin) == len(end) == len(step) <= len(full) and 0 not in step
    if masks[2] or masks[3] or not fits or any(not -4096 <= s <= 4096 for s in step):
        context.refuse(
            op,
            f"begin {begin}, end {end}, strides {step} and masks {masks} of {full}",
            "slice without new axes and ellipsis",
        )
    ranges = [
        _range(extent, begin[axis], end[axis], step[axis], [mask >> axis & 1 for mask in masks])
        for axis, extent in enumerate(full[: len(begin)])
    ]
    ranges += [(0, extent, 1) for extent in full[len(begin) :]]
    first, extents, steps = ([r[k] for r in ranges] for k in range(3))
    shape = tuple(n for axis, n in enumerate(extents) if not masks[4] >> axis & 1)
    return _part(context, op, x, 0, first, steps, extents, shape)


def _range(
    extent: int, begin: int, end: int, step: int, masks: Sequence[int]
) -> tuple[int, int, int]:
    """Return (first, count, step) along one axis."""
    if masks[4]:  # a single index, whose axis goes
        return begin + extent * (begin < 0), 1, 1
    low, high = (0, extent) if step > 0 else (-1, extent - 1)
    start, stop = (low, high) if step > 0 else (high, low)
    if not masks[0]:
        start = min(max(begin + extent * (begin < 0), low), high)
    if not masks[1]:
        stop = min(max(end + extent * (end < 0), low), high)
    return start, max(-((start - stop) // step), 0), step


def slice_(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate SLICE; begin and size are constants."""
    context.operands(op, 3, 3)
    x = context.activation(op, 0)
    full = (1, *x.shape)
    begin, size = (context.constant(op, slot, _INDEX_TYPES).reshape(-1).tolist() for slot in (1, 2))
    if len(begin) != len(full) or len(size) != len(full):
        context.refuse(op, f"begin {begin} and size {size} of {full}", "slice every axis")
    extents = [e - b if s == -1 else s for e, b, s in zip(full, begin, size, strict=True)]
    return _part(context, op, x, 0, begin, [1] * len(full), extents, tuple(extents))


def split(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate SPLIT into equal parts; the axis is a constant."""
    x = _several(context, op, 1, 2, Options.SPLIT)
    axis = _axis(context, op, context.constant(op, 0, (TensorType.INT32,)).reshape(-1).tolist(), x)
    extent = (1, *x.shape)[axis]
    if extent % len(op.outputs):
        context.refuse(op, f"{extent} in {len(op.outputs)} parts", "split into equal parts")
    return _parts(context, op, x, axis, [extent // len(op.outputs)] * len(op.outputs))


def split_v(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate SPLIT_V; sizes and axis are constants."""
    x = _several(context, op, 0, 3, Options.SPLIT_V)
    sizes = context.constant(op, 1, _INDEX_TYPES).reshape(-1).tolist()
    axis = _axis(context, op, context.constant(op, 2, (TensorType.INT32,)).reshape(-1).tolist(), x)
    extent = (1, *x.shape)[axis]
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = extent - sum(sizes) - 1
    if len(sizes) != len(op.outputs) or sum(sizes) != extent or min(sizes, default=0) < 1:
        context.refuse(op, f"sizes {sizes} of {extent}", "split into parts that add up")
    return _parts(context, op, x, axis, sizes)


def unpack(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate UNPACK: each index of an axis becomes a tensor without it."""
    x = _several(context, op, 0, 1, Options.UNPACK)
    axis = _axis(context, op, [context.options(op, Options.UNPACK).integer(1, "i")], x)
    if (1, *x.shape)[axis] != len(op.outputs):
        context.refuse(op, f"{len(op.outputs)} parts of {x.shape}", "the file is inconsistent")
    return _parts(context, op, x, axis, [1] * len(op.outputs), drop=True)


def _several(
    context: Context, op: Operator, slot: int, inputs: int, kind: Options
) -> ActivationTensor:
    parts = context.options(op, kind).integer(0, "i")
    if len(op.inputs) != inputs or parts != len(op.outputs) or not 1 <= parts <= _MOST_PARTS:
        context.refuse(
            op,
            f"{len(op.inputs)} inputs, {len(op.outputs)} outputs and {parts} parts found",
            f"split into at most {_MOST_PARTS} parts",
        )
    return context.activation(op, slot)


def _axis(context: Context, op: Operator, axes: Sequence[int], x: ActivationTensor) -> int:
    rank = len(x.shape) + 1
    if len(axes) != 1 or not -rank <= axes[0] < rank or axes[0] % rank == 0:
        context.refuse(op, f"axis {list(axes)} of {rank}", "split an axis other than the batch")
    return axes[0] % rank


def _parts(
    context: Context,
    op: Operator,
    x: ActivationTensor,
    axis: int,
    sizes: Sequence[int],
    *,
    drop: bool = False,
) -> tuple[Node, ...]:
    nodes: list[Node] = []
    full, start = [1, *x.shape], 0
    for slot, size in enumerate(sizes):
        first = [start if k == axis else 0 for k in range(len(full))]
        extents = [size if k == axis else extent for k, extent in enumerate(full)]
        shape = tuple(e for k, e in enumerate(extents) if not (drop and k == axis))
        nodes.extend(_part(context, op, x, slot, first, [1] * len(full), extents, shape))
        start += size
    return tuple(nodes)


def _part(
    context: Context,
    op: Operator,
    x: ActivationTensor,
    slot: int,
    first: Sequence[int],
    step: Sequence[int],
    extents: Sequence[int],
    shape: tuple[int, ...],
) -> tuple[Node, ...]:
    """Return one part of x; the sequences hold the batch axis, `shape` may lack dropped axes."""
    ends = [start + s * (n - 1) for start, s, n in zip(first, step, extents, strict=True)]
    full = (1, *x.shape)
    inside = all(
        n >= 1 and 0 <= start < extent and 0 <= end < extent
        for start, end, n, extent in zip(first, ends, extents, full, strict=True)
    )
    if not inside or shape[:1] != (1,) or len(shape) < 2:
        context.refuse(
            op,
            f"elements {list(first)} to {ends} of {full} are taken as {shape}",
            "take a part that lies inside, and keep the batch",
        )
    context.check_shape(op, shape[1:], slot)
    y = context.result(op, slot)
    context.same_quantization(op, x, y)
    taken = tuple(extents[1:])
    name = y.name if taken == shape[1:] else f"n{op.index}_part{slot}"
    context.tensors[name] = Tensor(name, taken, x.dtype)
    node = Slice(label=op.label, x=x.name, y=name, start=tuple(first[1:]), step=tuple(step[1:]))
    if name == y.name:
        return (node,)
    return node, Reshape(label=op.label, x=name, y=y.name)
