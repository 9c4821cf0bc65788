"""Requantize forms of the MVE kernels: `ek_mve_scale` of `edgekit.h`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgekit.ir.types import Requant, Rounding
from edgekit.target.mcu import ctext, scale
from edgekit.target.mcu.code import Array
from edgekit.target.mcu.pack import Sums

_BIAS_LIMIT = 1 << 23


@dataclass(frozen=True, slots=True)
class Vector:
    """Fields of an `ek_mve_scale`, its arrays, and the rounding that the kernel needs."""

    fields: dict[str, ctext.Value]
    arrays: tuple[Array, Array]
    rounding: str
    largest_shift: int


def choose(requant: Requant, facts: Sums, index: int) -> Vector | None:
    """Return the form for node `index` with the given sums, or None if there is none."""
    if not all(-_BIAS_LIMIT <= b < _BIAS_LIMIT for b in facts.bias):
        return None
    # Ties away from zero are ties up where negative outputs are clamped anyway.
    if requant.rounding is Rounding.DOUBLE and requant.low >= requant.zero_point:
        requant = replace(requant, rounding=Rounding.TIES_UP)
    found = scale.choose(requant, index, facts.low, facts.high)
    multiplier = found.arrays[0]
    if requant.rounding is Rounding.FLOAT32_RNE:
        shifts: tuple[int, ...] = (0,)
    elif found.rounding.endswith("_RIGHT"):
        shifts = found.arrays[1].values
    else:
        return None
    each = shifts if len(shifts) > 1 else shifts * len(facts.bias)
    rows = tuple(b * 256 + (-n & 255) for b, n in zip(facts.bias, each, strict=True))
    channels = Array("b", index, rows, "bias * 256, input zero point folded in; minus shift")
    fields: dict[str, ctext.Value] = {
        "multiplier": multiplier.name,
        "channels": channels.name,
        **{name: found.fields[name] for name in ("step", "rounding", "zero_point", "low", "high")},
    }
    return Vector(fields, (multiplier, channels), found.rounding, max(shifts))
