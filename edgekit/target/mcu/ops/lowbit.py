"""Which kernel takes a low-bit node: one table, by what its input and weights are."""

from __future__ import annotations

from typing import NoReturn, assert_never

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
from edgekit.target.mcu.ops.low_depthwise import emit_low_depthwise
from edgekit.target.mcu.ops.trit_ternary import emit_trit_ternary
from edgekit.target.mcu.ops.unrolled import emit_unrolled


def emit_low_bit(context: Context, node: LowBitNode) -> NodeCode:
    """Return the C of `node`.

    Raises:
        UnsupportedError: no kernel takes these types.
    """
    found: NodeCode | None = None
    match node:
        case LowBitConv2D() | LowBitDense() | LowBitDepthwiseConv2D():
            found = _emit_sum(context, node)
        case Threshold() | Thermometer():
            found = emit_threshold(context, node)
        case LutLayer():
            found = emit_lut_layer(context, node)
        case GroupCount():
            found = emit_group_count(context, node)
        case _:
            assert_never(node)
    if found is None:
        _refuse(context, node)
    return found


def _emit_sum(context: Context, node: LowBitSum) -> NodeCode | None:
    """Return the C of a sum, or None where no kernel takes its types."""
    is_binary = _is_binary(context, node)
    if isinstance(node, LowBitDepthwiseConv2D):
        if is_binary:
            return emit_binary_depthwise(context, node)
        wide = context.graph.tensors[node.x].dtype is DType.INT16
        return None if wide else emit_low_depthwise(context, node)
    if is_binary:
        return emit_binary_conv2d(context, node)
    forms = (emit_binary_ternary, emit_trit_ternary, emit_low_codes)
    stored = next((code for form in forms if (code := form(context, node)) is not None), None)
    return None if stored is None else emit_unrolled(context, node, stored)


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
