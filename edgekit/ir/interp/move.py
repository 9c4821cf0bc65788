"""Concat, Transpose, Slice, ResizeNearest (SPEC 4.13) and ResizeBilinear (4.14)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.nodes import Concat, ResizeBilinear, ResizeNearest, Slice, Transpose

Ints = NDArray[np.int64]


def concat(node: Concat, xs: Sequence[Ints]) -> Ints:
    """Return the tensors [batch, *shape] one after the other along the node's axis."""
    return np.concatenate(xs, axis=1 + node.axis)


def transpose(node: Transpose, x: Ints) -> Ints:
    """Return x [batch, *shape] with its axes in another order."""
    return x.transpose(0, *(1 + axis for axis in node.order))


def slice_along(node: Slice, x: Ints, shape: tuple[int, ...]) -> Ints:
    """Return the elements of x [batch, *shape of x] that the output, of `shape`, takes."""
    for axis, (start, step, extent) in enumerate(zip(node.start, node.step, shape, strict=True)):
        x = x.take(start + step * np.arange(extent), axis=1 + axis)
    return x


def resize_nearest(node: ResizeNearest, x: Ints) -> Ints:
    """Return [batch, rows, columns, C] of x [batch, H, W, C]."""
    return x[:, list(node.rows)][:, :, list(node.columns)]


def resize_bilinear(node: ResizeBilinear, x: Ints) -> Ints:
    """Return [batch, rows, columns, C] of x [batch, H, W, C]."""
    top, bottom, down = (np.array(v) for v in zip(*node.rows, strict=True))
    left, right, across = (np.array(v) for v in zip(*node.columns, strict=True))
    down, across = down[:, np.newaxis, np.newaxis], across[:, np.newaxis]
    upper = x[:, top][:, :, left] * (1024 - across) + x[:, top][:, :, right] * across
    lower = x[:, bottom][:, :, left] * (1024 - across) + x[:, bottom][:, :, right] * across
    total = upper * (1024 - down) + lower * down
    # To nearest, halves away from zero.
    return np.asarray(np.sign(total) * ((np.abs(total) + (1 << 19)) >> 20))
