"""Depthwise 3x3 convolution by DSP instructions."""

from __future__ import annotations

from edgekit.ir.nodes import DepthwiseConv2D
from edgekit.passes.memory import Overlap
from edgekit.target.mcu import ctext, direct
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.ops.window import dsp_window

_GROUP = 4
_CHANNELS_BYTES = 176  # filters and scales of one group


def emit_depthwise_dsp(context: Context, node: DepthwiseConv2D) -> NodeCode | None:
    """Return the C of `node`, or None where the kernel does not serve it."""
    weight = context.graph.constants[node.weight]
    window = dsp_window(context, node)
    if window is None or not _serves(context, node):
        return None
    channels = direct.Channels(
        node.requant,
        weight.reshape(9, -1).T,
        context.graph.constants[node.bias],
        node.input_zero_point,
    )
    scaling = direct.choose(channels, context.index, away=False)
    if scaling is None:
        return None
    weights = Array(
        "w",
        context.index,
        tuple(scaling.channels.weights.T.ravel().tolist()),
        f"{weight.shape[2]} filters of 3x3, interleaved",
    )
    params: dict[str, ctext.Value] = {
        "window": window,
        "weights": weights.name,
        "scale": scaling.fields,
    }
    columns = (context.shape(node.y)[1] - 1) * node.stride[1] + 3
    groups = 1 if node.stride == (1, 1) else -(-weight.shape[2] // _GROUP)
    return NodeCode(
        index=context.index,
        kernel="ek_depthwise_dsp",
        params=params,
        arrays=(weights, *scaling.arrays),
        inputs=(node.x,),
        output=node.y,
        scratch_bytes=4 + 32 * columns + _CHANNELS_BYTES * groups,
        overlap=overlap(context, node),
    )


def _serves(context: Context, node: DepthwiseConv2D) -> bool:
    kernel_h, kernel_w, out_c = context.graph.constants[node.weight].shape
    return (
        (kernel_h, kernel_w) == (3, 3)
        and out_c == context.shape(node.x)[2] >= _GROUP
        and node.dilation == (1, 1)
        and node.stride[0] in (1, 2)
        and max(node.padding.top, node.padding.left) <= 2
    )


def overlap(context: Context, node: DepthwiseConv2D) -> Overlap | None:
    """Without strides one group of channels follows the other, otherwise one row the other."""
    if node.stride == (1, 1):
        # Rows are packed before any of them is written, four channels at a time.
        in_place = context.shape(node.x) == context.shape(node.y)
        return Overlap(node.x, 0, same_place=True) if in_place else None
    _, in_w, channels = context.shape(node.x)
    out_h, out_w, _ = context.shape(node.y)
    behind = max(
        (row + 1) * out_w * channels
        - max(row * node.stride[0] - node.padding.top, 0) * in_w * channels
        for row in range(out_h)
    )
    return Overlap(node.x, behind)
