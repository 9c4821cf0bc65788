"""MEAN and REDUCE_MAX over any axes but the batch."""

from __future__ import annotations

import math

from edgekit.frontend.tflite.context import ActivationTensor, Context
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.schema import Options, TensorType
from edgekit.ir.arithmetic import quantize_multiplier
from edgekit.ir.nodes import AveragePool, MaxPool, Node, Reshape, Transpose
from edgekit.ir.types import DType, Padding, Requant, Rounding, Tensor

_INPUT, _OUTPUT = "input", "output"


def mean(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate MEAN, which also moves between scales."""
    x, y, axes = _operands(context, op)
    kept, count = _split(x, axes)
    multiplier, shift = quantize_multiplier(float(x.scale) / float(y.scale))
    # The reference divides the multiplier, as far as it can be shifted before.
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    multiplier, shift = (multiplier << bits) // count, shift - bits
    if not 1 << 29 <= multiplier < 1 << 31 or shift < -31:
        context.refuse(
            op,
            f"scales {x.scale} and {y.scale} over {count} values leave no exact multiplier",
            "quantize the model again",
        )
    requant = Requant((multiplier,), (shift,), y.zero_point, -128, 127, Rounding.DOUBLE)
    pool = AveragePool(
        label=op.label,
        x=_name(op, _INPUT),
        y=_name(op, _OUTPUT),
        kernel=(1, count),
        stride=(1, 1),
        padding=Padding(),
        input_zero_point=x.zero_point,
        low=-128,
        high=127,
        requant=requant,
    )
    return _reduced(context, op, x, y, axes, kept, pool)


def reduce_max(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate REDUCE_MAX at equal scales."""
    x, y, axes = _operands(context, op)
    context.same_quantization(op, x, y)
    kept, count = _split(x, axes)
    pool = MaxPool(
        label=op.label,
        x=_name(op, _INPUT),
        y=_name(op, _OUTPUT),
        kernel=(1, count),
        stride=(1, 1),
        padding=Padding(),
        low=-128,
        high=127,
    )
    return _reduced(context, op, x, y, axes, kept, pool)


def _operands(
    context: Context, op: Operator
) -> tuple[ActivationTensor, ActivationTensor, tuple[int, ...]]:
    """Return input, output and the sorted axes of the unbatched shape."""
    context.operands(op, 2, 2)
    x = context.activation(op, 0)
    rank = len(x.shape) + 1
    found = context.constant(op, 1, (TensorType.INT32,)).reshape(-1)
    if not found.size or found.min() < -rank or found.max() >= rank or not (found % rank).all():
        context.refuse(
            op, f"axes {found.tolist()} of {rank} found", "reduce axes other than the batch"
        )
    axes = tuple(sorted({int(axis) % rank - 1 for axis in found}))
    keep = context.options(op, Options.REDUCER).integer(0, "B") != 0
    shape = [1 if axis in axes else extent for axis, extent in enumerate(x.shape)]
    if not keep:
        shape = [extent for axis, extent in enumerate(x.shape) if axis not in axes]
    context.check_shape(op, tuple(shape))
    return x, context.result(op), axes


def _split(x: ActivationTensor, axes: tuple[int, ...]) -> tuple[list[int], int]:
    """Return the axes that stay and how many values become one."""
    kept = [axis for axis in range(len(x.shape)) if axis not in axes]
    return kept, math.prod(x.shape[axis] for axis in axes)


def _name(op: Operator, what: str) -> str:
    return f"n{op.index}_{what}"


def _reduced(
    context: Context,
    op: Operator,
    x: ActivationTensor,
    y: ActivationTensor,
    axes: tuple[int, ...],
    kept: list[int],
    pool: AveragePool | MaxPool,
) -> tuple[Node, ...]:
    """Return the pool of an image whose columns are what is reduced, and how x becomes one."""
    before = [axis for axis in kept if axis < axes[-1]]
    order = (*before, *axes, *[axis for axis in kept if axis > axes[-1]])
    outer = math.prod(x.shape[axis] for axis in before)
    count = pool.kernel[1]
    inner = math.prod(x.shape) // (outer * count)
    moved = _name(op, "moved")
    for name, shape in (
        (moved, tuple(x.shape[axis] for axis in order)),
        (pool.x, (outer, count, inner)),
        (pool.y, (outer, 1, inner)),
    ):
        context.tensors[name] = Tensor(name, shape, DType.INT8)
    return (
        Transpose(label=op.label, x=x.name, y=moved, order=order),
        Reshape(label=op.label, x=moved, y=pool.x),
        pool,
        Reshape(label=op.label, x=pool.y, y=y.name),
    )
