"""ADD and SUB."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgekit.frontend.tflite.arithmetic import activation_range, requant_of
from edgekit.frontend.tflite.context import ActivationTensor, Context
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.ops.constant import channel_constant, is_constant
from edgekit.frontend.tflite.ops.lookup import lookup
from edgekit.frontend.tflite.schema import Options
from edgekit.ir.arithmetic import quantize_multiplier
from edgekit.ir.interp.add import add as added
from edgekit.ir.nodes import Add, Node
from edgekit.ir.types import DType

_LEFT_SHIFTS = {DType.INT8: 20, DType.INT16: 15}


def add(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate ADD of two activations of equal shape, or of one and stored numbers."""
    return _sum(context, op, Options.ADD, subtract=False)


def subtract(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate SUB of two activations of equal shape, or of one and stored numbers."""
    return _sum(context, op, Options.SUB, subtract=True)


def _sum(context: Context, op: Operator, kind: Options, *, subtract: bool) -> tuple[Node, ...]:
    context.operands(op, 2, 2)
    for slot in (0, 1):
        if is_constant(context, op, slot):
            return _with_number(context, op, kind, 1 - slot, slot, subtract=subtract)
    a = context.activation(op, 0)
    b = context.activation(op, 1)
    if a.shape != b.shape:
        context.refuse(
            op,
            f"shapes {a.shape} and {b.shape} differ",
            "broadcasting is not compiled; add tensors of equal shape",
        )
    context.check_shape(op, a.shape)
    return (_node(context, op, kind, a, b, context.result(op), subtract=subtract),)


def _with_number(
    context: Context, op: Operator, kind: Options, slot: int, other: int, *, subtract: bool
) -> tuple[Node, ...]:
    """Return the table of a sum with a stored number, or with one for each channel."""
    x = context.activation(op, slot)
    number = channel_constant(context, op, other, x.shape)
    if x.dtype is not DType.INT8:
        context.refuse(op, "a 16-bit sum with a number", "fold the number into the layer before")
    context.check_shape(op, x.shape)
    y = context.result(op)
    stored = replace(x, scale=number.scale, zero_point=number.zero_point)
    ends = (x, stored) if slot == 0 else (stored, x)
    node = _node(context, op, kind, *ends, y, subtract=subtract)
    operands = np.broadcast_arrays(np.arange(-128, 128), number.values[:, np.newaxis])
    return lookup(context, op, x, y, added(node, *(operands if slot == 0 else operands[::-1])))


def _node(
    context: Context,
    op: Operator,
    kind: Options,
    a: ActivationTensor,
    b: ActivationTensor,
    y: ActivationTensor,
    *,
    subtract: bool,
) -> Add:
    options = context.options(op, kind)
    if a.dtype is not b.dtype:
        context.refuse(op, "its inputs are of 8 and 16 bits", "quantize the model again")
    if a.dtype is DType.INT16 and options.integer(1, "B", 1):
        context.refuse(
            op,
            "16-bit inputs at scales that are powers of two (pot_scale_int16)",
            "export with a current converter",
        )
    low, high = activation_range(context, op, y, options.integer(0, "b"))
    twice = 2.0 * max(float(a.scale), float(b.scale))
    left_shift = _LEFT_SHIFTS[a.dtype]
    real_output = twice / (float(1 << left_shift) * float(y.scale))
    requant = requant_of(np.asarray([real_output]), y.zero_point, low, high)
    # The reference aborts beyond this: an output scale 2**19 (16 bits: 2**14) times finer than
    # the inputs'.
    if real_output >= 1.0 or requant.shift[0] > 0:
        context.refuse(
            op,
            f"output scale {y.scale} is too fine for input scales {a.scale} and {b.scale}",
            "quantize the model again",
        )
    return Add(
        label=op.label,
        a=a.name,
        b=b.name,
        y=y.name,
        a_zero_point=a.zero_point,
        b_zero_point=b.zero_point,
        left_shift=left_shift,
        a_scale=quantize_multiplier(float(a.scale) / twice),
        b_scale=quantize_multiplier(float(b.scale) / twice),
        requant=requant,
        subtract=subtract,
    )
