# SPDX-License-Identifier: GPL-2.0-or-later
"""Caches of the Cortex-M7, as far as firmware has to care: they hold anything after a reset."""

from __future__ import annotations

from .bus import Bus

_CCR, _CCSIDR, _CSSELR = 0xE000_ED14, 0xE000_ED80, 0xE000_ED84
_ICIALLU, _DCISW = 0xE000_EF50, 0xE000_EF60
_LINE_BYTES = 32


class Caches:
    """Enabling one whose lines are not all marked invalid is noted."""

    def __init__(self, bus: Bus, *, kbytes: int, data_ways: int, code_ways: int) -> None:
        self._bus = bus
        self._size = kbytes * 1024
        self._data_ways, self._code_ways = data_ways, code_ways
        bus.on_write(_ICIALLU, self._clear_code)
        bus.on_write(_DCISW, lambda value: self._cleared.add(value))
        bus.on_read(_CCSIDR, self._read_ccsidr)
        bus.on_write(_CCR, self._write_ccr)
        self.reset()

    def reset(self) -> None:
        """Forget which lines are valid."""
        self._cleared: set[int] = set()
        self._code_cleared = False

    def _sets(self, ways: int) -> int:
        return self._size // _LINE_BYTES // ways

    def _clear_code(self, _value: int) -> None:
        self._code_cleared = True

    def _read_ccsidr(self) -> int:
        ways = self._code_ways if self._bus.words.get(_CSSELR, 0) & 1 else self._data_ways
        return 0x7000_0000 | self._sets(ways) - 1 << 13 | ways - 1 << 3 | 1

    def _write_ccr(self, value: int) -> None:
        turned_on = value & ~self._bus.words.get(_CCR, 0)
        self._bus.words[_CCR] = value
        if turned_on >> 17 & 1 and not self._code_cleared:
            self._bus.violation("the instruction cache is enabled before it is invalidated")
        shift = 32 - (self._data_ways - 1).bit_length()
        lines = {
            way << shift | index << 5
            for way in range(self._data_ways)
            for index in range(self._sets(self._data_ways))
        }
        if turned_on >> 16 & 1 and lines - self._cleared:
            self._bus.violation("the data cache is enabled before all its lines are invalidated")
