"""Lut8 (SPEC 4.12)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def lookup(table: Ints, x: Ints) -> Ints:
    """Return what a table (256,), or (C, 256) for the last axis of x, holds for int8 values."""
    if table.ndim == 1:
        return np.asarray(table[x + 128])
    return np.asarray(table[np.arange(len(table)), x + 128])
