"""Depthwise 3x3 convolution by MVE instructions."""

from __future__ import annotations

from edgekit.ir.nodes import DepthwiseConv2D
from edgekit.target.mcu import pack, vector
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.ops.depthwise_dsp import overlap
from edgekit.target.mcu.ops.window import mve_window

_MAX_SHIFT = 23
_GROUP = 16
_OUTPUTS = 4
_CELL_BYTES = 64
_FIXED_BYTES = 32
_FILTERS_BYTES = 256  # of 16 channels


def emit_depthwise_mve(context: Context, node: DepthwiseConv2D) -> NodeCode | None:
    """Return the C of `node`, or None where the kernel does not serve it."""
    weight = context.graph.constants[node.weight]
    out_h, out_w, channels = context.shape(node.y)
    dense = node.stride == (1, 1)
    down = dense and out_h > out_w
    window = mve_window(context, node, way=int(down))
    if window is None or not _serves(context, node):
        return None
    scaling = vector.choose(node.requant, pack.sums(context.graph, node), context.index)
    if scaling is None or scaling.largest_shift > _MAX_SHIFT:
        return None
    order = weight.transpose(2, 0, 1) if down else weight.transpose(2, 1, 0)
    weights = Array(
        "w",
        context.index,
        tuple(order.ravel().tolist()),
        f"{channels} filters of 3x3, each {'row by row' if down else 'column by column'}",
    )
    outputs = max(out_h, out_w) if dense else -(-out_w // _OUTPUTS) * _OUTPUTS
    cells = (outputs - 1) * node.stride[1] + 4
    groups = 1 if dense else -(-channels // _GROUP)
    return NodeCode(
        index=context.index,
        kernel="ek_depthwise_mve",
        params={"window": window, "weights": weights.name, "scale": scaling.fields},
        arrays=(weights, *scaling.arrays),
        inputs=(node.x,),
        output=node.y,
        roundings=(scaling.rounding,),
        scratch_bytes=_FIXED_BYTES + _CELL_BYTES * cells + _FILTERS_BYTES * groups,
        overlap=overlap(context, node),
    )


def _serves(context: Context, node: DepthwiseConv2D) -> bool:
    kernel_h, kernel_w, out_c = context.graph.constants[node.weight].shape
    return (
        (kernel_h, kernel_w) == (3, 3)
        and out_c == context.shape(node.x)[2]
        and max(node.padding.top, node.padding.left) <= 2
    )
