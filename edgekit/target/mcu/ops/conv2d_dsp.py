"""Convolution by DSP instructions."""

from __future__ import annotations

from edgekit.ir.nodes import Conv2D
from edgekit.passes.memory import Overlap
from edgekit.target.mcu import ctext, direct, pairs
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.ops.overlap import behind_by_pixels, ends_by_groups
from edgekit.target.mcu.ops.window import dsp_window

_PIXELS = 4
_PAIR_BYTES = 4 * _PIXELS


def emit_conv2d_dsp(context: Context, node: Conv2D) -> NodeCode | None:
    """Return the C of `node`, or None where the kernel does not serve it."""
    weight = context.graph.constants[node.weight]
    out_c, kernel_h, kernel_w, in_c = weight.shape
    window = dsp_window(context, node)
    channels = direct.Channels(
        node.requant,
        weight.reshape(out_c, -1),
        context.graph.constants[node.bias],
        node.input_zero_point,
    )
    scaling = direct.choose(channels, context.index, away=True, in_pairs=True)
    if window is None or scaling is None:
        return None
    run = kernel_w * in_c
    packed = pairs.packed(scaling.channels.weights.reshape(out_c, kernel_h, run), 2)
    if packed is None or not pairs.keeps_24_bits(scaling.channels):
        return None
    weights = Array(
        "w",
        context.index,
        packed,
        f"{out_c} filters of {kernel_h}x{kernel_w}x{in_c}, two at a time, depths in pairs",
    )
    params: dict[str, ctext.Value] = {
        "window": window,
        "out_c": out_c,
        "weights": weights.name,
        "scale": scaling.fields,
    }
    padded = node.padding != type(node.padding)() or node.dilation[1] > 1
    return NodeCode(
        index=context.index,
        kernel="ek_conv2d_dsp",
        params=params,
        arrays=(weights, *scaling.arrays),
        inputs=(node.x,),
        output=node.y,
        scratch_bytes=_PAIR_BYTES * kernel_h * ((run + 1) // 2) + (run if padded else 0),
        overlap=Overlap(node.x, behind_bytes(context, node)),
    )


def behind_bytes(context: Context, node: Conv2D) -> int:
    """Return how far below the input the output must start if they overlap."""
    out_h, out_w, _ = context.shape(node.y)
    return behind_by_pixels(context, node, ends_by_groups(out_h * out_w, _PIXELS))
