"""Flat values of one type as bytes and back, for kernels that know no shapes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir import edges
from edgekit.ir.types import DType, Tensor


def to_bytes(dtype: DType, values: NDArray[np.int64]) -> NDArray[np.int8]:
    """Return [samples, bytes] of values [samples, ...]."""
    return edges.to_bytes(Tensor("flat", values[0].shape or (1,), dtype), values)


def from_bytes(dtype: DType, stored: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return the values of whole bytes."""
    return edges.from_bytes(Tensor("flat", (stored.size * 8 // dtype.bits,), dtype), stored)
