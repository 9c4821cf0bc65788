"""Pad (SPEC 4.7)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.nodes import Pad

Ints = NDArray[np.int64]


def pad(node: Pad, x: Ints) -> Ints:
    """Return x [batch, *shape] with cells of `value` added before and after each axis."""
    around = ((0, 0), *zip(node.before, node.after, strict=True))
    return np.pad(x, around, constant_values=node.value)
