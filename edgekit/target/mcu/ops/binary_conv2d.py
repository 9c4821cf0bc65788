"""Convolution and fully connected layer of bits by weights of one bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.nodes import LowBitConv2D, LowBitDense
from edgekit.ir.types import DType
from edgekit.target.mcu import ctext
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.ops import binary_pack as pack
from edgekit.target.mcu.ops.binary_border import NO_BORDER, border_of
from edgekit.target.mcu.ops.binary_result import result_of
from edgekit.target.mcu.ops.window import window

Ints = NDArray[np.int64]


def emit_binary_conv2d(context: Context, node: LowBitConv2D | LowBitDense) -> NodeCode:
    """Return the C of `node`, whose input and weights are BINARY."""
    weight = context.graph.constants[node.weight].reshape(context.shape(node.y)[-1], -1)
    out_c, depth = weight.shape
    counted, planes = out_c // pack.LANES, pack.planes_of(depth)
    border = border_of(context, node) if isinstance(node, LowBitConv2D) else NO_BORDER
    cells = weight.reshape(out_c, *border.missing.shape[1:], -1)
    biases = border.biases(cells, context.graph.constants[node.bias], node.input_zero_point)
    to_bits = context.graph.tensors[node.y].dtype is DType.BINARY
    weights = Array(
        "p", context.index, _weights(weight), f"{out_c} filters of {depth} bits, 32 at a time"
    )
    starts = Array(
        "t",
        context.index,
        _bit_starts(context, node, biases, depth) if to_bits else _ints(biases - depth),
        "where counts start, for each class of pixels",
    )
    classes = Array("s", context.index, border.rows_and_columns, "classes of rows and columns")
    result, arrays = result_of(context, node)
    length, rest = -(-depth // pack.LANES), depth % pack.LANES
    return NodeCode(
        index=context.index,
        kernel="ek_bin_conv2d",
        params={
            "window": _window(context, node),
            "out_c": out_c,
            "words": counted,
            "planes": planes,
            "padding": -1 if border.held > 0 else 0,
            "to_bits": int(to_bits),
            "column_classes": border.columns,
            "classes": classes.name,
            "weights": weights.name,
            "starts": starts.name,
            "result": result,
        },
        arrays=(weights, starts, classes, *arrays),
        inputs=(node.x,),
        output=node.y,
        scratch_bytes=4 * (planes + 2 * length + depth // pack.LANES + (rest + 1) // 2 + 1),
    )


def _window(context: Context, node: LowBitConv2D | LowBitDense) -> dict[str, ctext.Value]:
    """Return the `ek_window`; a fully connected layer has one that covers its input."""
    if isinstance(node, LowBitConv2D):
        return {**window(context, node)}
    shape = context.shape(node.x)
    in_h, in_w, in_c = (1,) * (3 - len(shape)) + shape
    ones = ("out_h", "out_w", "stride_h", "stride_w", "dilation_h", "dilation_w")
    return {
        **{"in_h": in_h, "in_w": in_w, "in_c": in_c, "kernel_h": in_h, "kernel_w": in_w},
        **dict.fromkeys(ones, 1),
        **{"pad_top": 0, "pad_left": 0},
    }


def _weights(weight: Ints) -> tuple[int, ...]:
    """Return (C_out, depth) weights: words of 32 channels as parities, then the other rows."""
    counted = weight.shape[0] // pack.LANES * pack.LANES
    groups = weight[:counted].reshape(-1, pack.LANES, weight.shape[1])
    rows = pack.words(weight[counted:] < 0)
    return (*(v for group in groups for v in _ints(pack.parities(group))), *_ints(rows))


def _bit_starts(
    context: Context, node: LowBitConv2D | LowBitDense, biases: Ints, depth: int
) -> tuple[int, ...]:
    """Return the starts for outputs of one bit, of all classes; biases is (classes, C_out)."""
    assert node.thresholds is not None
    thresholds = context.graph.constants[node.thresholds][:, 0]
    wanted = pack.equal_bits_wanted(thresholds, biases, depth)
    planes = pack.planes_of(depth)
    found: list[int] = []
    for row in wanted:
        counted = len(row) // pack.LANES * pack.LANES
        for first in range(0, counted, pack.LANES):
            found += _ints(pack.start_planes(row[first : first + pack.LANES], planes))
        found += _ints(-2 * row[counted:])
    return tuple(found)


def _ints(values: Ints) -> tuple[int, ...]:
    return tuple(values.ravel().tolist())
