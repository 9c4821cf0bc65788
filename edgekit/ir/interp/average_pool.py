"""AveragePool (SPEC 4.4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.arithmetic import requantize
from edgekit.ir.interp.window import valid_cells, windows
from edgekit.ir.nodes import AveragePool

Ints = NDArray[np.int64]


def average_pool(node: AveragePool, x: Ints) -> Ints:
    """Return [batch, out_h, out_w, C]; x [batch, H, W, C]. Padded cells never count."""
    # Adding z to each valid cell later is the same as summing raw integers over valid cells.
    centre = 0 if node.requant is None else node.input_zero_point
    view = windows(x - centre, node.kernel, node.stride, (1, 1), node.padding, 0)
    total = view.sum(axis=(4, 5))
    if node.requant is not None:
        return requantize(total, node.requant)
    cells = valid_cells(x.shape[1], x.shape[2], node.kernel, node.stride, node.padding)
    return np.clip(_rounded_mean(total, cells[:, :, np.newaxis]), node.low, node.high)


def _rounded_mean(total: Ints, cells: Ints) -> Ints:
    # Halves go away from zero, by division that truncates toward zero as C's does.
    half = cells // 2
    return np.where(total > 0, (total + half) // cells, -((half - total) // cells))
