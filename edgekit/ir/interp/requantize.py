"""Requantize (SPEC 4.8)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.arithmetic import requantize
from edgekit.ir.nodes import Requantize

Ints = NDArray[np.int64]


def requantize_node(node: Requantize, x: Ints) -> Ints:
    """Return x [batch, *shape] at the node's output scale."""
    return requantize(x - node.input_zero_point, node.requant)
