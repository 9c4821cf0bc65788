"""Integers that a network carries, as bits of a circuit."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.target.fpga.hardwired.circuit import FALSE, Bit


@dataclass(frozen=True, slots=True)
class Word:
    """The integer `offset + scale * (sum of bits[i] << i)`; scale is positive."""

    bits: tuple[Bit, ...]
    offset: int
    scale: int

    @classmethod
    def signed(cls, bits: tuple[Bit, ...], offset: int = 0, scale: int = 1) -> Word:
        """Return `offset + scale * (two's complement of bits)`."""
        top = len(bits) - 1
        return cls((*bits[:top], bits[top] ^ 1), offset - (scale << top), scale)

    @classmethod
    def constant(cls, value: int) -> Word:
        """Return `value`, which has no bits."""
        return cls((), value, 1)

    @classmethod
    def binary(cls, bit: Bit) -> Word:
        """Return +1 where `bit` is set, else -1."""
        return cls((bit,), -1, 2)

    @property
    def highest(self) -> int:
        """The value with every bit set."""
        return self.offset + self.scale * ((1 << len(self.bits)) - 1)

    def twos_complement(self, width: int) -> tuple[Bit, ...] | None:
        """Return `width` bits where they are the word's own; None: an addition is needed."""
        shift = self.scale.bit_length() - 1
        if self.scale != 1 << shift:
            return None
        low = self.offset % self.scale
        below = [low >> i & 1 for i in range(shift)]
        start = self.offset // self.scale
        if start >= 0 and not start & ((1 << len(self.bits)) - 1):
            upper = [start >> i & 1 for i in range(len(self.bits), max(width, 1))]
            bits: list[Bit] = [*below, *self.bits, *upper]
        elif start == -(1 << (len(self.bits) - 1)):
            sign = self.bits[-1] ^ 1
            bits = [*below, *self.bits[:-1], *[sign] * (width + 1)]
        else:
            return None
        bits += [FALSE] * (width - len(bits))
        return tuple(bits[:width])
