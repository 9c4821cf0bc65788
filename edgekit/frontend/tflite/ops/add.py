"""ADD."""

from __future__ import annotations

import numpy as np

from edgekit.frontend.tflite.arithmetic import activation_range, requant_of
from edgekit.frontend.tflite.context import ActivationTensor, Context
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.schema import Options
from edgekit.ir.arithmetic import quantize_multiplier
from edgekit.ir.nodes import Add, Node
from edgekit.ir.types import DType

_LEFT_SHIFTS = {DType.INT8: 20, DType.INT16: 15}


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
    if a.dtype is not b.dtype:
        context.refuse(op, "its inputs are of 8 and 16 bits", "quantize the model again")
    if a.dtype is DType.INT16 and options.integer(1, "B", 1):
        context.refuse(
            op,
            "16-bit inputs at scales that are powers of two (pot_scale_int16)",
            "export with a current converter",
        )
    context.check_shape(op, a.shape)
    y = context.result(op)
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
    node = Add(
        label=op.label,
        a=a.name,
        b=b.name,
        y=y.name,
        a_zero_point=a.zero_point,
        b_zero_point=b.zero_point,
        left_shift=left_shift,
        a_scale=_operand(a, twice),
        b_scale=_operand(b, twice),
        requant=requant,
    )
    return (node,)


def _operand(x: ActivationTensor, twice: float) -> tuple[int, int]:
    return quantize_multiplier(float(x.scale) / twice)
