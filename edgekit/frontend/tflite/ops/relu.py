"""RELU, RELU6 and RELU_N1_TO_1 as operators of their own."""

from __future__ import annotations

import numpy as np

from edgekit.frontend.tflite.arithmetic import activation_range, requant_of
from edgekit.frontend.tflite.context import Context
from edgekit.frontend.tflite.model import Operator
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
