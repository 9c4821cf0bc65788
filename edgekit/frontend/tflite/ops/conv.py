"""CONV_2D and DEPTHWISE_CONV_2D."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.frontend.limits import MAX_TENSOR_ELEMENTS
from edgekit.frontend.tflite.arithmetic import (
    activation_range,
    product_scales,
    requant_of,
    spatial,
    wide_requant,
    window,
)
from edgekit.frontend.tflite.context import ActivationTensor, Context
from edgekit.frontend.tflite.flatbuffer import Table
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.ops.weights import bias_of, weight_scales
from edgekit.frontend.tflite.schema import Options, TensorType
from edgekit.ir.nodes import Conv2D, DepthwiseConv2D, Node
from edgekit.ir.types import DType, Padding, Requant


def conv_2d(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate CONV_2D; filter (C_out, kh, kw, C_in)."""
    context.operands(op, 2, 3)
    x = context.activation(op, 0)
    _, _, channels = spatial(context, op, x)
    weight = context.constant(op, 1, (TensorType.INT8,))
    if weight.ndim != 4 or 0 in weight.shape or weight.shape[3] != channels:
        context.refuse(
            op,
            f"filter shape {weight.shape} does not match {channels} input channels",
            "grouped convolutions are not compiled; use depthwise or plain convolutions",
        )
    options = context.options(op, Options.CONV_2D)
    # Fields: padding, stride w, stride h, activation, dilation w, dilation h.
    place = _Place(context, op, x, options, (weight.shape[1], weight.shape[2]), (4, 5))
    y, requant = _output(context, op, x, weight.shape[0], 0, options.integer(3, "b"), place)
    node = Conv2D(
        label=op.label,
        x=x.name,
        y=y.name,
        weight=context.add_constant(f"n{op.index}_weight", weight, DType.INT8),
        bias=bias_of(context, op, 2, weight.shape[0]),
        stride=place.stride,
        dilation=place.dilation,
        padding=place.padding,
        input_zero_point=x.zero_point,
        requant=requant,
    )
    return (node,)


def depthwise_conv_2d(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate DEPTHWISE_CONV_2D; filter (1, kh, kw, C_out)."""
    context.operands(op, 2, 3)
    x = context.activation(op, 0)
    _, _, channels = spatial(context, op, x)
    weight = context.constant(op, 1, (TensorType.INT8,))
    options = context.options(op, Options.DEPTHWISE_CONV_2D)
    if weight.ndim != 4 or 0 in weight.shape or weight.shape[0] != 1 or weight.shape[3] % channels:
        context.refuse(
            op,
            f"filter shape {weight.shape} does not match {channels} input channels",
            "the file is inconsistent; export the model again",
        )
    multiplier = options.integer(3, "i")
    # Converters may write 0 for "see the filter"; anything else must agree with it.
    if multiplier not in (0, weight.shape[3] // channels):
        context.refuse(
            op,
            f"depth multiplier {multiplier} does not match filter shape {weight.shape}",
            "the file is inconsistent; export the model again",
        )
    # Fields: padding, stride w, stride h, multiplier, activation, dilation w, dilation h.
    place = _Place(context, op, x, options, (weight.shape[1], weight.shape[2]), (5, 6))
    y, requant = _output(context, op, x, weight.shape[3], 3, options.integer(4, "b"), place)
    node = DepthwiseConv2D(
        label=op.label,
        x=x.name,
        y=y.name,
        weight=context.add_constant(f"n{op.index}_weight", weight[0], DType.INT8),
        bias=bias_of(context, op, 2, weight.shape[3]),
        stride=place.stride,
        dilation=place.dilation,
        padding=place.padding,
        input_zero_point=x.zero_point,
        requant=requant,
    )
    return (node,)


class _Place:
    """Where the kernel goes: stride, dilation, padding and the output's height and width."""

    def __init__(
        self,
        context: Context,
        op: Operator,
        x: ActivationTensor,
        options: Table,
        kernel: tuple[int, int],
        dilation_fields: tuple[int, int],
    ) -> None:
        height, width, channels = spatial(context, op, x)
        width_field, height_field = dilation_fields
        self.stride = (options.integer(2, "i"), options.integer(1, "i"))
        self.dilation = (
            options.integer(height_field, "i", 1),
            options.integer(width_field, "i", 1),
        )
        self.out: tuple[int, int]
        self.padding: Padding
        self.out, self.padding = window(
            context,
            op,
            (height, width),
            kernel,
            self.stride,
            self.dilation,
            options.integer(0, "b"),
        )
        padded = (height + self.padding.top + self.padding.bottom) * (
            width + self.padding.left + self.padding.right
        )
        if padded * channels > MAX_TENSOR_ELEMENTS:
            context.refuse(
                op,
                f"the padded input has {padded * channels} elements, "
                f"at most {MAX_TENSOR_ELEMENTS} are accepted",
                "use a smaller dilation or kernel",
            )


def _output(
    context: Context,
    op: Operator,
    x: ActivationTensor,
    channels: int,
    axis: int,
    activation: int,
    place: _Place,
) -> tuple[ActivationTensor, Requant]:
    context.check_shape(op, (*place.out, channels))
    scales: NDArray[np.float32] = weight_scales(context, op, channels, axis)
    y = context.result(op)
    low, high = activation_range(context, op, y, activation)
    reals = product_scales(x, scales, y)
    if y.dtype is DType.INT16:
        return y, wide_requant(reals, low, high)
    return y, requant_of(reals, y.zero_point, low, high)
