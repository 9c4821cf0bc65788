"""Convolution and depthwise 3x3 convolution for RV32IMC."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.nodes import Conv2D, DepthwiseConv2D
from edgekit.passes.memory import Overlap
from edgekit.target.mcu import ctext, direct
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.ops.overlap import behind_by_pixels
from edgekit.target.mcu.ops.window import dsp_window

_CHANNEL_BYTES = 20  # an ek_dsp_channel and a start
_PIXELS = 4
_LEAST_PIXELS = 3  # fewer are not worth the time of four


def emit_conv2d_rv32(context: Context, node: Conv2D) -> NodeCode | None:
    """Return the C of `node`, or None where the kernel does not serve it."""
    weight = context.graph.constants[node.weight]
    out_c, kernel_h, kernel_w, in_c = weight.shape
    out_h, out_w, _ = context.shape(node.y)
    window = dsp_window(context, node)
    scaling = _scaling(context, node, weight.reshape(out_c, -1), away=True)
    if window is None or scaling is None or out_h * out_w < _LEAST_PIXELS:
        return None
    depths = _padded(scaling.channels.weights)
    if (depths == -128).all(axis=2).any():
        return None
    weights = Array(
        "w",
        context.index,
        _by_channel_pairs(depths),
        f"{out_c} filters of {kernel_h}x{kernel_w}x{in_c}, two at a time, depths in pairs",
    )
    params: dict[str, ctext.Value] = {
        "window": window,
        "out_c": out_c,
        "weights": weights.name,
        "scale": scaling.fields,
    }
    return NodeCode(
        index=context.index,
        kernel="ek_conv2d_rv32",
        params=params,
        arrays=(weights, *scaling.arrays),
        inputs=(node.x,),
        output=node.y,
        scratch_bytes=_CHANNEL_BYTES * out_c + 16 * depths.shape[1] + 8 + in_c,
        overlap=Overlap(node.x, _behind_bytes(context, node)),
    )


def _behind_bytes(context: Context, node: Conv2D) -> int:
    """Return how far below the input the output must start if they overlap."""
    out_h, out_w, _ = context.shape(node.y)
    return behind_by_pixels(context, node, np.arange(_PIXELS, out_h * out_w, _PIXELS))


def emit_depthwise_rv32(context: Context, node: DepthwiseConv2D) -> NodeCode | None:
    """Return the C of `node`, or None where the kernel does not serve it."""
    weight = context.graph.constants[node.weight]
    window = dsp_window(context, node)
    if window is None or not _serves(context, node):
        return None
    scaling = _scaling(context, node, weight.reshape(9, -1).T, away=False)
    if scaling is None:
        return None
    weights = Array(
        "w",
        context.index,
        tuple(scaling.channels.weights.ravel().tolist()),
        f"{weight.shape[2]} filters of 3x3",
    )
    params: dict[str, ctext.Value] = {
        "window": window,
        "weights": weights.name,
        "scale": scaling.fields,
    }
    out_h, out_w, _ = context.shape(node.y)
    rows, columns = (out_h - 1) * node.stride[0] + 3, (out_w - 1) * node.stride[1] + 3
    in_place = node.stride == (1, 1) and context.shape(node.x) == context.shape(node.y)
    return NodeCode(
        index=context.index,
        kernel="ek_depthwise_rv32",
        params=params,
        arrays=(weights, *scaling.arrays),
        inputs=(node.x,),
        output=node.y,
        scratch_bytes=rows * columns,
        overlap=Overlap(node.x, 0, same_place=True) if in_place else None,
    )


def _scaling(
    context: Context, node: Conv2D | DepthwiseConv2D, weights: NDArray[np.int64], *, away: bool
) -> direct.Direct | None:
    """Return the scale for sums of x * w: the input's zero point is in the bias."""
    folded = context.graph.constants[node.bias] - node.input_zero_point * weights.sum(axis=1)
    channels = direct.Channels(node.requant, weights, folded, 0)
    return direct.choose(channels, context.index, away=away)


def _serves(context: Context, node: DepthwiseConv2D) -> bool:
    kernel_h, kernel_w, out_c = context.graph.constants[node.weight].shape
    return (
        (kernel_h, kernel_w) == (3, 3)
        and out_c == context.shape(node.x)[2]
        and node.dilation == (1, 1)
        and node.stride[1] in (1, 2)
        and max(node.padding.top, node.padding.left) <= 2
    )


def _padded(weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (C, depth) weights as (C, pairs of depths, 2), both even, with zeros."""
    channels, depth = weights.shape
    padded = np.zeros((channels + channels % 2, depth + depth % 2), np.int64)
    padded[:channels, :depth] = weights
    return padded.reshape(len(padded), -1, 2)


def _by_channel_pairs(depths: NDArray[np.int64]) -> tuple[int, ...]:
    pairs = depths.reshape(-1, 2, *depths.shape[1:]).transpose(0, 2, 1, 3)
    return tuple(pairs.ravel().tolist())
