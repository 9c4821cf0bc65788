"""Conv2D (SPEC 4.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.arithmetic import requantize
from edgekit.ir.interp.matmul import matmul
from edgekit.ir.interp.window import windows
from edgekit.ir.nodes import Conv2D, LowBitConv2D

Ints = NDArray[np.int64]

_PATCH_VALUES = 1 << 22  # copied at a time: 32 MiB


def conv2d(node: Conv2D, x: Ints, weight: Ints, bias: Ints) -> Ints:
    """Return [batch, out_h, out_w, C_out]; x [batch, H, W, C_in], weight (C_out, kh, kw, C_in)."""
    return requantize(conv2d_accumulators(node, x, weight, bias), node.requant)


def conv2d_accumulators(node: Conv2D | LowBitConv2D, x: Ints, weight: Ints, bias: Ints) -> Ints:
    """Return the int32 sums before requantization, [batch, out_h, out_w, C_out]."""
    kernel = (weight.shape[1], weight.shape[2])
    # A padded cell holds the zero point, so it is 0 once that is subtracted.
    fill = node.padding_value if isinstance(node, LowBitConv2D) else 0
    patches = windows(
        x - node.input_zero_point, kernel, node.stride, node.dilation, node.padding, fill
    )
    flat = weight.transpose(0, 3, 1, 2).reshape(weight.shape[0], -1)
    # Patches repeat every input value: copy only some output rows of them at a time.
    step = max(1, _PATCH_VALUES // max(patches[:, :1].size, 1))
    parts = [_rows(patches[:, row : row + step], flat) for row in range(0, patches.shape[1], step)]
    return np.concatenate(parts, axis=1) + bias


def _rows(patches: Ints, weight: Ints) -> Ints:
    batch, height, width = patches.shape[:3]
    rows = patches.reshape(batch * height * width, weight.shape[1])
    return matmul(rows, weight).reshape(batch, height, width, weight.shape[0])
