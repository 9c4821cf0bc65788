"""ADD."""

from __future__ import annotations

import numpy as np

from edgekit.frontend.tflite.arithmetic import activation_range, requant_of
from edgekit.frontend.tflite.context import Activation8, Context
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.schema import Options
from edgekit.ir.arithmetic import quantize_multiplier
from edgekit.ir.nodes import Add, Node

_LEFT_SHIFT = 20


def add(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate ADD of two activations of equal shape."""
    context.operands(op, 2, 2)
    a = context.activation(op, 0)
    b = context.activation(op, 1)
    if a.shape != b.shape:
        context.refuse(
            op,
            f"shapes {a.shape} and {b.shape} differ",
            "broadcasting is not compiled; add tensors of equal shape",
        )
    options = context.options(op, Options.ADD)
    context.check_shape(op, a.shape)
    y = context.result(op)
    low, high = activation_range(context, op, y, options.integer(0, "b"))
    twice = 2.0 * max(float(a.scale), float(b.scale))
    real_output = twice / (float(1 << _LEFT_SHIFT) * float(y.scale))
    requant = requant_of(np.asarray([real_output]), y.zero_point, low, high)
    # The reference aborts beyond this: an output scale 2**19 times finer than the inputs'.
    if real_output >= 1.0 or requant.shift[0] > 0:
        context.refuse(
            op,
            f"output scale {y.scale} is too fine for input scales {a.scale} and {b.scale}",
            "quantize the model again",
        )
    node = Add(
        label=op.label,
        a=a.name,
        b=b.name,
        y=y.name,
        a_zero_point=a.zero_point,
        b_zero_point=b.zero_point,
        left_shift=_LEFT_SHIFT,
        a_scale=_operand(a, twice),
        b_scale=_operand(b, twice),
        requant=requant,
    )
    return (node,)


def _operand(x: Activation8, twice: float) -> tuple[int, int]:
    return quantize_multiplier(float(x.scale) / twice)
