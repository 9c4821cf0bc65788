"""Convolution of 16-bit activations with 8-bit weights."""

from __future__ import annotations

from edgekit.ir.check import accumulator_range
from edgekit.ir.nodes import Conv2D
from edgekit.target.mcu import ctext, scale
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.ops.window import window


def emit_conv2d_wide(context: Context, node: Conv2D) -> NodeCode:
    """Return the C of `node`, whose activations are int16; it needs no scratch."""
    weight = context.graph.constants[node.weight]
    out_c, kernel_h, kernel_w, in_c = weight.shape
    scaling = scale.choose(node.requant, context.index, *accumulator_range(context.graph, node))
    weights = Array(
        "w",
        context.index,
        tuple(weight.ravel().tolist()),
        f"{out_c} filters of {kernel_h}x{kernel_w}x{in_c}",
    )
    bias = Array("b", context.index, tuple(context.graph.constants[node.bias].tolist()), "bias")
    params: dict[str, ctext.Value] = {
        "window": window(context, node),
        "out_c": out_c,
        "weights": weights.name,
        "bias": bias.name,
        "requant": scaling.fields,
    }
    return NodeCode(
        index=context.index,
        kernel="ek_conv2d_s16",
        params=params,
        arrays=(weights, bias, *scaling.arrays),
        inputs=(node.x,),
        output=node.y,
        roundings=(scaling.rounding,),
        wide=True,
    )
