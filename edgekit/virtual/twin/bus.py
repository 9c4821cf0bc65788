# SPDX-License-Identifier: GPL-2.0-or-later
"""The peripheral bus: words that behave as storage unless a peripheral says otherwise."""

from __future__ import annotations

import logging
from collections.abc import Callable

from .clock import Clock

_LOG = logging.getLogger(__name__)

PERIPHERALS = (0x4000_0000, 0x2000_0000)
PRIVATE = (0xE000_0000, 0x0010_0000)

# Code around an access to a peripheral (load, test, branch; an APB access) is charged this much.
# A loop that reads the same one or two registers over and over is charged a part of what it has
# taken so far: waiting costs the host little. Ready bits are never jumped over, so waiting for one
# takes exactly as long as it takes; waiting for a count takes at most 3 % too long.
ACCESS_CYCLES = 8
_POLL_SHARE = 5  # right shift

Read = Callable[[], int]
Write = Callable[[int], None]


def _never() -> int | None:
    """Say that nothing will become ready."""
    return None


class Bus:
    """Dispatches accesses, charges their time, and notes what silicon would not forgive."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.words: dict[int, int] = {}
        self.free = False  # waiting for the host: accesses take no time
        self.next_ready_ns: Callable[[], int | None] = _never
        self.unknown: list[str] = []
        self.violations: list[str] = []
        self._reads: dict[int, Read] = {}
        self._writes: dict[int, Write] = {}
        self._known: list[tuple[int, int]] = []
        self.unpriced: set[int] = set()  # polled while waiting for the host, any number of times
        self._polled: tuple[int, int] = (-1, -1)  # the two registers read last
        self._streak = 0  # cycles that a loop over these has taken

    def claim(self, base: int, size: int = 0x400) -> None:
        """Declare a modelled range."""
        self._known.append((base, base + size))

    def on_read(self, address: int, handler: Read) -> None:
        """Let `handler` answer reads of a word."""
        self._reads[address] = handler

    def on_write(self, address: int, handler: Write) -> None:
        """Let `handler` receive writes of a word, after it was stored."""
        self._writes[address] = handler

    def violation(self, text: str) -> None:
        """Note, once, something that works here and would not on silicon."""
        if text not in self.violations:
            self.violations.append(text)
            _LOG.warning("violation: %s", text)

    def end_streak(self) -> None:
        """Say that something other than polling happened."""
        self._streak = 0
        self._polled = (-1, -1)

    def read(self, address: int, size: int) -> int:
        """Return `size` bytes at `address`."""
        word = address & ~3
        self._charge_read(word)
        handler = self._reads.get(word)
        if handler is not None:
            value = handler()
        else:
            self._note_unknown(word)
            value = self.words.get(word, 0)
        if size == 4:
            return value
        return (value >> 8 * (address & 3)) & ((1 << 8 * size) - 1)

    def write(self, address: int, size: int, value: int) -> None:
        """Write `size` bytes at `address`."""
        word = address & ~3
        self.end_streak()
        if word < PRIVATE[0] and not self.free:
            self.clock.charge(ACCESS_CYCLES)
        if size != 4:
            shift = 8 * (address & 3)
            mask = ((1 << 8 * size) - 1) << shift
            old = 0 if word in self._writes else self.words.get(word, 0)
            value = (old & ~mask) | (value << shift & mask)
        value &= 0xFFFF_FFFF
        handler = self._writes.get(word)
        if handler is not None:
            handler(value)
            return
        self._note_unknown(word)
        self.words[word] = value

    def _charge_read(self, word: int) -> None:
        if word in self.unpriced:
            return
        if self.free:
            return
        if word not in self._polled:
            self._polled = (self._polled[1], word)
            self._streak = 0
            if word < PRIVATE[0]:
                self.clock.charge(ACCESS_CYCLES)
            return
        cycles = max(ACCESS_CYCLES, self._streak >> _POLL_SHARE)
        ready = self.next_ready_ns()
        if ready is not None:
            left = (ready - self.clock.t_ns) * self.clock.hz // 1_000_000_000 + 1
            cycles = min(cycles, max(left, ACCESS_CYCLES))
        self._streak += cycles
        self.clock.charge(cycles)

    def _note_unknown(self, word: int) -> None:
        if any(lo <= word < hi for lo, hi in self._known):
            return
        text = f"0x{word:08x}"
        if text not in self.unknown:
            self.unknown.append(text)
            _LOG.warning("access to a register that is not modelled: %s", text)
