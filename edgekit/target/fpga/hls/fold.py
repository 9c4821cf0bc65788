"""How many products a layer computes at once: the fewest that keep to the wanted interval."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Folding:
    """`pe` outputs at a time, `simd` inputs of each in a clock; both divide their extent."""

    pe: int
    simd: int


def fold(outputs: int, inputs: int, positions: int, interval_cycles: int) -> Folding:
    """Return the smallest folding of a layer that takes at most `interval_cycles` clocks.

    A layer takes `positions * (outputs / pe) * (inputs / simd)` clocks. Of foldings with as many
    products the one with more inputs is taken: it needs fewer accumulators. Where all products at
    once are too slow still, they are all computed at once.
    """
    work = positions * outputs * inputs
    options = [Folding(pe, simd) for pe in _divisors(outputs) for simd in _divisors(inputs)]
    enough = [each for each in options if work <= interval_cycles * each.pe * each.simd]
    if not enough:
        return Folding(outputs, inputs)
    return min(enough, key=lambda each: (each.pe * each.simd, each.pe))


def _divisors(extent: int) -> list[int]:
    return [each for each in range(1, extent + 1) if extent % each == 0]
