"""Low-bit sums, thresholds, thermometers and look-up-table layers (SPEC 4.15 to 4.18)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.interp.conv2d import conv2d_accumulators
from edgekit.ir.interp.dense import dense_accumulators
from edgekit.ir.interp.depthwise_conv2d import depthwise_accumulators
from edgekit.ir.lowbit import LowBitConv2D, LowBitDense, LowBitSum
from edgekit.ir.types import DType

Ints = NDArray[np.int64]


def low_bit_sum(
    node: LowBitSum, dtype: DType, x: Ints, weight: Ints, bias: Ints, thresholds: Ints | None
) -> Ints:
    """Return the sums, [batch, *shape of y], or with `thresholds` (C_out, L) what they pass."""
    acc = low_bit_accumulators(node, x, weight, bias)
    return acc if thresholds is None else threshold(acc, thresholds, node.low, dtype)


def low_bit_accumulators(node: LowBitSum, x: Ints, weight: Ints, bias: Ints) -> Ints:
    """Return the int32 sums, [batch, *shape of y]."""
    if isinstance(node, LowBitDense):
        return dense_accumulators(node, x, weight, bias)
    if isinstance(node, LowBitConv2D):
        return conv2d_accumulators(node, x, weight, bias)
    return depthwise_accumulators(node, x, weight, bias)


def threshold(x: Ints, thresholds: Ints, low: int, dtype: DType) -> Ints:
    """Return low + step * (thresholds passed); x [..., C], thresholds (C, L) or (1, L)."""
    passed = np.zeros(x.shape, np.int64)
    for level in range(thresholds.shape[1]):
        passed += x >= thresholds[:, level]
    return np.asarray(low + step_of(dtype) * passed)


def step_of(dtype: DType) -> int:
    """Return by how much a threshold raises a value of `dtype`: -1 becomes +1 in one step."""
    return 2 if dtype is DType.BINARY else 1


def thermometer(x: Ints, thresholds: Ints) -> Ints:
    """Return [..., L * C] of -1 and +1, all channels of one threshold together; x [..., C]."""
    levels = [x >= thresholds[:, level] for level in range(thresholds.shape[1])]
    return np.where(np.concatenate(levels, axis=-1), 1, -1)


def lut_layer(x: Ints, connections: Ints, tables: Ints) -> Ints:
    """Return [batch, M]; x [batch, N] of -1 and +1, connections (M, k), tables (M, 2**k)."""
    bits = (x.reshape(x.shape[0], -1) > 0).astype(np.int64)
    index = np.zeros((x.shape[0], connections.shape[0]), np.int64)
    for place in range(connections.shape[1]):
        index |= bits[:, connections[:, place]] << place
    return np.asarray(tables[np.arange(tables.shape[0]), index])


def group_count(x: Ints, groups: int) -> Ints:
    """Return [batch, groups]: the number of +1 in each run of x [batch, groups * n]."""
    return np.asarray((x.reshape(x.shape[0], groups, -1) > 0).sum(axis=2))
