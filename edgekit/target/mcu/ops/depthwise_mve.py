"""Depthwise 3x3 convolution by MVE instructions."""

from __future__ import annotations

from edgekit.ir.nodes import DepthwiseConv2D
from edgekit.target.mcu import ctext, pack, vector
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.ops.depthwise_dsp import overlap
from edgekit.target.mcu.ops.window import dsp_window

_MAX_SHIFT = 23
_GROUP = 16
_CELL_BYTES = 64
_FIXED_BYTES = 32
_FILTERS_BYTES = 256  # of 16 channels


def emit_depthwise_mve(context: Context, node: DepthwiseConv2D) -> NodeCode | None:
    """Return the C of `node`, or None where the kernel does not serve it."""
    weight = context.graph.constants[node.weight]
    window = dsp_window(context, node)
    if window is None or not _serves(context, node):
        return None
    scaling = vector.choose(node.requant, pack.sums(context.graph, node), context.index)
    if scaling is None or scaling.largest_shift > _MAX_SHIFT:
        return None
    out_h, out_w, channels = context.shape(node.y)
    tall = node.stride == (1, 1) and out_h > out_w
    order = weight.transpose(2, 0, 1) if tall else weight.transpose(2, 1, 0)
    weights = Array(
        "w",
        context.index,
        tuple(order.ravel().tolist()),
        f"{channels} filters of 3x3, each {'row by row' if tall else 'column by column'}",
    )
    params: dict[str, ctext.Value] = {
        "window": window,
        "weights": weights.name,
        "scale": scaling.fields,
        "tall": int(tall),
    }
    cells = out_h if tall else (out_w - 1) * node.stride[1] + 1
    groups = 1 if node.stride == (1, 1) else -(-channels // _GROUP)
    return NodeCode(
        index=context.index,
        kernel="ek_depthwise_mve",
        params=params,
        arrays=(weights, *scaling.arrays),
        inputs=(node.x,),
        output=node.y,
        roundings=(scaling.rounding,),
        scratch_bytes=_FIXED_BYTES + _CELL_BYTES * (cells + 3) + _FILTERS_BYTES * groups,
        overlap=overlap(context, node),
    )


def _serves(context: Context, node: DepthwiseConv2D) -> bool:
    kernel_h, kernel_w, out_c = context.graph.constants[node.weight].shape
    return (
        (kernel_h, kernel_w) == (3, 3)
        and out_c == context.shape(node.x)[2]
        and node.dilation == (1, 1)
        and max(node.padding.top, node.padding.left) <= 2
    )
