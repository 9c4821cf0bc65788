"""Activations as the arena holds them, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.types import DType, Tensor

_TYPES = {DType.INT16: "<i2", DType.INT32: "<i4"}


def stored(tensor: Tensor, values: NDArray[np.int64]) -> NDArray[np.int8]:
    """Return the bytes of one sample: bits in words of 32, other types in one, two or four."""
    if tensor.dtype is not DType.BINARY:
        return values.astype(_TYPES.get(tensor.dtype, "i1")).ravel().view(np.int8)
    rows = values.reshape(-1, tensor.shape[-1]) > 0
    padded = np.pad(rows, ((0, 0), (0, -tensor.shape[-1] % 32)))
    return np.packbits(padded, axis=1, bitorder="little").ravel().view(np.int8)
