"""MaxPool (SPEC 4.5)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.interp.window import windows
from edgekit.ir.nodes import MaxPool

Ints = NDArray[np.int64]


def max_pool(node: MaxPool, x: Ints) -> Ints:
    """Return [batch, out_h, out_w, C]; x [batch, H, W, C]. Padded cells never count."""
    below = -(1 << 40)  # lower than any tensor value, so that padding never wins
    view = windows(x, node.kernel, node.stride, (1, 1), node.padding, below)
    return np.asarray(np.clip(view.max(axis=(4, 5)), node.low, node.high))
