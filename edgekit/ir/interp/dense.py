"""Dense (SPEC 4.3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.arithmetic import requantize
from edgekit.ir.interp.matmul import matmul
from edgekit.ir.nodes import Dense, LowBitDense

Ints = NDArray[np.int64]


def dense(node: Dense, x: Ints, weight: Ints, bias: Ints) -> Ints:
    """Return [batch, N_out]; x [batch, ...] of N_in elements a sample, weight (N_out, N_in)."""
    return requantize(dense_accumulators(node, x, weight, bias), node.requant)


def dense_accumulators(node: Dense | LowBitDense, x: Ints, weight: Ints, bias: Ints) -> Ints:
    """Return the int32 sums before requantization, [batch, N_out]."""
    flat = x.reshape(x.shape[0], weight.shape[1]) - node.input_zero_point
    return matmul(flat, weight) + bias
