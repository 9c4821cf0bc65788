"""Depthwise convolution of bits by weights of one bit."""

from __future__ import annotations

import numpy as np

from edgekit.ir.nodes import LowBitDepthwiseConv2D
from edgekit.ir.types import DType
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.ops import binary_pack as pack
from edgekit.target.mcu.ops.binary_border import border_of
from edgekit.target.mcu.ops.binary_result import result_of
from edgekit.target.mcu.ops.window import window


def emit_binary_depthwise(context: Context, node: LowBitDepthwiseConv2D) -> NodeCode:
    """Return the C of `node`, whose input and weights are BINARY."""
    weight = context.graph.constants[node.weight]
    kernel_h, kernel_w, out_c = weight.shape
    cells, multiplier = kernel_h * kernel_w, out_c // context.shape(node.x)[2]
    # The kernel adds eight bits at once, whose carry enters the fourth plane.
    planes = max(cells.bit_length(), 4) + 1
    border = border_of(context, node)
    biases = border.biases(
        weight.transpose(2, 0, 1)[..., np.newaxis],
        context.graph.constants[node.bias],
        node.input_zero_point,
    )
    to_bits = context.graph.tensors[node.y].dtype is DType.BINARY
    starts = biases - cells
    if to_bits:
        assert node.thresholds is not None
        thresholds = context.graph.constants[node.thresholds][:, 0]
        wanted = pack.equal_bits_wanted(thresholds, biases, cells)
        starts = pack.start_words(wanted, planes, never=cells + 1)
    words = pack.words(weight.reshape(cells, out_c) < 0).T
    about = f"{out_c} filters of {kernel_h}x{kernel_w} bits, 32 at a time"
    weights = Array("p", context.index, tuple(words.ravel().tolist()), about)
    about = "where counts start, for each class of pixels"
    start = Array("t", context.index, tuple(starts.ravel().tolist()), about)
    classes = Array("s", context.index, border.rows_and_columns, "classes of rows and columns")
    result, arrays = result_of(context, node)
    return NodeCode(
        index=context.index,
        kernel="ek_bin_depthwise",
        params={
            "window": window(context, node),
            "multiplier": multiplier,
            "planes": planes,
            "padding": -1 if border.held > 0 else 0,
            "to_bits": int(to_bits),
            "column_classes": border.columns,
            "classes": classes.name,
            "weights": weights.name,
            "starts": start.name,
            "result": result,
        },
        arrays=(weights, start, classes, *arrays),
        inputs=(node.x,),
        output=node.y,
        scratch_bytes=4 * (planes + 2 * cells),
    )
