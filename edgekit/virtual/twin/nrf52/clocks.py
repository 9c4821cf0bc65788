# SPDX-License-Identifier: GPL-2.0-or-later
"""CLOCK and POWER: oscillators that take their time, and why the chip was reset."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.virtual.twin.bus import Bus
from edgekit.virtual.twin.clock import Clock

CORE_HZ = 64_000_000
LF_HZ = 32_768
RC_HZ = 32_000  # within some percent; a typical one
_BASE = 0x4000_0000
_TASKS = {"hfxo": (_BASE, _BASE + 4), "lf": (_BASE + 8, _BASE + 0xC)}  # start, stop
_EVENTS = {"hfxo": _BASE + 0x100, "lf": _BASE + 0x104}
_LFCLKSRC, _RESETREAS, _DCDCEN = _BASE + 0x518, _BASE + 0x400, _BASE + 0x578
_REASONS = {"power": 0, "pin": 1, "software": 1 << 2}
_START_NS = {"hfxo": 360_000, "lf": 250_000_000, "rc": 600_000}
_NVMC, _ICACHECNF = 0x4001_E000, 0x4001_E540


class Clocks:
    """Two clocks: 64 MHz, exact once the crystal runs, and 32 kHz."""

    def __init__(self, bus: Bus, clock: Clock, wakeup_ns: int, drift_ppm: float) -> None:
        self._bus, self._clock = bus, clock
        self._wakeup_ns, self._drift = wakeup_ns, 1 + drift_ppm * 1e-6
        self._ready_at: dict[str, int] = {}
        bus.claim(_BASE, 0x1000)
        bus.claim(_NVMC, 0x1000)
        bus.next_ready_ns = self._next_ready_ns
        for name, (start, stop) in _TASKS.items():
            bus.on_write(start, self._starter(name))
            bus.on_write(stop, self._stopper(name))
            bus.on_read(_EVENTS[name], self._event_reader(name))
            bus.on_write(_EVENTS[name], self._event_clearer(name))
        bus.on_write(_LFCLKSRC, self._write_source)
        bus.on_write(_RESETREAS, self._write_reason)

    def reset(self, reason: str) -> None:
        """Clear what was written; the reason of a reset adds to those that were not cleared."""
        kept = 0 if reason == "power" else self._bus.words.get(_RESETREAS, 0)
        self._bus.words.clear()
        self._bus.words[_RESETREAS] = kept | _REASONS[reason]
        self._ready_at = {}
        self._cleared: dict[str, bool] = {}
        self._clock.set_hz(CORE_HZ)

    def enter_stop(self) -> None:
        """Let the core's clock go."""
        if not self._bus.words.get(_DCDCEN, 0):
            self._bus.violation("System ON sleep with DCDCEN clear: currents are the LDO's")

    def leave_stop(self) -> None:
        """Start the internal oscillator."""
        self._clock.wait(self._wakeup_ns, core_clocked=False)

    def running(self, name: str) -> bool:
        """Return whether `hfxo` or `lf` has started and is ready."""
        at = self._ready_at.get(name)
        return at is not None and self._clock.t_ns >= at

    def wanted(self, name: str) -> bool:
        """Return whether it was started, ready or not."""
        return name in self._ready_at

    @property
    def lf_hz(self) -> float:
        """The low-frequency clock as it really is."""
        return (LF_HZ if self._bus.words.get(_LFCLKSRC, 0) & 3 == 1 else RC_HZ) * self._drift

    def _starter(self, name: str) -> Callable[[int], None]:
        def write(value: int) -> None:
            if not value & 1 or name in self._ready_at:
                return
            rc = name == "lf" and self._bus.words.get(_LFCLKSRC, 0) & 3 != 1
            self._ready_at[name] = self._clock.t_ns + _START_NS["rc" if rc else name]
            self._cleared[name] = False

        return write

    def _stopper(self, name: str) -> Callable[[int], None]:
        def write(value: int) -> None:
            if value & 1:
                self._ready_at.pop(name, None)

        return write

    def _event_reader(self, name: str) -> Callable[[], int]:
        return lambda: int(self.running(name) and not self._cleared.get(name, False))

    def _event_clearer(self, name: str) -> Callable[[int], None]:
        def write(value: int) -> None:
            if not value & 1 and self.running(name):
                self._cleared[name] = True

        return write

    def _write_source(self, value: int) -> None:
        if self.wanted("lf"):
            self._bus.violation("LFCLKSRC is written while the low-frequency clock runs")
            return
        self._bus.words[_LFCLKSRC] = value

    def _write_reason(self, value: int) -> None:
        self._bus.words[_RESETREAS] = self._bus.words.get(_RESETREAS, 0) & ~value

    def _next_ready_ns(self) -> int | None:
        now = self._clock.t_ns
        return min((at for at in self._ready_at.values() if at > now), default=None)
