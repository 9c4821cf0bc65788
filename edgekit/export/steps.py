"""Integer step functions of a graph, as lists of thresholds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir import edges, ladder
from edgekit.ir.arithmetic import requantize
from edgekit.ir.types import Edge, Requant

Ints = NDArray[np.int64]


def of_edge(edge: Edge) -> NDArray[np.float32]:
    """Return the float32 numbers, rising, at which a float input edge gives the next integer.

    There is one for each integer of the edge's type but the lowest.
    """
    if edge.thresholds:
        return np.array(edge.thresholds, np.float32)
    shaped = (-1, *edge.source_shape[1:])
    size = int(np.prod(edge.source_shape[1:]))

    def index(keys: Ints) -> Ints:
        values = ladder.float_of(keys.reshape(-1, 1))
        whole = np.broadcast_to(values, (values.size, size)).reshape(shaped)
        found = edges.quantize(edge, whole).reshape(values.size, size)[:, 0]
        return found.reshape(keys.shape) - edge.dtype.low

    ends = np.array([np.finfo(np.float32).min, np.finfo(np.float32).max], np.float32)
    low, high = (key[np.newaxis] for key in ladder.key_of(ends))
    count = edge.dtype.high - edge.dtype.low
    return ladder.float_of(ladder.thresholds(index, low, high, count)[0])


def of_requant(requant: Requant, low: Ints, high: Ints) -> Ints:
    """Return thresholds (C, levels) of accumulators from `low` to `high`, both (C,)."""

    def index(acc: Ints) -> Ints:
        return requantize(acc, requant) - requant.low

    return ladder.thresholds(index, low, high, requant.high - requant.low)
