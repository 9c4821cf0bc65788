"""One emit function per node type: parameters, packed constants, scratch size."""

from __future__ import annotations

from typing import assert_never

from edgekit.ir.nodes import (
    Add,
    AveragePool,
    Clamp,
    Concat,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    LowBitNode,
    Lut8,
    MaxPool,
    Mul,
    Node,
    Pad,
    Requantize,
    Reshape,
    ResizeBilinear,
    ResizeNearest,
    Rows,
    Slice,
    Softmax,
    Stack,
    Transpose,
)
from edgekit.ir.types import DType
from edgekit.passes.buffers import renames
from edgekit.target.mcu.code import Context, NodeCode
from edgekit.target.mcu.ops.add import emit_add
from edgekit.target.mcu.ops.binary_move import (
    MoveOfBits,
    emit_move_of_bits,
    emit_reshape_of_bits,
)
from edgekit.target.mcu.ops.conv2d import emit_conv2d
from edgekit.target.mcu.ops.copy import emit_concat, emit_slice, emit_transpose
from edgekit.target.mcu.ops.dense import emit_dense
from edgekit.target.mcu.ops.depthwise import emit_depthwise
from edgekit.target.mcu.ops.lookup import emit_lut, emit_resize_bilinear, emit_resize_nearest
from edgekit.target.mcu.ops.lowbit import emit_low_bit
from edgekit.target.mcu.ops.move import emit_clamp, emit_pad, emit_requantize
from edgekit.target.mcu.ops.mul import emit_mul
from edgekit.target.mcu.ops.pool import emit_average_pool, emit_max_pool
from edgekit.target.mcu.ops.softmax import emit_softmax


def emit_node(context: Context, node: Node) -> NodeCode | None:  # noqa: C901 - the closed union
    """Return the C of `node`, or None for one that is another name for bytes."""
    if isinstance(node, LowBitNode):
        return emit_low_bit(context, node)
    if isinstance(node, MoveOfBits) and context.graph.tensors[node.y].dtype is DType.BINARY:
        return emit_move_of_bits(context, node)
    match node:
        case Conv2D():
            return emit_conv2d(context, node)
        case DepthwiseConv2D():
            return emit_depthwise(context, node)
        case Dense():
            return emit_dense(context, node)
        case Add():
            return emit_add(context, node)
        case Mul():
            return emit_mul(context, node)
        case AveragePool():
            return emit_average_pool(context, node)
        case MaxPool():
            return emit_max_pool(context, node)
        case Pad():
            return emit_pad(context, node)
        case Clamp():
            return emit_clamp(context, node)
        case Requantize():
            return emit_requantize(context, node)
        case Softmax():
            return emit_softmax(context, node)
        case Lut8():
            return emit_lut(context, node)
        case Concat():
            return emit_concat(context, node)
        case Transpose():
            return emit_transpose(context, node)
        case Slice():
            return emit_slice(context, node)
        case ResizeNearest():
            return emit_resize_nearest(context, node)
        case ResizeBilinear():
            return emit_resize_bilinear(context, node)
        case Reshape() if not renames(context.graph, node):
            return emit_reshape_of_bits(context, node)
        case Reshape() | Rows() | Stack():
            return None
        case _:
            assert_never(node)
