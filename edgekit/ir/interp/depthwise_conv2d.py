"""DepthwiseConv2D (SPEC 4.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.arithmetic import requantize
from edgekit.ir.interp.window import windows
from edgekit.ir.nodes import DepthwiseConv2D, LowBitDepthwiseConv2D

Ints = NDArray[np.int64]


def depthwise_conv2d(node: DepthwiseConv2D, x: Ints, weight: Ints, bias: Ints) -> Ints:
    """Return [batch, out_h, out_w, C_out]; x [batch, H, W, C_in], weight (kh, kw, C_out)."""
    return requantize(depthwise_accumulators(node, x, weight, bias), node.requant)


def depthwise_accumulators(
    node: DepthwiseConv2D | LowBitDepthwiseConv2D, x: Ints, weight: Ints, bias: Ints
) -> Ints:
    """Return the int32 sums before requantization, [batch, out_h, out_w, C_out]."""
    kernel_h, kernel_w, channels = weight.shape
    centred = np.repeat(x - node.input_zero_point, channels // x.shape[-1], axis=-1)
    fill = node.padding_value if isinstance(node, LowBitDepthwiseConv2D) else 0
    view = windows(centred, (kernel_h, kernel_w), node.stride, node.dilation, node.padding, fill)
    acc = np.broadcast_to(bias, view.shape[:4]).copy()
    for row in range(kernel_h):
        for column in range(kernel_w):
            acc += view[..., row, column] * weight[row, column]
    return acc
