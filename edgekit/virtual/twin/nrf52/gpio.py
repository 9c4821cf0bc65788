# SPDX-License-Identifier: GPL-2.0-or-later
"""GPIO ports 0 and 1."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.virtual.twin.bus import Bus

_BASE, _STRIDE = 0x5000_0000, 0x300
_OUT, _OUTSET, _OUTCLR, _DIR, _CNF = 0x504, 0x508, 0x50C, 0x514, 0x700
_PINS = (32, 16)
_RESET_CNF = 2  # input, buffer disconnected


class Gpio:
    """Output levels; the mark pin is reported whenever it may have changed."""

    def __init__(self, bus: Bus, mark: str, changed: Callable[[int], None]) -> None:
        """Take `mark` as the chip names it: P1.08."""
        self._bus, self._changed = bus, changed
        self._mark = (int(mark[1]), int(mark[3:]))
        bus.claim(_BASE, 0x1000)
        for port in range(len(_PINS)):
            base = _BASE + _STRIDE * port
            bus.on_write(base + _OUT, self._writer(port, lambda _old, value: value))
            bus.on_write(base + _OUTSET, self._writer(port, lambda old, value: old | value))
            bus.on_write(base + _OUTCLR, self._writer(port, lambda old, value: old & ~value))
            for pin in range(_PINS[port]):
                bus.on_write(base + _CNF + 4 * pin, self._configurer(port, pin))

    def reset(self) -> None:
        """Disconnect every pin."""
        for port in range(len(_PINS)):
            for pin in range(_PINS[port]):
                self._bus.words[self._cnf(port, pin)] = _RESET_CNF
        self._report()

    def is_output(self, port: int, pin: int) -> bool:
        """Return whether a pin drives its level."""
        return bool(self._bus.words.get(self._cnf(port, pin), 0) & 1)

    def is_input(self, port: int, pin: int) -> bool:
        """Return whether a pin's input buffer is connected."""
        return not self._bus.words.get(self._cnf(port, pin), 0) & 3

    def _cnf(self, port: int, pin: int) -> int:
        return _BASE + _STRIDE * port + _CNF + 4 * pin

    def _writer(self, port: int, change: Callable[[int, int], int]) -> Callable[[int], None]:
        address = _BASE + _STRIDE * port + _OUT

        def write(value: int) -> None:
            self._bus.words[address] = change(self._bus.words.get(address, 0), value)
            self._report()

        return write

    def _configurer(self, port: int, pin: int) -> Callable[[int], None]:
        def write(value: int) -> None:
            self._bus.words[self._cnf(port, pin)] = value
            self._report()

        return write

    def _report(self) -> None:
        port, pin = self._mark
        level = self._bus.words.get(_BASE + _STRIDE * port + _OUT, 0) >> pin & 1
        self._changed(level if self.is_output(port, pin) else 0)
