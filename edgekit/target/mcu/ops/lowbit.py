"""Which kernel takes a low-bit node: one table, by what its input and weights are."""

from __future__ import annotations

from typing import NoReturn

from edgekit.errors import UnsupportedError
from edgekit.ir.lowbit import LowBitSum
from edgekit.ir.nodes import (
    GroupCount,
    LowBitConv2D,
    LowBitDense,
    LowBitDepthwiseConv2D,
    LowBitNode,
    LutLayer,
    Thermometer,
    Threshold,
)
from edgekit.ir.types import DType
from edgekit.target.mcu.code import Context, NodeCode
from edgekit.target.mcu.ops.binary_conv2d import emit_binary_conv2d
from edgekit.target.mcu.ops.binary_depthwise import emit_binary_depthwise
from edgekit.target.mcu.ops.binary_ternary import emit_binary_ternary
from edgekit.target.mcu.ops.binary_threshold import emit_threshold
from edgekit.target.mcu.ops.bit_tables import emit_group_count, emit_lut_layer
from edgekit.target.mcu.ops.codes import emit_low_codes
from edgekit.target.mcu.ops.unrolled import emit_unrolled


def emit_low_bit(context: Context, node: LowBitNode) -> NodeCode:
    """Return the C of `node`.

    Raises:
        UnsupportedError: no kernel takes these types.
    """
    match node:
        case LowBitConv2D() | LowBitDense() if _is_binary(context, node):
            return emit_binary_conv2d(context, node)
        case LowBitConv2D() | LowBitDense():
            for emit in (emit_binary_ternary, emit_low_codes):
                found = emit(context, node)
                if found is not None:
                    return emit_unrolled(context, node, found)
        case LowBitDepthwiseConv2D() if _is_binary(context, node):
            return emit_binary_depthwise(context, node)
        case Threshold() | Thermometer():
            return emit_threshold(context, node)
        case LutLayer():
            return emit_lut_layer(context, node)
        case GroupCount():
            counts = emit_group_count(context, node)
            if counts is not None:
                return counts
        case _:
            pass
    _refuse(context, node)


def _is_binary(context: Context, node: LowBitSum) -> bool:
    """Tell whether a sum is one of bits by weights of one bit."""
    tensors = context.graph.tensors
    return tensors[node.x].dtype is tensors[node.weight].dtype is DType.BINARY


def _refuse(context: Context, node: LowBitNode) -> NoReturn:
    tensors = context.graph.tensors
    found = f"{tensors[node.x].dtype.name} to {tensors[node.y].dtype.name}"
    raise UnsupportedError(
        f"{node.label}: no C kernel for {type(node).__name__} from {found}",
        hint="`edgekit check` lists what the model's nodes are; the graph itself can be run",
    )
