"""Weights as integers: symmetric scales, one for each output channel."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.types import DType

Word = Literal["binary", "ternary", "int2", "int4", "int8"]
Reals = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Scales = NDArray[np.float64]

DTYPES: dict[Word, DType] = {
    "binary": DType.BINARY,
    "ternary": DType.TERNARY,
    "int2": DType.INT2,
    "int4": DType.INT4,
    "int8": DType.INT8,
}
# Magnitudes that the scales aim at; the lowest value of two's complement is left out, so that a
# range is symmetric. Ternary and int2 then have the same values, and int2 is stored alike.
LARGEST: dict[Word, int] = {"binary": 1, "ternary": 1, "int2": 1, "int4": 7, "int8": 127}
_SHARES = np.linspace(0.3, 1.0, 71)


def scales(rows: Reals, word: Word) -> Scales:
    """Return (C,) scales of weights (C, n).

    int8: the largest magnitude. Narrower: the least mean squared error; binary: the mean
    magnitude, which has it (XNOR-Net, arXiv 1603.05279). A row of zeros has scale 0.
    """
    magnitude = np.abs(rows).astype(np.float64)
    if word == "binary":
        return np.asarray(magnitude.mean(axis=1))
    top = magnitude.max(axis=1, initial=0.0) / LARGEST[word]
    if word == "int8":
        return np.asarray(top)
    best, least = top, np.full(rows.shape[0], np.inf)
    for share in _SHARES:
        tried = top * share
        error = np.square(codes(rows, tried, word) * tried[:, np.newaxis] - rows).sum(axis=1)
        best, least = np.where(error <= least, tried, best), np.minimum(error, least)
    return np.asarray(best)


def codes(rows: Reals, scale: Scales, word: Word) -> Ints:
    """Return the integers of weights (C, n) at scales (C,); a scale of 0 gives zeros."""
    if word == "binary":
        return np.where(rows >= 0, 1, -1).astype(np.int64)
    safe = np.where(scale > 0, scale, 1.0)[:, np.newaxis]
    limit = LARGEST[word]
    rounded = np.clip(np.rint(rows / safe), -limit, limit)
    return np.asarray(np.where(scale[:, np.newaxis] > 0, rounded, 0).astype(np.int64))
