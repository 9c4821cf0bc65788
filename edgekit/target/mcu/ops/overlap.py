"""How far below its input a kernel's output must start, if it is written over it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.nodes import AveragePool, Conv2D, DepthwiseConv2D, MaxPool
from edgekit.target.mcu.code import Context

Ints = NDArray[np.int64]

Windowed = Conv2D | DepthwiseConv2D | AveragePool | MaxPool


def behind_by_pixels(context: Context, node: Windowed, ends: Ints, *, reread: bool = False) -> int:
    """Return the distance for a kernel that writes output pixels in order.

    Args:
        context: the graph.
        node: the node.
        ends: the pixels up to which it has written each time that it reads again.
        reread: whether it still reads windows while it writes their pixels.
    """
    height, width, in_c = context.shape(node.x)
    out_h, out_w, out_c = context.shape(node.y)
    rows = np.maximum(np.arange(out_h) * node.stride[0] - node.padding.top, 0)
    columns = np.maximum(np.arange(out_w) * node.stride[1] - node.padding.left, 0)
    first = (rows[:, np.newaxis] * width + columns).ravel() * in_c
    # The lowest byte that a pixel or any later one reads.
    needed = np.minimum.accumulate(first[::-1])[::-1]
    read = np.concatenate([[0], ends[:-1]]) if reread else ends[ends < needed.size]
    written = ends if reread else read
    return max((written * out_c - needed[read]).tolist(), default=-height * width * in_c)


def ends_by_groups(pixels: int, at_once: int) -> Ints:
    """Return the pixels up to which is written by groups of `at_once`, the rest one by one."""
    whole = pixels // at_once * at_once
    return np.concatenate([np.arange(at_once, whole + 1, at_once), np.arange(whole + 1, pixels)])


def behind_by_rows(context: Context, node: Windowed, step: int) -> int:
    """Return the distance for a kernel that writes `step` output rows, channel after channel."""
    _, in_w, in_c = context.shape(node.x)
    out_h, out_w, out_c = context.shape(node.y)
    rows = np.arange(0, out_h, step)
    first = np.maximum(rows * node.stride[0] - node.padding.top, 0) * in_w * in_c
    needed = np.minimum.accumulate(first[::-1])[::-1]
    written = np.minimum(rows + step, out_h) * out_w * out_c
    return int((written - needed).max())
