"""From a sum and its quantizer to integer thresholds: direction, rows and flips (SPEC 4.15)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UnsupportedError
from edgekit.frontend import limits
from edgekit.frontend.lowering.layers import Elementwise, Ints, Quantizer, Real
from edgekit.frontend.lowering.sums import Sum
from edgekit.ir import ladder
from edgekit.ir.types import DType

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Thresholds (C, L) of sums; negate their `rows`, and the outputs hold `flipped` levels.

    `earliest` and `latest` are where the source's own rounding error may put them.
    """

    thresholds: Ints
    earliest: Ints
    latest: Ints
    rows: Bools
    flipped: Bools

    @property
    def doubtful(self) -> int:
        """The number of sums that lie within that error of a threshold."""
        return int((self.latest - self.earliest).sum())


def level_count(quantizer: Quantizer) -> int:
    """Return the number of thresholds of a quantizer."""
    return (quantizer.high - quantizer.low) // (2 if quantizer.dtype is DType.BINARY else 1)


def composed(functions: tuple[Elementwise, ...], values: Real) -> Real:
    """Return the functions of float32 values, one after the other.

    Raises:
        UnsupportedError: a value is NaN; names the function.
    """
    for function in functions:
        with np.errstate(all="ignore"):
            values = np.asarray(function.apply(values), dtype=np.float32)
        if np.isnan(values).any():
            raise UnsupportedError(
                f"{function.label}: it gives NaN for a value that occurs",
                hint="check its parameters: a batch norm diverged or has a negative variance",
            )
    return values


def level_of(quantizer: Quantizer, values: Real) -> Ints:
    """Return the levels of float32 values, 0 for the lowest.

    Raises:
        UnsupportedError: an integer is outside of what the quantizer says.
    """
    with np.errstate(all="ignore"):
        found = quantizer.levels(values)
    step = 2 if quantizer.dtype is DType.BINARY else 1
    index = (found - quantizer.low) // step
    if (
        found.min() < quantizer.low
        or found.max() > quantizer.high
        or (index * step + quantizer.low != found).any()
    ):
        raise UnsupportedError(
            f"{quantizer.label}: it gives {found.min()} to {found.max()}; "
            f"{quantizer.low} to {quantizer.high} in steps of {step} is wanted"
        )
    return np.asarray(index)


def fold(total: Sum, quantizer: Quantizer) -> Steps:
    """Return the thresholds of everything between the integers of `total` and the quantizer.

    Raises:
        UnsupportedError: the composition does not keep or reverse the order of the integers, or
            its direction cannot be undone here; names the quantizer and its scale.
    """
    count = level_count(quantizer)
    where = f"{quantizer.label} (scale {float(quantizer.scale):.9g})"
    if count * total.channels > limits.MAX_TENSOR_ELEMENTS:
        raise UnsupportedError(
            f"{where}: {count} thresholds for {total.channels} channels; at most "
            f"{limits.MAX_TENSOR_ELEMENTS} in all are made"
        )
    flipped = _reversed_after_pool(total, quantizer)

    def level(acc: Ints, side: int = 0) -> Ints:
        values = composed(total.before, total.real(acc, side))
        found = level_of(quantizer, composed(total.after, values))
        return np.where(flipped, count - found, found)

    falls = ladder.falling(level, total.low, total.high)
    rows = falls
    if total.layer is None:
        if total.pool is not None and falls.any():
            raise UnsupportedError(
                f"{where}: a function that falls stands before the max-pool of an activation",
                hint="put the max-pool right after the quantizer",
            )
        flipped, rows = flipped ^ falls, np.zeros_like(falls)
        sign = np.ones(total.channels, np.int64)
    else:
        sign = np.where(rows, -1, 1)
    low, high = reach(total, rows)

    def rising(side: int) -> Callable[[Ints], Ints]:
        return lambda acc: level(acc * sign, side)

    found = ladder.thresholds(rising(0), low, high, count)
    ladder.check_rising(rising(0), low, high, found, where)
    ends = [found, found]
    if total.error.any():
        ends = [ladder.thresholds(rising(side), low, high, count) for side in (1, -1)]
    earliest, latest = np.minimum(*ends), np.maximum(*ends)
    return Steps(found, earliest, latest, rows, flipped)


def reach(total: Sum, rows: Bools) -> tuple[Ints, Ints]:
    """Return the lowest and highest sums of all channels, those of `rows` negated."""
    low = np.where(rows, -total.high, total.low)
    return low, np.where(rows, -total.low, total.high)


def _reversed_after_pool(total: Sum, quantizer: Quantizer) -> Bools:
    """Say where what follows the max-pool falls: there the least, not the greatest, is wanted."""
    if total.pool is None:
        return np.zeros(total.channels, bool)
    ends = composed(total.before, total.real(np.stack([total.low, total.high])))
    levels = level_of(quantizer, composed(total.after, np.sort(ends, axis=0)))
    return np.asarray(levels[0] > levels[1])
