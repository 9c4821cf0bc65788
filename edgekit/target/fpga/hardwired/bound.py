"""What a hard-wired network takes at least, counted before its sums are planned.

Planning takes time with the square of a sum's bits. A sum of n bits needs a cell for nearly every
bit: an adder cell takes one bit off a sum, two where the result is only compared. Bits of the two
lowest columns may share their adders with other sums; nobody has wired more than three of them per
cell. Constants and what tables and thresholds take are left out.
"""

from __future__ import annotations

import numpy as np

from edgekit.ir import ranges
from edgekit.ir.graph import Graph
from edgekit.ir.lowbit import LowBitConv2D, LowBitDense, LowBitDepthwiseConv2D, LowBitSum

_SHARED_COLUMNS = 2
_SHARED_PER_LUT, _ALONE_PER_LUT = 3, 2


def least_luts(graph: Graph) -> int:
    """Return the look-up tables without which the sums of `graph` cannot be wired."""
    reach = ranges.value_ranges(graph)
    luts = 0
    for node in graph.nodes:
        if isinstance(node, LowBitDense | LowBitConv2D | LowBitDepthwiseConv2D):
            low, high = reach[node.x]
            shared, alone = _bits(node, graph.constants[node.weight], low, high)
            places = _places(graph, node)
            luts += places * (shared // _SHARED_PER_LUT + alone // _ALONE_PER_LUT)
    return luts


def _bits(
    node: LowBitSum, weight: np.ndarray[tuple[int, ...], np.dtype[np.int64]], low: int, high: int
) -> tuple[int, int]:
    """Return the bits of one place's sums in the columns that sums share, and in the others."""
    rows = weight.reshape(-1, weight.shape[-1]).T
    if not isinstance(node, LowBitDepthwiseConv2D):
        rows = weight.reshape(weight.shape[0], -1)
    size = np.abs(rows)
    any_bit = np.bitwise_or.reduce(size, axis=1, keepdims=True)
    size = size // np.maximum(any_bit & -any_bit, 1)  # a factor of a whole sum costs nothing
    width = 1 if (low, high) == (-1, 1) else (high - low).bit_length()
    shared = alone = 0
    for column in range(int(size.max(initial=0)).bit_length()):
        ones = int(np.count_nonzero(size >> column & 1))
        below = min(width, max(0, _SHARED_COLUMNS - column))
        shared, alone = shared + ones * below, alone + ones * (width - below)
    return shared, alone


def _places(graph: Graph, node: LowBitSum) -> int:
    shape = graph.tensors[node.y].shape
    return 1 if isinstance(node, LowBitDense) else int(np.prod(shape[:-1]))
