# SPDX-License-Identifier: GPL-2.0-or-later
"""What the clock trees of the STM32 families share: oscillators that take time to start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from edgekit.virtual.twin.bus import Bus
from edgekit.virtual.twin.clock import Clock
from edgekit.virtual.twin.config import TwinConfig

LSE_HZ, LSI_HZ = 32_768, 32_000
US = 1_000
_AHB_SHIFTS = {8: 1, 9: 2, 10: 3, 11: 4, 12: 6, 13: 7, 14: 8, 15: 9}


@dataclass(frozen=True, slots=True)
class Resets:
    """Registers after a reset."""

    words: Mapping[int, int]
    kept: tuple[int, ...]  # words that only a loss of power clears
    flags_at: int
    flags_mask: int
    flags: Mapping[str, int]  # by reason: power, pin, software


def ahb_shift(code: int) -> int:
    """Return the right shift that a four-bit prescaler means."""
    return _AHB_SHIFTS.get(code, 0)


def apb_shift(code: int) -> int:
    """Return the right shift that a three-bit prescaler means."""
    return max((code & 7) - 3, 0)


class ClockTree:
    """Ready bits after their start-up time; the core clock that follows from the registers."""

    resets: ClassVar[Resets]
    running: ClassVar[tuple[str, ...]]  # what runs after a reset
    ready_ns: ClassVar[Mapping[str, int]]

    def __init__(self, bus: Bus, clock: Clock, config: TwinConfig) -> None:
        self._bus, self._clock, self._words = bus, clock, bus.words
        self._lse_startup_ns = config.lse_startup_ns
        self._wakeup_ns = config.wakeup_ns  # from the wake-up event to the PLL's lock
        self._pll_from = 0
        self.lse_hz = LSE_HZ * (1 + config.faults.clock_drift_ppm * 1e-6)
        self._ready_at: dict[str, int] = {}
        bus.next_ready_ns = self._next_ready_ns

    def reset(self, reason: str) -> None:
        """Return to reset values; the backup domain survives all but a loss of power."""
        words, values = self._words, self.resets
        kept = {} if reason == "power" else {a: words[a] for a in values.kept if a in words}
        flags = 0 if reason == "power" else words.get(values.flags_at, 0) & values.flags_mask
        lse = self._ready_at.get("lse")
        words.clear()
        words.update(values.words)
        words.update(kept)
        words[values.flags_at] = values.words.get(values.flags_at, 0) | flags | values.flags[reason]
        self._ready_at = dict.fromkeys(self.running, 0)
        if lse is not None and reason != "power":
            self._ready_at["lse"] = lse
        self._clock.set_hz(self.core_hz())

    def core_hz(self) -> int:
        """Return the frequency of the core."""
        raise NotImplementedError

    def enter_stop(self) -> None:
        """Stop what a Stop mode stops."""
        raise NotImplementedError

    def leave_stop(self) -> None:
        """Run from what the core wakes on."""
        raise NotImplementedError

    def clocked(self, register: int, bit: int, name: str) -> bool:
        """Return whether a peripheral's clock is enabled; note its use without."""
        on = bool(self._words.get(register, 0) >> bit & 1)
        if not on:
            self._bus.violation(f"{name} is used with its clock disabled")
        return on

    def low_speed_hz(self, name: str) -> float:
        """Return the frequency of `lse` or `lsi`; 0 where it is not running."""
        if not self._is_ready(name):
            return 0
        return self.lse_hz if name == "lse" else LSI_HZ

    def _start(self, name: str, on: int) -> None:
        if not on:
            self._ready_at.pop(name, None)
        elif name not in self._ready_at:
            takes_ns = self._lse_startup_ns if name == "lse" else self.ready_ns[name]
            ready = self._clock.t_ns + takes_ns
            self._ready_at[name] = max(ready, self._pll_from) if name == "pll" else ready

    def _next_ready_ns(self) -> int | None:
        now = self._clock.t_ns
        return min((at for at in self._ready_at.values() if at > now), default=None)

    def _is_ready(self, name: str) -> bool:
        at = self._ready_at.get(name)
        return at is not None and self._clock.t_ns >= at

    def _with_ready(self, address: int, *bits: tuple[str, int, int]) -> int:
        """Return a register with its ready bits: (name, bit that turns it on, ready bit)."""
        value = self._words.get(address, 0)
        for name, on, ready in bits:
            value &= ~(1 << ready)
            if value >> on & 1 and self._is_ready(name):
                value |= 1 << ready
        return value

    def _wake(self, oscillator: str) -> None:
        """Pass the time of the way out of a Stop mode, with `oscillator` as the core's clock."""
        self._ready_at[oscillator] = self._clock.t_ns
        self._clock.set_hz(self.core_hz())
        self._pll_from = self._clock.t_ns + self._wakeup_ns
        self._clock.wait(min(5 * US, self._wakeup_ns), core_clocked=False)

    def _switch(self, name: str) -> None:
        """Note a switch of the core to an oscillator that does not run."""
        if not self._is_ready(name):
            self._bus.violation(f"the core is switched to {name} before that is ready")

    def _apply(self) -> None:
        """Follow the registers after a write that may have changed the core clock."""
        hz = self.core_hz()
        if hz != self._clock.hz:
            self._clock.set_hz(hz)
            self._check(hz)

    def _check(self, hz: int) -> None:
        """Note what silicon would not run at the new frequency."""
        raise NotImplementedError
