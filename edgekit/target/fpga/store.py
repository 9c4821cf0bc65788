"""How a shell keeps stored inputs and the link's frames: in block RAM and in single-port RAM.

Single-port RAM (SPRAM) is large and has no contents at the start; only the iCE40 UltraPlus has
any. docs/fpga/link.md says what a store is for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgekit.errors import UnsupportedError
from edgekit.target.fpga.core import Core, Resources
from edgekit.target.fpga.verilog import number, vector

SLOTS = 64  # stored inputs wanted: a metered window runs that many different ones
LINK = Resources(0, 0, bram=12)  # of the link with its frames in block RAM ...
LINK_SPRAM = Resources(0, 0, bram=9, spram=1)  # ... and in SPRAM
FEWEST = Resources(0, 0, bram=LINK.bram + 4)  # for link and store that are left at least
_PIECE_BITS = 16  # of a word that lie in one memory
_BRAM_WORDS, _SPRAM_WORDS = 256, 16384  # pieces in a memory
_ADDRESSES = 1 << 16  # words that the link can name


@dataclass(frozen=True, slots=True)
class Store:
    """How inputs are kept: bits of a word, words of an input, inputs; and the link's frames.

    `loops` (count, words apart) is the nest, innermost first, in which the words come over the
    wire; empty where they come as they are read. The lowest `spram_bits` of a word are in SPRAM.
    `skip` bytes of the first word are left out where an input is no multiple of a word.
    """

    width: int
    words: int
    slots: int
    loops: tuple[tuple[int, int], ...] = ()
    spram_bits: int = 0
    link_spram: bool = False
    skip: int = 0

    @property
    def memory(self) -> Resources:
        """Return the memories of the store and of the link."""
        link = LINK_SPRAM if self.link_spram else LINK
        big = _pieces(self.spram_bits)
        bram = (_pieces(self.width) - big) * self._deep
        spram = big * -(-self.words * (self.slots + 1) // _spram_words(self.width))
        return Resources(0, 0, bram=link.bram + bram, spram=link.spram + spram)

    @property
    def bram_accesses(self) -> int:
        """Return the reads of block RAMs for one input; those of a deep piece are read together."""
        pieces = self.words * _pieces(self.width) - self.skip // 2 - self.spram_accesses
        return pieces * self._deep

    @property
    def spram_accesses(self) -> int:
        """Return the words of SPRAM that are read for one input."""
        big = _pieces(self.spram_bits)
        return self.words * big - min(big, self.skip // 2)

    @property
    def _deep(self) -> int:
        """Return the block RAMs of one piece."""
        return -(-self.words * (self.slots + 1) // _bram_words(self.width))


def choose(core: Core, *, bram: int, spram: int) -> Store:
    """Return how inputs are kept in what the network leaves, link included.

    SLOTS inputs if they fit, else as many as do; then words as wide as possible; then block RAM
    before SPRAM, which takes more energy.

    Raises:
        UnsupportedError: not even one input beside the spare one fits, or the network takes its
            bytes in an order that is no nest of loops.
    """
    found = list(_possible(core, bram, spram))
    if found:
        return max(found, key=_worth)
    if _nest(core, 1) is None:
        raise UnsupportedError(
            f"the network takes its {len(core.kept_bytes)} input bytes in another order than they "
            "come",
            hint="transpose the input in front of the model",
        )
    total = core.in_width // 8 * core.in_beats
    raise UnsupportedError(
        f"two inputs of {total} bytes do not fit into {bram} block RAMs and {spram} single-port "
        "RAMs beside the link",
        hint="a smaller input, or a part with more block RAM",
    )


def sprams_wanted(input_bytes: int) -> int:
    """Return the SPRAMs that SLOTS inputs want; 0 where the block RAM of FEWEST holds them."""
    size = (SLOTS + 1) * input_bytes
    if size <= (FEWEST.bram - LINK.bram) * _BRAM_WORDS * _PIECE_BITS // 8:
        return 0
    return -(-size * 8 // (_SPRAM_WORDS * _PIECE_BITS))


def _possible(core: Core, bram: int, spram: int) -> Iterator[Store]:
    beat_bytes = core.in_width // 8
    for size in range(1, beat_bytes + 1):
        nest, skip = _nest(core, size), -beat_bytes % size
        if nest is None or (skip and (nest or core.in_beats > 1)):
            continue
        words = -(-beat_bytes // size) * core.in_beats
        for link in (LINK, LINK_SPRAM):
            if link.bram > bram or link.spram > spram:
                continue
            for pieces in range(_pieces(8 * size) + 1):
                left = bram - link.bram, spram - link.spram
                depth = _depth(8 * size, pieces, *left, wanted=(SLOTS + 1) * words)
                slots = min(depth // words - 1, 4 * SLOTS)
                if slots >= 1:
                    bits = min(_PIECE_BITS * pieces, 8 * size)
                    spram_link = link is LINK_SPRAM
                    yield Store(8 * size, words, slots, nest, bits, spram_link, skip)


def _worth(kept: Store) -> tuple[int, int, bool, int]:
    return min(kept.slots, SLOTS), kept.width, not kept.link_spram, -kept.spram_bits


def _depth(width: int, in_spram: int, bram: int, spram: int, wanted: int) -> int:
    """Return the words that memories hold of which `in_spram` pieces are in SPRAM.

    As many memories as `wanted` words take, if there are as many.
    """
    in_bram, depth = _pieces(width) - in_spram, _ADDRESSES
    if in_spram:
        per = _spram_words(width)
        depth = min(depth, min(spram // in_spram, -(-wanted // per)) * per)
    if in_bram:
        per = _bram_words(width)
        depth = min(depth, min(bram // in_bram, -(-wanted // per)) * per)
    return depth


def _pieces(bits: int) -> int:
    return -(-bits // _PIECE_BITS)


def _bram_words(width: int) -> int:
    return 2 * _BRAM_WORDS if width == 8 else _BRAM_WORDS


def _spram_words(width: int) -> int:
    return 2 * _SPRAM_WORDS if width == 8 else _SPRAM_WORDS  # two bytes are two words


def _nest(core: Core, size: int) -> tuple[tuple[int, int], ...] | None:
    """Return the loops in which words of `size` bytes come over the wire, innermost first.

    None where bytes of a word come apart, or in an order that is no nest of loops. A word's place
    is a sum over the loops of round times distance: what reshaping and transposing lead to.
    """
    if list(core.kept_bytes) == sorted(core.kept_bytes):
        return ()
    if len(core.kept_bytes) % size:
        return None
    places = np.argsort(np.asarray(core.kept_bytes, np.int64))
    pieces = places.reshape(-1, size)
    if np.any(pieces != pieces[:, :1] + np.arange(size)) or np.any(pieces[:, 0] % size):
        return None
    left = pieces[:, 0] // size
    found = []
    while left.size > 1:
        steps = np.diff(left)
        other = np.flatnonzero(steps != steps[0])
        count = int(other[0]) + 1 if other.size else left.size
        rounds = left.reshape(-1, count) if left.size % count == 0 else None
        if rounds is None or np.any(rounds != rounds[:, :1] + steps[0] * np.arange(count)):
            return None
        found.append((count, int(steps[0])))
        left = rounds[:, 0]
    return tuple(found) if left[0] == 0 else None


def loops(kept: Store) -> dict[str, str]:
    """Return the parameters of ek_store for the nest of loops."""
    if not kept.loops:
        return {}
    jumps, back = [], 0  # from a loop's last round to its first
    for count, apart in kept.loops:
        jumps.append(apart - back)
        back += (count - 1) * apart
    jumps.append(kept.words - back)
    counts = [count for count, _ in kept.loops]
    return {
        "LOOPS": number(len(counts)),
        "COUNTS": vector(np.array([*counts, 0], "<u2").tobytes(), 2 * len(jumps)),
        "JUMPS": vector(np.array(jumps, "<i2").tobytes(), 2 * len(jumps)),
    }
