# SPDX-License-Identifier: GPL-2.0-or-later
"""GPIO ports A to I of the STM32L4+ (RM0432 chapter 8)."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.virtual.twin.bus import Bus

from .rcc import AHB2ENR, PWR_CR2, ClockTree

_BASE = 0x4800_0000
_PORTS = "ABCDEFGHI"
_MODER, _IDR, _ODR, _BSRR, _AFRL, _BRR = 0x00, 0x10, 0x14, 0x18, 0x20, 0x28
_OUTPUT, _ALTERNATE = 1, 2


class Gpio:
    """Output levels; the mark pin is reported whenever it may have changed."""

    def __init__(
        self, bus: Bus, clocks: ClockTree, mark: str, changed: Callable[[int], None]
    ) -> None:
        self._bus, self._clocks, self._changed = bus, clocks, changed
        self._mark_port, self._mark_bit = _PORTS.index(mark[0]), int(mark[1:])
        for index in range(len(_PORTS)):
            base = _BASE + 0x400 * index
            bus.claim(base)
            bus.on_write(base + _MODER, self._writer(index, _MODER))
            bus.on_write(base + _ODR, self._writer(index, _ODR))
            bus.on_write(base + _BSRR, self._setter(index))
            bus.on_write(base + _BRR, self._clearer(index))
            bus.on_read(base + _IDR, self._reader(index))

    def reset(self) -> None:
        """Make every pin analog, except those of the debugger."""
        for index in range(len(_PORTS)):
            self._bus.words[_BASE + 0x400 * index] = 0xFFFF_FFFF
        self._bus.words[_BASE] = 0xABFF_FFFF
        self._bus.words[_BASE + 0x400] = 0xFFFF_FEBF
        self._report()

    def alternate(self, port: str, bit: int, function: int) -> bool:
        """Return whether a pin is connected to the alternate function."""
        base = _BASE + 0x400 * _PORTS.index(port)
        words = self._bus.words
        select = words.get(base + _AFRL + 4 * (bit // 8), 0) >> 4 * (bit % 8) & 0xF
        if port == "G" and bit >= 2 and not words.get(PWR_CR2, 0) >> 9 & 1:
            self._bus.violation("PG2 to PG15 are used while PWR_CR2.IOSV is clear")
            return False
        return words.get(base, 0) >> 2 * bit & 3 == _ALTERNATE and select == function

    def _store(self, index: int, offset: int, value: int) -> None:
        if self._clocks.clocked(AHB2ENR, index, f"GPIO{_PORTS[index]}"):
            self._bus.words[_BASE + 0x400 * index + offset] = value
        if index == self._mark_port:
            self._report()

    def _odr(self, index: int) -> int:
        return self._bus.words.get(_BASE + 0x400 * index + _ODR, 0)

    def _writer(self, index: int, offset: int) -> Callable[[int], None]:
        return lambda value: self._store(index, offset, value)

    def _setter(self, index: int) -> Callable[[int], None]:
        def write(value: int) -> None:
            self._store(index, _ODR, self._odr(index) & ~(value >> 16) | value & 0xFFFF)

        return write

    def _clearer(self, index: int) -> Callable[[int], None]:
        return lambda value: self._store(index, _ODR, self._odr(index) & ~value)

    def _reader(self, index: int) -> Callable[[], int]:
        return lambda: self._odr(index)

    def _report(self) -> None:
        mode = self._bus.words.get(_BASE + 0x400 * self._mark_port, 0) >> 2 * self._mark_bit & 3
        level = self._odr(self._mark_port) >> self._mark_bit & 1
        self._changed(level if mode == _OUTPUT else 0)
