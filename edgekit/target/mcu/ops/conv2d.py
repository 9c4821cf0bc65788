"""Convolution, 1x1 included."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekit.ir.nodes import Conv2D
from edgekit.ir.types import DType
from edgekit.passes.memory import Overlap
from edgekit.target.mcu import ctext, pack, scale
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.features import Feature
from edgekit.target.mcu.ops.codes import emit_codes
from edgekit.target.mcu.ops.conv2d_dsp import emit_conv2d_dsp
from edgekit.target.mcu.ops.conv2d_mve import emit_conv2d_mve
from edgekit.target.mcu.ops.conv2d_rv32 import emit_conv2d_rv32
from edgekit.target.mcu.ops.conv2d_wide import emit_conv2d_wide
from edgekit.target.mcu.ops.overlap import behind_by_pixels
from edgekit.target.mcu.ops.window import window

_SPECIAL: tuple[tuple[Feature, Callable[[Context, Conv2D], NodeCode | None]], ...] = (
    ("mve", emit_conv2d_mve),
    ("dsp", emit_conv2d_dsp),
    ("rv32", emit_conv2d_rv32),
)


def emit_conv2d(context: Context, node: Conv2D) -> NodeCode:
    """Return the C of `node`; scratch holds four windows and their sums, and padding."""
    if context.graph.tensors[node.x].dtype is DType.INT16:
        return emit_conv2d_wide(context, node)
    few_bits = emit_codes(context, node)
    if few_bits is not None:
        return few_bits
    for feature, emit in _SPECIAL:
        special = emit(context, node) if feature in context.features else None
        if special is not None:
            return special
    weight = context.graph.constants[node.weight]
    out_c, kernel_h, kernel_w, in_c = weight.shape
    facts = pack.sums(context.graph, node)
    scaling = scale.choose(node.requant, context.index, facts.low, facts.high)
    weights = Array(
        "w",
        context.index,
        pack.groups(weight.reshape(out_c, -1), 2),
        f"{out_c} filters of {kernel_h}x{kernel_w}x{in_c}, two at a time",
    )
    bias = Array("b", context.index, facts.bias, "bias, input zero point folded in")
    params: dict[str, ctext.Value] = {
        "window": window(context, node),
        "out_c": out_c,
        "pad_value": node.input_zero_point,
        "lanes": facts.lanes,
        "weights": weights.name,
        "bias": bias.name,
        "requant": scaling.fields,
    }
    return NodeCode(
        index=context.index,
        kernel="ek_conv2d_s8",
        params=params,
        arrays=(weights, bias, *scaling.arrays),
        inputs=(node.x,),
        output=node.y,
        roundings=(scaling.rounding,),
        overlap=Overlap(node.x, _behind_bytes(context, node, facts.lanes)),
        scratch_bytes=16 * out_c + 8 * kernel_h * kernel_w * in_c + 2 * in_c,
    )


def _behind_bytes(context: Context, node: Conv2D, lanes: int) -> int:
    out_h, out_w, _ = context.shape(node.y)
    # All windows of a group of pixels are gathered before any of them is written.
    return behind_by_pixels(context, node, np.arange(2 * lanes, out_h * out_w, 2 * lanes))
