# SPDX-License-Identifier: GPL-2.0-or-later
"""Low-power timer: the time base that runs in Stop modes.

Two kinds: the newer one takes its interrupt enables only while it is enabled, and says when it has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgekit.virtual.twin.bus import Bus
from edgekit.virtual.twin.clock import Clock

from .clock_tree import ClockTree

_ISR, _ICR, _IER, _CFGR, _CR, _CMP, _ARR, _CNT = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x18, 0x1C
_CMPM, _ARRM, _CMPOK, _ARROK = 1 << 0, 1 << 1, 1 << 3, 1 << 4
_DIEROK = 1 << 24
_UNITS = 1_000_000_000 * 1_000_000  # nanoseconds in a second times microhertz in a hertz


@dataclass(frozen=True, slots=True)
class LptimSite:
    """Where the timer of a chip is."""

    base: int
    irq: int
    enable: tuple[int, int]  # register and bit of its bus clock
    kernel_hz: Callable[[], float]
    has_dierok: bool = False  # the newer kind


class Lptim:
    """Counts its kernel clock from the moment it was started; flags follow from the time."""

    def __init__(self, bus: Bus, clock: Clock, site: LptimSite, clocks: ClockTree) -> None:
        self._bus, self._clock, self._site, self._clocks = bus, clock, site, clocks
        self.irq = site.irq
        base = site.base
        bus.claim(base, 0x400)
        bus.on_read(base + _ISR, self._read_isr)
        bus.on_write(base + _ICR, self._write_icr)
        bus.on_write(base + _IER, self._write_ier)
        bus.on_write(base + _CFGR, self._write_cfgr)
        bus.on_write(base + _CR, self._write_cr)
        bus.on_write(base + _CMP, lambda value: self._load(_CMP, value, _CMPOK))
        bus.on_write(base + _ARR, lambda value: self._load(_ARR, value, _ARROK))
        bus.on_read(base + _CNT, lambda: self._ticks() % self._period())
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
        self._store(_ARR, 1)

    def line(self) -> bool:
        """Return the level of the interrupt request."""
        self._update()
        return bool(self._flags & self._word(_IER))

    def next_event_ns(self) -> int | None:
        """Return when the request will next be raised, or None."""
        if not self._running or not self._uhz:
            return None
        enabled = self._word(_IER)
        ticks = self._ticks()
        targets = []
        if enabled & _ARRM:
            targets.append(self._after(ticks, self._word(_ARR)))
        if enabled & _CMPM:
            targets.append(self._after(ticks, self._word(_CMP)))
        if not targets or (self._single and min(targets) >= self._period()):
            return None
        return self._start_ns + self._ns_of(min(targets))

    def _period(self) -> int:
        return (self._word(_ARR) & 0xFFFF) + 1

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
            if self._after(self._seen, self._word(register)) <= ticks:
                self._flags |= flag
        self._seen = ticks

    def _read_isr(self) -> int:
        self._update()
        return self._flags

    def _write_icr(self, value: int) -> None:
        self._update()
        self._flags &= ~value

    def _word(self, offset: int) -> int:
        return self._bus.words.get(self._site.base + offset, 0)

    def _store(self, offset: int, value: int) -> None:
        self._bus.words[self._site.base + offset] = value

    def _write_ier(self, value: int) -> None:
        enabled, newer = self._word(_CR) & 1, self._site.has_dierok
        if newer and not enabled:
            self._bus.violation("LPTIM1_DIER is written while the timer is disabled")
            return
        if enabled and not newer:
            self._bus.violation("LPTIM1_IER is written while the timer is enabled")
        self._store(_IER, value)
        self._flags |= _DIEROK if newer else 0

    def _write_cfgr(self, value: int) -> None:
        if self._word(_CR) & 1:
            self._bus.violation("LPTIM1_CFGR is written while the timer is enabled")
        self._store(_CFGR, value)

    def _load(self, offset: int, value: int, flag: int) -> None:
        if not self._word(_CR) & 1:
            self._bus.violation("LPTIM1_ARR or CMP is written while the timer is disabled")
            return
        self._update()
        self._store(offset, value & 0xFFFF)
        self._flags |= flag

    def _write_cr(self, value: int) -> None:
        self._clocks.clocked(*self._site.enable, "LPTIM1")
        self._store(_CR, value & ~6)
        if not value & 1:
            self._running = False
        elif value & 6 and not self._running:
            source = self._site.kernel_hz()
            if not source:
                self._bus.violation("LPTIM1 is started on an oscillator that is not ready")
            self._uhz = round(source * 1_000_000)
            self._shift = self._word(_CFGR) >> 9 & 7
            self._running, self._single = True, bool(value & 2)
            self._start_ns, self._seen = self._clock.t_ns, 0
