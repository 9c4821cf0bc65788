"""Padded cells in sums of bits: none can count for nothing, but where sums start can differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.nodes import LowBitConv2D, LowBitDepthwiseConv2D
from edgekit.target.mcu.code import Context

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Border:
    """The sets of cells that windows have outside the input.

    Padded cells hold `held`, -1 or +1, in the kernel; `missing` [classes, kernel_h, kernel_w] are
    the cells that each class of output pixels has there, rows of classes first, `columns` in each.
    """

    held: int
    correction: int  # what a padded cell is to add, less what it adds
    rows_and_columns: tuple[int, ...]  # the row class of each row, the column class of each column
    columns: int
    missing: NDArray[np.bool_]

    def biases(self, weight: Ints, bias: Ints, zero_point: int) -> Ints:
        """Return (classes, C): sum of x * w plus this is the node's sum.

        weight is (C, kernel_h, kernel_w, depth), bias (C,).
        """
        cells = weight.sum(axis=3)
        outside = np.einsum("khw,chw->kc", self.missing.astype(np.int64), cells)
        return np.asarray(
            bias - zero_point * cells.sum(axis=(1, 2)) + self.correction * outside, np.int64
        )


NO_BORDER = Border(-1, 0, (0, 0), 1, np.zeros((1, 1, 1), np.bool_))


def border_of(context: Context, node: LowBitConv2D | LowBitDepthwiseConv2D) -> Border:
    """Return the border of a convolution of bits."""
    spatial = context.shape(node.x)[:2]
    out = context.shape(node.y)[:2]
    shape = context.shape(node.weight)
    kernel = shape[1:3] if isinstance(node, LowBitConv2D) else shape[:2]
    wanted = node.padding_value + node.input_zero_point
    held = 1 if wanted == 1 else -1
    starts = (node.padding.top, node.padding.left)
    outside = []
    for axis in (0, 1):
        first = np.arange(out[axis]) * node.stride[axis] - starts[axis]
        cells = first[:, np.newaxis] + np.arange(kernel[axis]) * node.dilation[axis]
        beyond = (cells < 0) | (cells >= spatial[axis])
        outside.append(beyond if wanted != held else np.zeros_like(beyond))
    # np.unique sorts; the order of classes is of no matter.
    rows, row_of = np.unique(outside[0], axis=0, return_inverse=True)
    columns, column_of = np.unique(outside[1], axis=0, return_inverse=True)
    missing = rows[:, np.newaxis, :, np.newaxis] | columns[np.newaxis, :, np.newaxis, :]
    return Border(
        held,
        wanted - held,
        (*row_of.ravel().tolist(), *column_of.ravel().tolist()),
        len(columns),
        missing.reshape(-1, *kernel),
    )
