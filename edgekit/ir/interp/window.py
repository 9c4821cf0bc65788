"""Sliding windows over [batch, H, W, C] arrays (SPEC section 4)."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgekit.ir.types import Padding

Ints = NDArray[np.int64]


def windows(
    x: Ints,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: Padding,
    fill: int,
) -> Ints:
    """Return the view [batch, out_h, out_w, C, kernel_h, kernel_w]; padded cells hold `fill`."""
    around = ((0, 0), (padding.top, padding.bottom), (padding.left, padding.right), (0, 0))
    padded = np.pad(x, around, constant_values=fill)
    extent = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    # numpy's stub knows one axis only.
    view = sliding_window_view(padded, extent, axis=(1, 2))  # type: ignore[call-overload]
    strided = view[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    return np.asarray(strided)


def valid_cells(
    height: int, width: int, kernel: tuple[int, int], stride: tuple[int, int], padding: Padding
) -> Ints:
    """Return [out_h, out_w]: how many cells of each window lie inside the input."""
    rows = _inside(height, kernel[0], stride[0], padding.top, padding.bottom)
    columns = _inside(width, kernel[1], stride[1], padding.left, padding.right)
    return np.asarray(rows[:, np.newaxis] * columns)


def _inside(extent: int, kernel: int, stride: int, before: int, after: int) -> Ints:
    count = (extent + before + after - kernel) // stride + 1
    start = np.arange(count, dtype=np.int64) * stride - before
    inside = np.minimum(start + kernel, extent) - np.maximum(start, 0)
    return np.asarray(np.maximum(inside, 0))
