"""Nodes that only move values: Concat, Transpose, Slice, ResizeNearest (SPEC 4.13)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.nodes import Concat, ResizeNearest, Slice, Transpose

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
