"""Convolution by DSP instructions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.nodes import Conv2D, Dense
from edgekit.passes.memory import Overlap
from edgekit.target.mcu import ctext, direct
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.ops.window import dsp_window

_PIXELS = 4
_MAX_DENSE = 512  # beyond this, scratch costs more than a kernel of its own
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
    scaling = direct.choose(channels, context.index, away=True)
    if window is None or scaling is None:
        return None
    run = kernel_w * in_c
    weights = Array(
        "w",
        context.index,
        pairs(scaling.weights.reshape(out_c, kernel_h, run)),
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
        arrays=(weights, scaling.array),
        inputs=(node.x,),
        output=node.y,
        scratch_bytes=_PAIR_BYTES * kernel_h * ((run + 1) // 2) + (run if padded else 0),
        overlap=Overlap(node.x, behind_bytes(context, node)),
    )


def emit_dense_dsp(context: Context, node: Dense) -> NodeCode | None:
    """Return the C of a fully connected layer as a convolution of one pixel, or None."""
    weight = context.graph.constants[node.weight]
    out_n, in_n = weight.shape
    if in_n > _MAX_DENSE:
        return None
    channels = direct.Channels(
        node.requant, weight, context.graph.constants[node.bias], node.input_zero_point
    )
    scaling = direct.choose(channels, context.index, away=True)
    if scaling is None:
        return None
    weights = Array(
        "w",
        context.index,
        pairs(scaling.weights.reshape(out_n, 1, in_n)),
        f"{out_n} rows of {in_n}, two at a time, depths in pairs",
    )
    ones = ("in_h", "in_w", "out_h", "out_w", "kernel_h", "kernel_w", "stride_h", "stride_w")
    window: dict[str, ctext.Value] = {
        **dict.fromkeys(ones, 1),
        **{"in_c": in_n, "dilation_h": 1, "dilation_w": 1, "pad_top": 0, "pad_left": 0},
        "zero_point": node.input_zero_point,
    }
    return NodeCode(
        index=context.index,
        kernel="ek_conv2d_dsp",
        params={
            "window": window,
            "out_c": out_n,
            "weights": weights.name,
            "scale": scaling.fields,
        },
        arrays=(weights, scaling.array),
        inputs=(node.x,),
        output=node.y,
        scratch_bytes=_PAIR_BYTES * ((in_n + 1) // 2),
    )


def pairs(weight: NDArray[np.int64]) -> tuple[int, ...]:
    """Return (C_out, rows, run) weights in the kernel's order, runs and channels padded."""
    out_c, rows, run = weight.shape
    whole = run // 4 * 4
    order = [first + step for first in range(0, whole, 4) for step in (0, 2, 1, 3)]
    order += range(whole, run)
    padded = np.zeros((out_c + out_c % 2, rows, run + run % 2), np.int64)
    padded[:out_c, :, :run] = weight[:, :, order]
    # channel pair, depth pair, depth, channel
    return tuple(padded.reshape(-1, 2, rows * padded.shape[2]).transpose(0, 2, 1).ravel().tolist())


def behind_bytes(context: Context, node: Conv2D) -> int:
    """Return how far below the input the output must start if they overlap."""
    in_h, in_w, in_c = context.shape(node.x)
    out_h, out_w, out_c = context.shape(node.y)
    rows = np.arange(out_h) * node.stride[0] - node.padding.top
    columns = np.arange(out_w) * node.stride[1] - node.padding.left
    first = (np.maximum(rows, 0)[:, None] * in_w + np.maximum(columns, 0)).ravel() * in_c
    # The lowest byte that a pixel or any later one reads.
    needed = np.minimum.accumulate(first[::-1])[::-1]
    pixels, behind, pixel = out_h * out_w, -in_h * in_w * in_c, 0
    while pixel < pixels:
        left = pixels - pixel
        pixel += _PIXELS if left >= _PIXELS else 1
        if pixel < pixels:
            behind = max(behind, pixel * out_c - int(needed[pixel]))
    return behind
