# SPDX-License-Identifier: GPL-2.0-or-later
"""TIMER: 64 bits of microseconds from the watchdog's tick, with alarm 0."""

from __future__ import annotations

from edgekit.virtual.twin.bus import Bus
from edgekit.virtual.twin.clock import Clock

from .clocks import Clocks

_BASE = 0x4005_4000
_ALARM0, _ARMED, _RAWH, _RAWL = _BASE + 0x10, _BASE + 0x20, _BASE + 0x24, _BASE + 0x28
_INTR, _INTE = _BASE + 0x34, _BASE + 0x38
_RESET_BIT, _SLEEP_TIMER, _SLEEP_WATCHDOG = 21, 5, 12
_TURN = 1 << 32
_UNITS = 1_000_000_000 * 1_000_000  # nanoseconds in a second times microhertz in a hertz


class Timer:
    """Counts the tick from when there is one."""

    irq = 0

    def __init__(self, bus: Bus, clock: Clock, clocks: Clocks) -> None:
        self._bus, self._clock, self._clocks = bus, clock, clocks
        self._power_on()
        bus.claim(_BASE, 0x1000)
        bus.on_read(_RAWL, lambda: self._ticks() % _TURN)
        bus.on_read(_RAWH, lambda: self._ticks() // _TURN)
        bus.on_write(_ALARM0, self._write_alarm)
        bus.on_read(_ARMED, lambda: int(self._target is not None))
        bus.on_read(_INTR, lambda: int(self._raised()))
        bus.on_write(_INTR, self._write_raised)

    def _power_on(self) -> None:
        self._flag = False
        self._target: int | None = None
        self._base_ticks = self._from_ns = self._uhz = 0

    def reset(self) -> None:
        """Count from nothing, where its registers were cleared; the core's reset leaves it."""
        if not self._bus.words.get(_INTE, 0):
            self._power_on()

    def line(self) -> bool:
        """Return the level of the interrupt request."""
        return bool(self._bus.words.get(_INTE, 0) & 1) and self._raised()

    def next_event_ns(self) -> int | None:
        """Return when the request will next be raised, or None."""
        if self._target is None or not self._uhz or not self._bus.words.get(_INTE, 0) & 1:
            return None
        ahead = self._target - self._base_ticks
        return self._from_ns - (-ahead * _UNITS // self._uhz)

    def wake_blocked(self) -> str:
        """Return why the alarm cannot end deep sleep."""
        if not self._clocks.sleep_clocked(_SLEEP_TIMER):
            return "deep sleep with TIMER's clock gated by SLEEP_EN1"
        if not self._clocks.sleep_clocked(_SLEEP_WATCHDOG):
            return "deep sleep with the watchdog's clock gated by SLEEP_EN1: TIMER has no tick"
        return ""

    def _ticks(self) -> int:
        self._clocks.released(_RESET_BIT)
        uhz = round(self._clocks.tick_hz() * 1_000_000)
        now = self._clock.t_ns
        passed = (now - self._from_ns) * self._uhz // _UNITS
        if uhz != self._uhz:
            self._base_ticks += passed
            self._from_ns, self._uhz, passed = now, uhz, 0
        return self._base_ticks + passed

    def _raised(self) -> bool:
        if self._target is not None and self._ticks() >= self._target:
            self._flag, self._target = True, None
        return self._flag

    def _write_alarm(self, value: int) -> None:
        self._raised()
        ticks = self._ticks()
        self._target = ticks + ((value - ticks) % _TURN or _TURN)

    def _write_raised(self, value: int) -> None:
        self._raised()
        if value & 1:
            self._flag = False
