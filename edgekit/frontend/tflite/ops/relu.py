"""Limits as operators of their own: RELU, RELU6, RELU_N1_TO_1, MINIMUM, MAXIMUM."""

from __future__ import annotations

import numpy as np

from edgekit.frontend.tflite.arithmetic import activation_range, requant_of
from edgekit.frontend.tflite.context import Context
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.ops.constant import is_constant, scalar_constant
from edgekit.frontend.tflite.schema import Activation
from edgekit.ir.nodes import Clamp, Node, Requantize


def relu(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate RELU."""
    return _relu(context, op, Activation.RELU)


def relu6(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate RELU6."""
    return _relu(context, op, Activation.RELU6)


def relu_n1_to_1(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate RELU_N1_TO_1."""
    return _relu(context, op, Activation.RELU_N1_TO_1)


def minimum(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate MINIMUM of an activation and a number."""
    return _limited(context, op, at_most=True)


def maximum(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate MAXIMUM of an activation and a number."""
    return _limited(context, op, at_most=False)


def _limited(context: Context, op: Operator, *, at_most: bool) -> tuple[Node, ...]:
    context.operands(op, 2, 2)
    other = 0 if is_constant(context, op, 0) else 1
    if not is_constant(context, op, other):
        context.refuse(op, "two activations", "limit by a number, as ReLU6 does")
    number = scalar_constant(context, op, other)
    x = context.activation(op, 1 - other)
    context.check_shape(op, x.shape)
    y = context.result(op)
    context.same_quantization(op, x, y)
    if number.scale != x.scale or number.zero_point != x.zero_point:
        context.refuse(op, "the number has a scale of its own", "quantize the model again")
    value = int(number.values[0])
    low, high = (-128, value) if at_most else (value, 127)
    return (Clamp(label=op.label, x=x.name, y=y.name, low=low, high=high),)


def _relu(context: Context, op: Operator, kind: Activation) -> tuple[Node, ...]:
    context.operands(op, 1, 1)
    x = context.activation(op, 0)
    context.check_shape(op, x.shape)
    y = context.result(op)
    low, high = activation_range(context, op, y, kind)
    if x.scale == y.scale and x.zero_point == y.zero_point:
        return (Clamp(label=op.label, x=x.name, y=y.name, low=low, high=high),)
    # The reference divides the scales in float32 here.
    with np.errstate(all="ignore"):
        real = np.float64(np.float32(x.scale / y.scale))
    requant = requant_of(np.asarray([real]), y.zero_point, low, high)
    node = Requantize(
        label=op.label, x=x.name, y=y.name, input_zero_point=x.zero_point, requant=requant
    )
    return (node,)
