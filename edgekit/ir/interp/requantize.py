"""Requantize (SPEC 4.8)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.arithmetic import requantize
from edgekit.ir.nodes import Requantize

Ints = NDArray[np.int64]


def requantize_node(node: Requantize, x: Ints) -> Ints:
    """Return x [batch, *shape] at the node's output scale."""
    acc = x - node.input_zero_point
    if node.negative is None:
        return requantize(acc, node.requant)
    multiplier, shift = node.negative
    below = replace(node.requant, multiplier=(multiplier,), shift=(shift,))
    return np.where(acc < 0, requantize(acc, below), requantize(acc, node.requant))
