# SPDX-License-Identifier: GPL-2.0-or-later
"""RTC1: 24 bits on the low-frequency clock, the time base that runs in sleep."""

from __future__ import annotations

from edgekit.virtual.twin.bus import Bus
from edgekit.virtual.twin.clock import Clock

from .clocks import Clocks

_BASE = 0x4001_1000
_START, _STOP, _COMPARE0 = _BASE, _BASE + 4, _BASE + 0x140
_INTENSET, _INTENCLR = _BASE + 0x304, _BASE + 0x308
_COUNTER, _PRESCALER, _CC0 = _BASE + 0x504, _BASE + 0x508, _BASE + 0x540
_INT_COMPARE0 = 1 << 16
_TURN = 1 << 24
_UNITS = 1_000_000_000 * 1_000_000  # nanoseconds in a second times microhertz in a hertz


class Rtc:
    """Counts from the moment it was started; the event follows from the time."""

    irq = 17

    def __init__(self, bus: Bus, clock: Clock, clocks: Clocks) -> None:
        self._bus, self._clock, self._clocks = bus, clock, clocks
        bus.claim(_BASE, 0x1000)
        bus.on_write(_START, self._write_start)
        bus.on_write(_STOP, self._write_stop)
        bus.on_read(_COUNTER, lambda: self._ticks() % _TURN)
        bus.on_write(_CC0, self._write_compare)
        bus.on_read(_COMPARE0, lambda: int(self._event()))
        bus.on_write(_COMPARE0, self._write_event)
        bus.on_write(_INTENSET, lambda value: self._enable(value, on=True))
        bus.on_write(_INTENCLR, lambda value: self._enable(value, on=False))
        self.reset()

    def reset(self) -> None:
        """Stop."""
        self._inten = 0
        self._running = False
        self._start_ns = 0
        self._uhz = 0
        self._flag = False
        self._target: int | None = None  # tick at which the next event comes

    @property
    def running(self) -> bool:
        """Whether it counts."""
        return self._running

    def line(self) -> bool:
        """Return the level of the interrupt request."""
        return bool(self._inten & _INT_COMPARE0) and self._event()

    def next_event_ns(self) -> int | None:
        """Return when the request will next be raised, or None."""
        if not self._running or self._target is None or not self._inten & _INT_COMPARE0:
            return None
        self._event()  # moves the target on
        return self._start_ns - (-self._target * _UNITS // self._uhz)

    def _ticks(self) -> int:
        if not self._running:
            return 0
        return (self._clock.t_ns - self._start_ns) * self._uhz // _UNITS

    def _event(self) -> bool:
        ticks = self._ticks()
        while self._running and self._target is not None and ticks >= self._target:
            self._flag = True
            self._target += _TURN
        return self._flag

    def _write_compare(self, value: int) -> None:
        self._event()
        self._bus.words[_CC0] = value % _TURN
        ticks = self._ticks()
        ahead = (value - ticks) % _TURN
        if ahead < 2:
            self._bus.violation("CC[0] is less than two ticks ahead: the event may not come")
        self._target = ticks + (ahead or _TURN)

    def _write_event(self, value: int) -> None:
        self._event()
        if not value & 1:
            self._flag = False

    def _enable(self, value: int, *, on: bool) -> None:
        self._inten = self._inten | value if on else self._inten & ~value

    def _write_start(self, value: int) -> None:
        if not value & 1 or self._running:
            return
        if not self._clocks.running("lf"):
            self._bus.violation("RTC1 is started before the low-frequency clock runs")
        self._uhz = round(self._clocks.lf_hz * 1_000_000) // (
            (self._bus.words.get(_PRESCALER, 0) & 0xFFF) + 1
        )
        self._running, self._start_ns = True, self._clock.t_ns

    def _write_stop(self, value: int) -> None:
        if value & 1:
            self._running = False
