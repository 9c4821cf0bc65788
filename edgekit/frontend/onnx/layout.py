"""Positions of elements: how the source's layout maps to the stored one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import numpy as np

from edgekit.frontend.onnx.values import Order


def rows(shape: tuple[int, ...]) -> Order:
    """Return the order of a tensor stored as the source writes it."""
    return np.arange(int(np.prod(shape, dtype=np.int64)), dtype=np.int32).reshape(shape)


def channels_last(shape: tuple[int, ...]) -> Order:
    """Return the order of a source tensor (1, C, spatial axes) that is stored channels last."""
    batch, channels, *spatial = shape
    stored = rows((batch, *spatial, channels))
    return stored.transpose(0, stored.ndim - 1, *range(1, stored.ndim - 1))


def same(a: Order, b: Order) -> bool:
    """Say whether two values of one element count are stored alike, read in the source's order."""
    return np.array_equal(a.reshape(-1), b.reshape(-1))


def transposition(shape: tuple[int, ...], positions: Order) -> tuple[int, ...] | None:
    """Return the axes such that `source.transpose(axes)` is the stored order, None if none does.

    `positions` has one entry for each source element in row-major order; the batch axis stays.
    """
    wanted = positions.reshape(-1)
    for axes in _axes(len(shape)):
        stored = rows(tuple(shape[axis] for axis in axes))
        back = tuple(int(axis) for axis in np.argsort(axes))
        if np.array_equal(stored.transpose(back).reshape(-1), wanted):
            return axes
    return None


def stored_transposition(
    shape: tuple[int, ...], order: Order, wanted: Order
) -> tuple[int, ...] | None:
    """Return the axes that bring a stored tensor of `shape` from one order to another, or None."""
    source = np.empty(order.size, dtype=np.int32)
    source[wanted.reshape(-1)] = order.reshape(-1)
    stored = rows(shape)
    for axes in permutations(range(len(shape))):
        if np.array_equal(stored.transpose(axes).reshape(-1), source):
            return axes
    return None


def _axes(rank: int) -> Iterator[tuple[int, ...]]:
    # The identity comes first: permutations() is in lexicographic order.
    for rest in permutations(range(1, rank)):
        yield (0, *rest) if rank else ()
