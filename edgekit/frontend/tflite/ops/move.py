"""Operators that move values: RESHAPE, SQUEEZE, EXPAND_DIMS, TRANSPOSE, PAD, PADV2."""

from __future__ import annotations

import math

import numpy as np

from edgekit.frontend.limits import MAX_RANK
from edgekit.frontend.tflite.context import ActivationTensor, Context
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.ops.constant import scalar_constant
from edgekit.frontend.tflite.schema import Options, TensorType
from edgekit.ir.nodes import Node, Pad, Reshape, Transpose
from edgekit.ir.types import Tensor

_INDEX_TYPES = (TensorType.INT32, TensorType.INT64)


def reshape(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate RESHAPE; the new shape is the constant second input, else the option."""
    context.operands(op, 1, 2)
    x = context.activation(op, 0)
    if len(op.inputs) == 2 and op.inputs[1] >= 0:
        target = context.constant(op, 1, (TensorType.INT32,)).reshape(-1).tolist()
    else:
        new_shape = context.options(op, Options.RESHAPE).numbers(0, np.int32, MAX_RANK)
        target = new_shape.tolist()
    return _relabel(context, op, x, _stretch(context, op, x, target))


def squeeze(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate SQUEEZE, which drops axes of extent 1."""
    context.operands(op, 1, 1)
    x = context.activation(op, 0)
    full = [1, *x.shape]
    axes = context.options(op, Options.SQUEEZE).numbers(0, np.int32, MAX_RANK).tolist()
    dropped = {axis + len(full) if axis < 0 else axis for axis in axes}
    if not dropped:
        dropped = {axis for axis, extent in enumerate(full) if extent == 1}
    if any(not 0 <= axis < len(full) or full[axis] != 1 for axis in dropped):
        context.refuse(op, f"axes {axes} of shape {full} found", "squeeze axes of extent 1")
    return _relabel(context, op, x, [e for i, e in enumerate(full) if i not in dropped])


def expand_dims(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate EXPAND_DIMS, which inserts one axis of extent 1."""
    context.operands(op, 2, 2)
    x = context.activation(op, 0)
    axes = context.constant(op, 1, _INDEX_TYPES).reshape(-1).tolist()
    full = [1, *x.shape]
    if len(axes) != 1 or not -len(full) - 1 <= axes[0] <= len(full):
        context.refuse(op, f"axis {axes} of shape {full} found", "insert one axis in range")
    place = axes[0] + len(full) + 1 if axes[0] < 0 else axes[0]
    return _relabel(context, op, x, [*full[:place], 1, *full[place:]])


def pad(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate PAD with the zero point; paddings are a constant (rank, 2)."""
    context.operands(op, 2, 2)
    return _pad(context, op, None)


def pad_value(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate PADV2, whose value is a constant at the scale of the input."""
    context.operands(op, 3, 3)
    value = scalar_constant(context, op, 2)
    x = context.activation(op, 0)
    if value.scale != x.scale or value.zero_point != x.zero_point:
        context.refuse(op, "the padded value has a scale of its own", "quantize the model again")
    return _pad(context, op, int(value.values[0]))


def transpose(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate TRANSPOSE; the order is a constant, and the batch axis stays first."""
    context.operands(op, 2, 2)
    x = context.activation(op, 0)
    order = context.constant(op, 1, (TensorType.INT32,)).reshape(-1).tolist()
    rank = len(x.shape) + 1
    order = [axis + rank if axis < 0 else axis for axis in order]
    full = (1, *x.shape)
    if sorted(order) != list(range(rank)) or full[order[0]] != 1:
        context.refuse(op, f"order {order} of {full}", "keep batch size 1 on the first axis")
    # Whichever axis of extent 1 comes first becomes the batch.
    inner = tuple(axis for axis in order if axis != order[0])
    context.check_shape(op, tuple(full[axis] for axis in inner))
    y = context.result(op)
    context.same_quantization(op, x, y)
    if order[0] == 0:
        places = tuple(axis - 1 for axis in inner)
        return (Transpose(label=op.label, x=x.name, y=y.name, order=places),)
    name = f"n{op.index}_batched"
    context.tensors[name] = Tensor(name, full, x.dtype)
    turned = f"n{op.index}_turned"
    context.tensors[turned] = Tensor(turned, (1, *y.shape), x.dtype)
    return (
        Reshape(label=op.label, x=x.name, y=name),
        Transpose(label=op.label, x=name, y=turned, order=tuple(order)),
        Reshape(label=op.label, x=turned, y=y.name),
    )


def _pad(context: Context, op: Operator, value: int | None) -> tuple[Node, ...]:
    x = context.activation(op, 0)
    amounts = context.constant(op, 1, _INDEX_TYPES)
    if amounts.shape != (len(x.shape) + 1, 2) or amounts.min() < 0 or amounts[0].any():
        context.refuse(
            op,
            f"paddings {amounts.tolist()} found",
            "pad by constant, non-negative amounts and never the batch axis",
        )
    before = tuple(amounts[1:, 0].tolist())
    after = tuple(amounts[1:, 1].tolist())
    context.check_shape(
        op, tuple(b + e + a for b, e, a in zip(before, x.shape, after, strict=True))
    )
    y = context.result(op)
    context.same_quantization(op, x, y)
    node = Pad(
        label=op.label,
        x=x.name,
        y=y.name,
        before=before,
        after=after,
        value=y.zero_point if value is None else value,
    )
    return (node,)


def _stretch(context: Context, op: Operator, x: ActivationTensor, target: list[int]) -> list[int]:
    free = [axis for axis, extent in enumerate(target) if extent == -1]
    known = math.prod(extent for extent in target if extent != -1)
    count = math.prod(x.shape)
    if len(free) > 1 or any(e < -1 or e == 0 for e in target) or count % known:
        context.refuse(
            op, f"new shape {target} for {count} elements", "reshape to fixed, matching extents"
        )
    return [count // known if extent == -1 else extent for extent in target]


def _relabel(
    context: Context, op: Operator, x: ActivationTensor, full: list[int]
) -> tuple[Node, ...]:
    if not full or full[0] != 1 or math.prod(full) != math.prod(x.shape):
        context.refuse(
            op,
            f"result shape {full} for {math.prod(x.shape)} elements, a first axis of 1 is wanted",
            "keep batch size 1 on the first axis",
        )
    context.check_shape(op, tuple(full[1:]))
    y = context.result(op)
    context.same_quantization(op, x, y)
    return (Reshape(label=op.label, x=x.name, y=y.name),)
