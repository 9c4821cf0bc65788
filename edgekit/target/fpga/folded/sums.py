"""Zero points, biases and thresholds of a sum, folded into what each accumulator starts with.

With bits on both sides the unit counts equal bits: sum of products = 2 count - inputs. A sum that
reaches its one threshold is a sum, started at bias less threshold, that is not negative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.errors import UnsupportedError
from edgekit.ir.types import DType
from edgekit.target.fpga.folded.layers import Ints, signed_bits


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """A low-bit sum: weights (neurons, products), bias (neurons,), thresholds (neurons, levels)."""

    label: str
    weights: Ints
    bias: Ints
    thresholds: Ints | None
    weight_type: DType
    input_type: DType
    result: DType
    zero_point: int
    padding_value: int  # zero point already subtracted
    padded: bool
    inputs: int | None  # products that count, None: all


@dataclass(frozen=True, slots=True, eq=False)
class Folded:
    """What the unit is given instead."""

    start: Ints
    acc_bits: int
    double: bool
    sign: bool
    pad_value: int


def fold_sum(s: Sum) -> Folded:
    """Return starts, accumulator width and mode of `s`.

    Raises:
        UnsupportedError: the padding cannot be sent as a value of the input.
    """
    bits = s.weight_type is DType.BINARY and s.input_type is DType.BINARY
    sign = s.thresholds is not None and s.result is DType.BINARY
    pad = s.padding_value + s.zero_point
    if s.input_type is DType.BINARY and s.padded and pad == 0 and (not bits or s.zero_point):
        raise UnsupportedError(
            f"{s.label}: binary inputs padded with 0 meet {s.weight_type.name} weights",
            hint="pad with -1 or +1 (pad_value), or use binary weights",
        )
    count = s.weights.shape[1] if s.inputs is None else s.inputs
    # Elements that are no part of the tensor are bits of -1 with a weight of +1: never equal.
    real = s.weights if count == s.weights.shape[1] else None
    total = _totals(s, real)
    start = s.bias - s.zero_point * total
    double = bits and (not sign or (s.padded and pad == 0))
    if bits:
        start = start - count
    low, high = _reach(s, bits, double, count)
    if sign:
        assert s.thresholds is not None
        offset = start - s.thresholds[:, 0]
        if bits and not double:
            offset = np.floor_divide(offset, 2)
        # A threshold far outside what is reached compares as one just outside.
        start = np.clip(offset, -high - 1, -low)
    wide = max(signed_bits(int((start + low).min()), int((start + high).max())), _product_bits(s))
    return Folded(start, wide, double, sign, pad)


def _totals(s: Sum, real: Ints | None) -> Ints:
    if s.zero_point == 0:
        return np.zeros(len(s.weights), np.int64)
    if real is None:
        raise UnsupportedError(f"{s.label}: bits with a zero point; 0 is wanted")
    return np.asarray(real.sum(axis=1))


def _reach(s: Sum, bits: bool, double: bool, count: int) -> tuple[int, int]:
    """The lowest and highest that a sum can add to its start."""
    if bits:
        return 0, count * (2 if double else 1)
    ends = np.stack([s.weights * s.input_type.low, s.weights * s.input_type.high])
    return int(ends.min(axis=0).sum(axis=1).min()), int(ends.max(axis=0).sum(axis=1).max())


def _product_bits(s: Sum) -> int:
    """What ek_dot needs at least."""
    if s.weight_type is DType.BINARY and s.input_type is DType.BINARY:
        return s.weights.shape[1].bit_length() + 3
    return s.weight_type.bits + s.input_type.bits + 1
