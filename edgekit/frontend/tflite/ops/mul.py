"""MUL."""

from __future__ import annotations

import numpy as np

from edgekit.frontend.tflite.arithmetic import activation_range, requant_of
from edgekit.frontend.tflite.context import ActivationTensor, Context
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.ops.constant import channel_constant, is_constant
from edgekit.frontend.tflite.ops.lookup import check_reach, lookup
from edgekit.frontend.tflite.schema import Options
from edgekit.ir.arithmetic import requantize
from edgekit.ir.geometry import repeats
from edgekit.ir.nodes import DepthwiseConv2D, Mul, Node, Reshape
from edgekit.ir.types import DType, Padding, Requant, Tensor


def mul(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate MUL: one operand has the shape of the result, the other that of its last axes."""
    context.operands(op, 2, 2)
    activation = context.options(op, Options.MUL).integer(0, "b")
    for slot in (0, 1):
        if is_constant(context, op, slot):
            return _by_constant(context, op, 1 - slot, slot, activation)
    a, b = context.activation(op, 0), context.activation(op, 1)
    if not repeats(a.shape, b.shape):
        a, b = b, a
    if not repeats(a.shape, b.shape):
        context.refuse(
            op,
            f"shapes {b.shape} and {a.shape} do not meet",
            "multiply tensors of one shape, or by one factor for each channel",
        )
    context.check_shape(op, a.shape)
    y = context.result(op)
    node = Mul(
        label=op.label,
        a=a.name,
        b=b.name,
        y=y.name,
        a_zero_point=a.zero_point,
        b_zero_point=b.zero_point,
        requant=_requant(context, op, (a.scale, b.scale), y, activation),
    )
    return (node,)


def _requant(
    context: Context,
    op: Operator,
    scales: tuple[np.float32, np.float32],
    y: ActivationTensor,
    activation: int,
) -> Requant:
    low, high = activation_range(context, op, y, activation)
    real = float(scales[0]) * float(scales[1]) / float(y.scale)
    return requant_of(np.asarray([real]), y.zero_point, low, high)


def _by_constant(
    context: Context, op: Operator, slot: int, other: int, activation: int
) -> tuple[Node, ...]:
    x = context.activation(op, slot)
    factor = channel_constant(context, op, other, x.shape)
    context.check_shape(op, x.shape)
    y = context.result(op)
    requant = _requant(context, op, (x.scale, factor.scale), y, activation)
    factors = factor.values - factor.zero_point
    if factors.size == 1 or factors.min() < -128 or factors.max() > 127 or len(x.shape) > 3:
        products = (np.arange(-128, 128) - x.zero_point) * factors[:, np.newaxis]
        check_reach(context, op, products, requant.shift[0])
        return lookup(context, op, x, y, requantize(products, requant))
    # A factor for each channel is a depthwise layer of one weight.
    channels = x.shape[-1]
    shape = (1, *x.shape[-2:]) if len(x.shape) < 3 else x.shape
    shape = (1,) * (3 - len(shape)) + shape
    names = [x.name, y.name]
    nodes: list[Node] = []
    if len(x.shape) != 3:
        names = [f"n{op.index}_image", f"n{op.index}_scaled"]
        for name in names:
            context.tensors[name] = Tensor(name, shape, DType.INT8)
        nodes.append(Reshape(label=op.label, x=x.name, y=names[0]))
    weight = context.add_constant(f"n{op.index}_weight", factors.reshape(1, 1, -1), DType.INT8)
    bias = context.add_constant(f"n{op.index}_bias", np.zeros(channels, np.int64), DType.INT32)
    nodes.append(
        DepthwiseConv2D(
            label=op.label,
            x=names[0],
            y=names[1],
            weight=weight,
            bias=bias,
            stride=(1, 1),
            dilation=(1, 1),
            padding=Padding(),
            input_zero_point=x.zero_point,
            requant=requant,
        )
    )
    if len(x.shape) != 3:
        nodes.append(Reshape(label=op.label, x=names[1], y=y.name))
    return tuple(nodes)
