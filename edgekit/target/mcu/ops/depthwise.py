"""Depthwise convolution."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.ir.nodes import DepthwiseConv2D
from edgekit.passes.memory import Overlap
from edgekit.target.mcu import ctext, pack, scale
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.features import Feature
from edgekit.target.mcu.ops.conv2d_rv32 import emit_depthwise_rv32
from edgekit.target.mcu.ops.depthwise_dsp import emit_depthwise_dsp
from edgekit.target.mcu.ops.depthwise_mve import emit_depthwise_mve
from edgekit.target.mcu.ops.overlap import behind_by_rows
from edgekit.target.mcu.ops.window import window

_SPECIAL: tuple[tuple[Feature, Callable[[Context, DepthwiseConv2D], NodeCode | None]], ...] = (
    ("mve", emit_depthwise_mve),
    ("dsp", emit_depthwise_dsp),
    ("rv32", emit_depthwise_rv32),
)


def emit_depthwise(context: Context, node: DepthwiseConv2D) -> NodeCode:
    """Return the C of `node`; scratch holds what lies under four output rows, and padding."""
    for feature, emit in _SPECIAL:
        special = emit(context, node) if feature in context.features else None
        if special is not None:
            return special
    weight = context.graph.constants[node.weight]
    kernel_h, kernel_w, out_c = weight.shape
    facts = pack.sums(context.graph, node)
    scaling = scale.choose(node.requant, context.index, facts.low, facts.high)
    weights = Array(
        "w",
        context.index,
        pack.columns(weight),
        f"{out_c} filters of {kernel_h}x{kernel_w}, each column by column",
    )
    bias = Array("b", context.index, facts.bias, "bias, input zero point folded in")
    params: dict[str, ctext.Value] = {
        "window": window(context, node),
        "multiplier": out_c // context.shape(node.x)[2],
        "pad_value": node.input_zero_point,
        "lanes": facts.lanes,
        "weights": weights.name,
        "bias": bias.name,
        "requant": scaling.fields,
    }
    _, in_w, in_c = context.shape(node.x)
    out_w = context.shape(node.y)[1]
    width = (out_w - 1) * node.stride[1] + (kernel_w - 1) * node.dilation[1] + 1
    return NodeCode(
        index=context.index,
        kernel="ek_depthwise_s8",
        params=params,
        arrays=(weights, bias, *scaling.arrays),
        inputs=(node.x,),
        output=node.y,
        roundings=(scaling.rounding,),
        overlap=Overlap(node.x, behind_by_rows(context, node, 2 * facts.lanes)),
        scratch_bytes=16 * out_w + 8 * kernel_h * width + (3 - facts.lanes) * in_w * in_c,
    )
