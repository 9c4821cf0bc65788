# SPDX-License-Identifier: GPL-2.0-or-later
"""Low-power timer 1 (RM0432 chapter 42): the time base that runs in Stop 2."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.virtual.twin.bus import Bus
from edgekit.virtual.twin.clock import Clock

from .rcc import APB1ENR1, CCIPR, ClockTree

_BASE = 0x4000_7C00
_ISR, _ICR, _IER, _CFGR, _CR = _BASE, _BASE + 4, _BASE + 8, _BASE + 0xC, _BASE + 0x10
_CMP, _ARR, _CNT = _BASE + 0x14, _BASE + 0x18, _BASE + 0x1C
_CMPM, _ARRM, _CMPOK, _ARROK = 1 << 0, 1 << 1, 1 << 3, 1 << 4
_UNITS = 1_000_000_000 * 1_000_000  # nanoseconds in a second times microhertz in a hertz


class Lptim:
    """Counts its kernel clock from the moment it was started; flags follow from the time."""

    IRQ = 65

    def __init__(self, bus: Bus, clock: Clock, clocks: ClockTree) -> None:
        self._bus, self._clock, self._clocks = bus, clock, clocks
        bus.claim(_BASE, 0x400)
        bus.on_read(_ISR, self._read_isr)
        bus.on_write(_ICR, self._write_icr)
        bus.on_write(_IER, self._only_disabled(_IER, "IER"))
        bus.on_write(_CFGR, self._only_disabled(_CFGR, "CFGR"))
        bus.on_write(_CR, self._write_cr)
        bus.on_write(_CMP, lambda value: self._load(_CMP, value, _CMPOK))
        bus.on_write(_ARR, lambda value: self._load(_ARR, value, _ARROK))
        bus.on_read(_CNT, lambda: self._ticks() % self._period())
        self.reset()

    def reset(self) -> None:
        """Stop; registers were cleared by the bus."""
        self._flags = 0
        self._seen = 0  # ticks up to which matches are in the flags
        self._start_ns = 0
        self._running = False
        self._single = False
        self._uhz = 0  # counter clock in microhertz: a drifting oscillator is not whole hertz
        self._shift = 0
        self._bus.words[_ARR] = 1

    def line(self) -> bool:
        """Return the level of the interrupt request."""
        self._update()
        return bool(self._flags & self._bus.words.get(_IER, 0))

    def next_event_ns(self) -> int | None:
        """Return when the request will next be raised, or None."""
        if not self._running or not self._uhz:
            return None
        enabled = self._bus.words.get(_IER, 0)
        ticks = self._ticks()
        targets = []
        if enabled & _ARRM:
            targets.append(self._after(ticks, self._bus.words[_ARR]))
        if enabled & _CMPM:
            targets.append(self._after(ticks, self._bus.words.get(_CMP, 0)))
        if not targets or (self._single and min(targets) >= self._period()):
            return None
        return self._start_ns + self._ns_of(min(targets))

    def _period(self) -> int:
        return (self._bus.words[_ARR] & 0xFFFF) + 1

    def _after(self, ticks: int, value: int) -> int:
        """Return the first tick count above `ticks` at which the counter equals `value`."""
        period = self._period()
        value &= 0xFFFF
        turns = max(0, -(-(ticks + 1 - value) // period))
        return value + turns * period

    def _ns_of(self, ticks: int) -> int:
        return -(-(ticks * _UNITS << self._shift) // self._uhz)

    def _ticks(self) -> int:
        if not self._running or not self._uhz:
            return 0
        return (self._clock.t_ns - self._start_ns) * self._uhz // (_UNITS << self._shift)

    def _update(self) -> None:
        if not self._running:
            return
        ticks = self._ticks()
        if ticks <= self._seen:
            return
        for register, flag in ((_ARR, _ARRM), (_CMP, _CMPM)):
            if self._after(self._seen, self._bus.words.get(register, 0)) <= ticks:
                self._flags |= flag
        self._seen = ticks

    def _read_isr(self) -> int:
        self._update()
        return self._flags

    def _write_icr(self, value: int) -> None:
        self._update()
        self._flags &= ~value

    def _only_disabled(self, address: int, name: str) -> Callable[[int], None]:
        def write(value: int) -> None:
            if self._bus.words.get(_CR, 0) & 1:
                self._bus.violation(f"LPTIM1_{name} is written while the timer is enabled")
            self._bus.words[address] = value

        return write

    def _load(self, address: int, value: int, flag: int) -> None:
        if not self._bus.words.get(_CR, 0) & 1:
            self._bus.violation("LPTIM1_ARR or CMP is written while the timer is disabled")
            return
        self._update()
        self._bus.words[address] = value & 0xFFFF
        self._flags |= flag

    def _write_cr(self, value: int) -> None:
        self._clocks.clocked(APB1ENR1, 31, "LPTIM1")
        self._bus.words[_CR] = value & ~6
        if not value & 1:
            self._running = False
        elif value & 6 and not self._running:
            words = self._bus.words
            source = self._clocks.kernel_hz(words.get(CCIPR, 0) >> 18 & 3, lptim=True)
            if not source:
                self._bus.violation("LPTIM1 is started on an oscillator that is not ready")
            self._uhz = round(source * 1_000_000)
            self._shift = words.get(_CFGR, 0) >> 9 & 7
            self._running, self._single = True, bool(value & 2)
            self._start_ns, self._seen = self._clock.t_ns, 0
