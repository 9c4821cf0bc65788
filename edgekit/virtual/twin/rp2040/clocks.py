# SPDX-License-Identifier: GPL-2.0-or-later
"""Oscillators, PLL, clock multiplexers, resets and the watchdog's tick."""

from __future__ import annotations

from edgekit.virtual.twin.bus import Bus
from edgekit.virtual.twin.clock import Clock

XOSC_HZ = 12_000_000
_ROSC_HZ = 6_500_000  # about
_CLOCKS, _XOSC, _PLL, _WATCHDOG = 0x4000_8000, 0x4002_4000, 0x4002_8000, 0x4005_8000
_RESETS, _CHIP_RESET = 0x4000_C000, 0x4006_4008
_REF_CTRL, _REF_SELECTED = _CLOCKS + 0x30, _CLOCKS + 0x38
_SYS_CTRL, _SYS_SELECTED, _PERI_CTRL = _CLOCKS + 0x3C, _CLOCKS + 0x44, _CLOCKS + 0x48
_SLEEP_EN1 = _CLOCKS + 0xAC
_XOSC_CTRL, _XOSC_STATUS, _XOSC_STARTUP = _XOSC, _XOSC + 4, _XOSC + 0xC
_PLL_CS, _PLL_PWR, _PLL_FBDIV, _PLL_PRIM = _PLL, _PLL + 4, _PLL + 8, _PLL + 0xC
_TICK = _WATCHDOG + 0x2C
_XOSC_ON = 0xFAB << 12
_PLL_PD, _PLL_POSTPD, _PLL_VCOPD = 1 << 0, 1 << 3, 1 << 5
_TICK_ON = 1 << 9
_LOCK_NS = 50_000
_VCO_HZ = (750_000_000, 1_600_000_000)
_ALL_RESET = 0x01FF_FFFF
_HAD_POR, _HAD_RUN = 1 << 8, 1 << 16
_NAMES = {5: "IO_BANK0", 8: "PADS_BANK0", 12: "PLL_SYS", 21: "TIMER", 22: "UART0"}


