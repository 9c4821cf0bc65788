"""The requantize form of a node: the shortest one that is exact for its accumulators.

Forms are those of `edgekit.h`: the RIGHT ones need shifts in 1..31 and accumulators in 31 bits,
FLOAT32_SMALL a product well below 2**22.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.ir.arithmetic import float32_value
from edgekit.ir.types import Requant, Rounding
from edgekit.target.mcu import ctext
from edgekit.target.mcu.code import Array

_NAMES = {
    Rounding.DOUBLE: "EK_ROUND_DOUBLE",
    Rounding.TIES_UP: "EK_ROUND_TIES_UP",
    Rounding.SINGLE: "EK_ROUND_SINGLE",
    Rounding.FLOAT32_RNE: "EK_ROUND_FLOAT32",
}
# EK_ROUND_* values of edgekit.h; a test compares the two.
ROUND_VALUES = {
    "EK_ROUND_DOUBLE": 0,
    "EK_ROUND_DOUBLE_RIGHT": 1,
    "EK_ROUND_TIES_UP": 2,
    "EK_ROUND_TIES_UP_RIGHT": 3,
    "EK_ROUND_SINGLE": 4,
    "EK_ROUND_SINGLE_RIGHT": 5,
    "EK_ROUND_FLOAT32": 6,
    "EK_ROUND_FLOAT32_SMALL": 7,
}
_NARROW = 1 << 30  # 2 * accumulator must fit int32
_SMALL = float(1 << 20)  # half of what the kernel allows: room for float32's own rounding


@dataclass(frozen=True, slots=True)
class Scaling:
    """An `ek_requant`: its form, arrays and fields."""

    rounding: str
    arrays: tuple[Array, ...]
    fields: dict[str, ctext.Value]


def choose(requant: Requant, index: int, low: int, high: int) -> Scaling:
    """Return the form for accumulators in [low, high] of node `index`."""
    if requant.rounding is Rounding.FLOAT32_RNE:
        return _float32(requant, index, max(-low, high))
    name = _NAMES[requant.rounding]
    shifts = requant.shift
    # A scale of 0 is written as (0, 0): any shift serves it.
    right = all(e <= -1 or m == 0 for m, e in zip(requant.multiplier, shifts, strict=True))
    if right and low >= -_NARROW and high < _NARROW:
        name += "_RIGHT"
        shifts = tuple(max(-e, 1) for e in shifts)
    return _scaling(requant, index, name, requant.multiplier, shifts)


def float32_bits(mantissa: int, exponent: int) -> int:
    """Return the IEEE 754 bits of `mantissa * 2**exponent`, as an int32."""
    return int(np.array(float32_value(mantissa, exponent), np.float32).view(np.int32))


def _float32(requant: Requant, index: int, largest: int) -> Scaling:
    pairs = tuple(zip(requant.multiplier, requant.shift, strict=True))
    scale = max(float(float32_value(m, e)) for m, e in pairs)
    name = "EK_ROUND_FLOAT32_SMALL" if largest * scale < _SMALL else "EK_ROUND_FLOAT32"
    return _scaling(requant, index, name, tuple(float32_bits(m, e) for m, e in pairs), ())


def _scaling(
    requant: Requant,
    index: int,
    rounding: str,
    multipliers: tuple[int, ...],
    shifts: tuple[int, ...],
) -> Scaling:
    what = "float32 bits of the scale" if not shifts else "multiplier"
    multiplier = Array("m", index, multipliers, f"{what}, per {_per(multipliers)}")
    arrays = [multiplier]
    if shifts:
        meaning = "right shift" if rounding.endswith("_RIGHT") else "shift e"
        arrays.append(Array("s", index, shifts, f"{meaning}, per {_per(shifts)}"))
    return Scaling(
        rounding,
        tuple(arrays),
        {
            "multiplier": multiplier.name,
            "shift": arrays[1].name if shifts else "0",
            "step": int(len(multipliers) > 1),
            "zero_point": requant.zero_point,
            "low": requant.low,
            "high": requant.high,
            "rounding": rounding,
        },
    )


def _per(values: tuple[int, ...]) -> str:
    return "output channel" if len(values) > 1 else "tensor"
