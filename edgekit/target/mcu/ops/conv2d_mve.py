"""Convolution and fully connected layers by MVE instructions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.nodes import Conv2D, Dense
from edgekit.ir.types import Padding
from edgekit.passes.memory import Overlap
from edgekit.target.mcu import ctext, pack, vector
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.ops.overlap import behind_by_pixels
from edgekit.target.mcu.ops.window import mve_window

_PIXELS = 2
_QUAD = 4
_VECTOR_BYTES = 16
_UNUSED_BYTES = 4  # the kernel is always given some scratch


def emit_conv2d_mve(context: Context, node: Conv2D) -> NodeCode | None:
    """Return the C of `node`, or None where the kernel does not serve it."""
    weight = context.graph.constants[node.weight]
    out_c, kernel_h, kernel_w, in_c = weight.shape
    gathers = (kernel_h, kernel_w) != (1, 1) or node.padding != Padding()
    window = mve_window(context, node, way=int(gathers))
    if window is None:
        return None
    pixels = context.size(node.y) // out_c
    ends = np.minimum(np.arange(_PIXELS, pixels + _PIXELS, _PIXELS), pixels)
    behind = behind_by_pixels(context, node, ends, reread=not gathers)
    what = f"{out_c} filters of {kernel_h}x{kernel_w}x{in_c}, four at a time, by 16 depths"
    array = Array("w", context.index, quads(weight.reshape(out_c, -1)), what)
    scratch_bytes = 2 * kernel_h * kernel_w * in_c if gathers else _UNUSED_BYTES
    return _emit(context, node, window, array, scratch_bytes, Overlap(node.x, behind))


def emit_dense_mve(context: Context, node: Dense) -> NodeCode | None:
    """Return the C of a fully connected layer as a convolution of one pixel, or None."""
    weight = context.graph.constants[node.weight]
    out_n, in_n = weight.shape
    if max(in_n, out_n) >= 1 << 15:
        return None
    ones = ("in_h", "in_w", "out_h", "out_w", "kernel_h", "kernel_w", "stride_h", "stride_w")
    window: dict[str, ctext.Value] = {
        **dict.fromkeys(ones, 1),
        **{"in_c": in_n, "out_c": out_n, "pad_top": 0, "pad_left": 0, "way": 0},
        "zero_point": node.input_zero_point,
    }
    what = f"{out_n} rows of {in_n}, four at a time, by 16 depths"
    array = Array("w", context.index, quads(weight), what)
    return _emit(context, node, window, array, _UNUSED_BYTES, None)


def _emit(
    context: Context,
    node: Conv2D | Dense,
    window: dict[str, ctext.Value],
    weights: Array,
    scratch_bytes: int,
    overlap: Overlap | None,
) -> NodeCode | None:
    scaling = vector.choose(node.requant, pack.sums(context.graph, node), context.index)
    if scaling is None:
        return None
    return NodeCode(
        index=context.index,
        kernel="ek_conv2d_mve",
        params={"window": window, "weights": weights.name, "scale": scaling.fields},
        arrays=(weights, *scaling.arrays),
        inputs=(node.x,),
        output=node.y,
        roundings=(scaling.rounding,),
        scratch_bytes=scratch_bytes,
        overlap=overlap,
    )


def quads(weight: NDArray[np.int64]) -> tuple[int, ...]:
    """Return (C_out, depth) weights in the kernel's order, and what it reads behind them."""
    out_c, depth = weight.shape
    whole, four = depth - depth % _VECTOR_BYTES, out_c - out_c % _QUAD
    count, steps = four // _QUAD, whole // _VECTOR_BYTES
    head = weight[:four].reshape(count, _QUAD, depth)
    vectors = head[:, :, :whole].reshape(count, _QUAD, steps, _VECTOR_BYTES)
    by_step = vectors.transpose(0, 2, 1, 3).reshape(count, _QUAD * whole)
    tail = head[:, :, whole:].reshape(count, _QUAD * (depth - whole))
    rows = np.concatenate([by_step, tail], axis=1)
    values = (*rows.ravel().tolist(), *weight[four:].ravel().tolist())
    # The last filter of a quad is read past its end.
    missing = -depth % _VECTOR_BYTES - (out_c - four) * depth if four else 0
    return (*values, *(0,) * max(missing, 0))
