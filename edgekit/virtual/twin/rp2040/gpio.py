# SPDX-License-Identifier: GPL-2.0-or-later
"""Pins: pads, function select, and the single-cycle I/O block."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.virtual.twin.bus import Bus

from .clocks import Clocks

SIO = (0xD000_0000, 0x1_0000)
_IO, _PADS = 0x4001_4000, 0x4001_C000
_OUT, _OUT_SET, _OUT_CLR = SIO[0] + 0x10, SIO[0] + 0x14, SIO[0] + 0x18
_OE, _OE_SET, _OE_CLR = SIO[0] + 0x20, SIO[0] + 0x24, SIO[0] + 0x28
_PINS = 30
_NONE, _SIO_FUNCTION = 0x1F, 5
_IO_RESET, _PADS_RESET = 5, 8


class Gpio:
    """Output levels; the mark pin is reported whenever it may have changed."""

    def __init__(self, bus: Bus, clocks: Clocks, mark: str, changed: Callable[[int], None]) -> None:
        """Take `mark` as the board names it: GP2."""
        self._bus, self._clocks, self._changed = bus, clocks, changed
        self._mark = int(mark[2:])
        bus.claim(_IO, 0x1000)
        bus.claim(_PADS, 0x1000)
        bus.claim(*SIO)
        for pin in range(_PINS):
            bus.on_write(_IO + 4 + 8 * pin, self._selector(pin))
        for to, at, on in (
            (_OUT, _OUT_SET, True),
            (_OUT, _OUT_CLR, False),
            (_OE, _OE_SET, True),
            (_OE, _OE_CLR, False),
        ):
            bus.on_write(at, self._changer(to, on=on))

    def reset(self) -> None:
        """Report the mark pin as it now is."""
        self._report()

    def function(self, pin: int) -> int:
        """Return the function that a pin is connected to."""
        return self._bus.words.get(_IO + 4 + 8 * pin, _NONE) & 0x1F

    def _selector(self, pin: int) -> Callable[[int], None]:
        def write(value: int) -> None:
            if self._clocks.released(_IO_RESET) and self._clocks.released(_PADS_RESET):
                self._bus.words[_IO + 4 + 8 * pin] = value
            self._report()

        return write

    def _changer(self, register: int, *, on: bool) -> Callable[[int], None]:
        def write(value: int) -> None:
            old = self._bus.words.get(register, 0)
            self._bus.words[register] = old | value if on else old & ~value
            self._report()

        return write

    def _report(self) -> None:
        words = self._bus.words
        driven = words.get(_OE, 0) >> self._mark & 1 and self.function(self._mark) == _SIO_FUNCTION
        self._changed(words.get(_OUT, 0) >> self._mark & 1 if driven else 0)