class Clocks:
    """clk_ref from the ring oscillator or the crystal, clk_sys from it or the PLL."""

    def __init__(self, bus: Bus, clock: Clock, wakeup_ns: int, drift_ppm: float) -> None:
        self._bus, self._clock, self._wakeup_ns = bus, clock, wakeup_ns
        self._drift = 1 + drift_ppm * 1e-6
        for base in (_CLOCKS, _XOSC, _PLL, _WATCHDOG, _RESETS, 0x4006_4000):
            bus.claim(base, 0x1000)
        bus.next_ready_ns = self._next_ready_ns
        bus.on_write(_XOSC_CTRL, self._write_xosc)
        bus.on_read(_XOSC_STATUS, lambda: int(self._is_ready("xosc")) << 31)
        bus.on_write(_PLL_PWR, self._write_pll_power)
        bus.on_read(_PLL_CS, self._read_pll)
        bus.on_write(_REF_CTRL, self._write_ref)
        bus.on_read(_REF_SELECTED, lambda: 1 << (bus.words.get(_REF_CTRL, 0) & 3))
        bus.on_write(_SYS_CTRL, self._write_sys)
        bus.on_read(_SYS_SELECTED, lambda: 1 << (bus.words.get(_SYS_CTRL, 0) & 1))
        bus.on_read(_RESETS + 8, lambda: ~bus.words.get(_RESETS, 0) & _ALL_RESET)

    def reset(self, reason: str) -> None:
        """Start over after power or the RUN pin; the core's own reset leaves all as it was."""
        if reason == "software":
            return
        words = self._bus.words
        words.clear()
        words[_RESETS] = _ALL_RESET
        words[_CHIP_RESET] = _HAD_POR if reason == "power" else _HAD_RUN
        words[_PLL_PWR] = _PLL_PD | _PLL_POSTPD | _PLL_VCOPD
        words[_SLEEP_EN1] = 0x7FFF
        self._ready_at: dict[str, int] = {}
        self._apply()

    def enter_stop(self) -> None:
        """Gate what SLEEP_EN gates; the core runs from what it ran from afterwards."""

    def leave_stop(self) -> None:
        """Take the time of the way out."""
        self._clock.wait(self._wakeup_ns, core_clocked=False)

    def released(self, bit: int) -> bool:
        """Return whether a peripheral is out of reset; note its use before."""
        if self._bus.words.get(_RESETS, 0) >> bit & 1:
            self._bus.violation(f"{_NAMES[bit]} is used while it is held in reset")
            return False
        return True

    def sleep_clocked(self, bit: int) -> bool:
        """Return whether SLEEP_EN1 lets a clock run in deep sleep."""
        return bool(self._bus.words.get(_SLEEP_EN1, 0) >> bit & 1)

    def peripheral_hz(self) -> float:
        """Return the frequency of clk_peri; 0 where it is off."""
        control = self._bus.words.get(_PERI_CTRL, 0)
        if not control >> 11 & 1:
            return 0
        if control >> 5 & 7 == 4:
            return XOSC_HZ * self._drift if self._is_ready("xosc") else 0
        return self._core_hz()

    def tick_hz(self) -> float:
        """Return the rate at which the timer counts; 0 without a tick."""
        tick = self._bus.words.get(_TICK, 0)
        divider = tick & 0x1FF
        if not tick & _TICK_ON or not divider:
            return 0
        return self._ref_hz() * self._drift / divider

    def _ref_hz(self) -> int:
        return XOSC_HZ if self._bus.words.get(_REF_CTRL, 0) & 3 == 2 else _ROSC_HZ

    def _core_hz(self) -> int:
        words = self._bus.words
        if not words.get(_SYS_CTRL, 0) & 1:
            return self._ref_hz()
        prim = words.get(_PLL_PRIM, 0x0007_7000)
        return self._vco_hz() // max((prim >> 16 & 7) * (prim >> 12 & 7), 1)

    def _vco_hz(self) -> int:
        words = self._bus.words
        return XOSC_HZ // max(words.get(_PLL_CS, 1) & 0x3F, 1) * words.get(_PLL_FBDIV, 0)

    def _write_xosc(self, value: int) -> None:
        self._bus.words[_XOSC_CTRL] = value
        if value & 0xFF_F000 != _XOSC_ON:
            self._ready_at.pop("xosc", None)
        elif "xosc" not in self._ready_at:
            cycles = (self._bus.words.get(_XOSC_STARTUP, 0xC4) & 0x3FFF) * 256
            self._ready_at["xosc"] = self._clock.t_ns + cycles * 1_000_000_000 // XOSC_HZ

    def _write_pll_power(self, value: int) -> None:
        self.released(12)
        self._bus.words[_PLL_PWR] = value
        if value & (_PLL_PD | _PLL_VCOPD):
            self._ready_at.pop("pll", None)
            if self._bus.words.get(_SYS_CTRL, 0) & 1:
                self._bus.violation("PLL_SYS is switched off while the core runs from it")
            return
        low, high = _VCO_HZ
        if not low <= self._vco_hz() <= high:
            self._bus.violation(f"PLL_SYS runs at {self._vco_hz()} Hz")
        self._ready_at.setdefault("pll", self._clock.t_ns + _LOCK_NS)

    def _read_pll(self) -> int:
        return self._bus.words.get(_PLL_CS, 1) & 0x7FFF_FFFF | int(self._is_ready("pll")) << 31

    def _write_ref(self, value: int) -> None:
        if value & 3 == 2 and not self._is_ready("xosc"):
            self._bus.violation("clk_ref is switched to the crystal before that is stable")
        self._bus.words[_REF_CTRL] = value
        self._apply()

    def _write_sys(self, value: int) -> None:
        words = self._bus.words
        if value & 1:
            if not self._is_ready("pll"):
                self._bus.violation("clk_sys is switched to PLL_SYS before that has locked")
            if words.get(_PLL_PWR, 0) & _PLL_POSTPD:
                self._bus.violation("clk_sys is switched to PLL_SYS with its dividers off")
        words[_SYS_CTRL] = value
        self._apply()

    def _apply(self) -> None:
        self._clock.set_hz(self._core_hz())

    def _is_ready(self, name: str) -> bool:
        at = self._ready_at.get(name)
        return at is not None and self._clock.t_ns >= at

    def _next_ready_ns(self) -> int | None:
        now = self._clock.t_ns
        return min((at for at in self._ready_at.values() if at > now), default=None)
