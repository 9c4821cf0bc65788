"""Low-bit depthwise convolution of values that are not bits, or by weights that are not."""

from __future__ import annotations

from edgekit.ir.nodes import LowBitDepthwiseConv2D
from edgekit.target.mcu import codes
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.ops.codes import low_parts, plain_layer


def emit_low_depthwise(context: Context, node: LowBitDepthwiseConv2D) -> NodeCode:
    """Return the C of `node`, whose input has at most 8 bits."""
    weight = context.graph.constants[node.weight]
    _, kernel_w, out_c = weight.shape
    in_c = context.shape(node.x)[2]
    parts = low_parts(context, node, codes.Values(0, 0))
    stored = Array(
        "w", context.index, tuple(weight.ravel().tolist()), f"{out_c} filters, interleaved"
    )
    return NodeCode(
        index=context.index,
        kernel="ek_low_depthwise",
        params={
            "low": {"codes": plain_layer(context, node, parts.outside), **parts.fields},
            "multiplier": out_c // in_c,
            "weights": stored.name,
        },
        arrays=(stored, *parts.arrays),
        inputs=(node.x,),
        output=node.y,
        scratch_bytes=4 * out_c + kernel_w * in_c,
    )
