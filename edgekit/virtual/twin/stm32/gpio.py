# SPDX-License-Identifier: GPL-2.0-or-later
"""GPIO ports, the same in all STM32 families served here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgekit.virtual.twin.bus import Bus

from .clock_tree import ClockTree

_PORTS = "ABCDEFGHIJK"
_MODER, _IDR, _ODR, _BSRR, _AFRL, _BRR = 0x00, 0x10, 0x14, 0x18, 0x20, 0x28
_OUTPUT, _ALTERNATE = 1, 2


@dataclass(frozen=True, slots=True)
class GpioSite:
    """Where the ports of a chip are; bit n of the register `enable` clocks port n."""

    base: int
    ports: int
    enable: int
    second_supply: tuple[int, int, str] | None = None  # PG2 to PG15: register, bit, its name


class Gpio:
    """Output levels; the mark pin is reported whenever it may have changed."""

    def __init__(
        self,
        bus: Bus,
        site: GpioSite,
        clocks: ClockTree,
        mark_pin: str,
        changed: Callable[[int], None],
    ) -> None:
        self._bus, self._site, self._clocks, self._changed = bus, site, clocks, changed
        # Like PF13; the empty name, of a board without a mark, is the pin that no port has.
        self._mark_port = _PORTS.index(mark_pin[1]) if mark_pin else len(_PORTS)
        self._mark_bit = int(mark_pin[2:]) if mark_pin else 0
        for index in range(site.ports):
            base = site.base + 0x400 * index
            bus.claim(base)
            bus.on_write(base + _MODER, self._writer(index, _MODER))
            bus.on_write(base + _ODR, self._writer(index, _ODR))
            bus.on_write(base + _BSRR, self._setter(index))
            bus.on_write(base + _BRR, self._clearer(index))
            bus.on_read(base + _IDR, self._reader(index))

    def reset(self) -> None:
        """Make every pin analog, except those of the debugger."""
        for index in range(self._site.ports):
            self._bus.words[self._site.base + 0x400 * index] = 0xFFFF_FFFF
        self._bus.words[self._site.base] = 0xABFF_FFFF
        self._bus.words[self._site.base + 0x400] = 0xFFFF_FEBF
        self._report()

    def alternate(self, port: str, bit: int, function: int) -> bool:
        """Return whether a pin is connected to the alternate function."""
        base = self._site.base + 0x400 * _PORTS.index(port)
        words = self._bus.words
        select = words.get(base + _AFRL + 4 * (bit // 8), 0) >> 4 * (bit % 8) & 0xF
        supply = self._site.second_supply
        if supply and port == "G" and bit >= 2 and not words.get(supply[0], 0) >> supply[1] & 1:
            self._bus.violation(f"PG2 to PG15 are used while {supply[2]} is clear")
            return False
        return words.get(base, 0) >> 2 * bit & 3 == _ALTERNATE and select == function

    def _store(self, index: int, offset: int, value: int) -> None:
        if self._clocks.clocked(self._site.enable, index, f"GPIO{_PORTS[index]}"):
            self._bus.words[self._site.base + 0x400 * index + offset] = value
        if index == self._mark_port:
            self._report()

    def _odr(self, index: int) -> int:
        return self._bus.words.get(self._site.base + 0x400 * index + _ODR, 0)

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
        mode = (
            self._bus.words.get(self._site.base + 0x400 * self._mark_port, 0) >> 2 * self._mark_bit
            & 3
        )
        level = self._odr(self._mark_port) >> self._mark_bit & 1
        self._changed(level if mode == _OUTPUT else 0)
