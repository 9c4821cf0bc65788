"""An exact integer matrix product that uses the float64 units where they are exact."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def matmul(x: Ints, weight: Ints) -> Ints:
    """Return `x @ weight.T` exactly; x [rows, K], weight [N, K].

    Every partial sum of a float64 product is an integer bounded by max|x| * max(sum|w|), so
    it is exact below 2**53 whatever the order of summation.
    """
    if x.size == 0:
        return np.zeros((x.shape[0], weight.shape[0]), np.int64)
    bound = int(np.abs(x).max()) * int(np.abs(weight).sum(axis=1).max())
    if bound < 1 << 53:
        product = x.astype(np.float64) @ weight.T.astype(np.float64)
        return np.asarray(product.astype(np.int64))
    return np.asarray(x @ weight.T)
