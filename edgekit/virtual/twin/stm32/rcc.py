# SPDX-License-Identifier: GPL-2.0-or-later
"""Clock tree, power control and flash interface of the STM32L4+ (RM0432 chapters 3, 5 and 6)."""

from __future__ import annotations

from edgekit.virtual.twin.bus import Bus
from edgekit.virtual.twin.clock import Clock

RCC = 0x4002_1000
CR, CFGR, PLLCFGR = RCC, RCC + 0x08, RCC + 0x0C
AHB2ENR, APB1ENR1, APB1ENR2 = RCC + 0x4C, RCC + 0x58, RCC + 0x5C
CCIPR, BDCR, CSR, CRRCR = RCC + 0x88, RCC + 0x90, RCC + 0x94, RCC + 0x98
PWR = 0x4000_7000
PWR_CR1, PWR_CR2, PWR_SR2, PWR_CR5 = PWR, PWR + 0x04, PWR + 0x14, PWR + 0x80
FLASH_ACR = 0x4002_2000

RESET_FLAGS = {"power": 1 << 27 | 1 << 26, "pin": 1 << 26, "software": 1 << 28 | 1 << 26}

_MSI_HZ = (
    *(100_000, 200_000, 400_000, 800_000, 1_000_000, 2_000_000),
    *(4_000_000, 8_000_000, 16_000_000, 24_000_000, 32_000_000, 48_000_000),
)
_HSI_HZ = 16_000_000
_LSE_HZ, _LSI_HZ = 32_768, 32_000
_US = 1_000
_READY_NS = {"msi": 3 * _US, "hsi": 3 * _US, "pll": 15 * _US, "lsi": 100 * _US}
_STOP_EXIT_NS = 5 * _US
_HZ_PER_WAIT_STATE = 20_000_000  # range 1, boost mode
_RANGE1_MAX_HZ, _RANGE2_MAX_HZ = 80_000_000, 26_000_000
_RESET = {
    CR: 0x63,
    PLLCFGR: 0x1000,
    PWR_CR1: 0x200,
    PWR_CR5: 0x100,
    FLASH_ACR: 0x600,
    CSR: 0x600,
}
_PLL_FACTORS = 0x0600_7FF3
_BACKUP_DOMAIN = (BDCR, *range(0x4000_2850, 0x4000_28D0, 4))  # LSE, RTC backup registers


class ClockTree:
    """Ready bits after their start-up time; the core clock that follows from the registers."""

    def __init__(
        self, bus: Bus, clock: Clock, lse_startup_ns: int, wakeup_ns: int, drift_ppm: float
    ) -> None:
        self._bus, self._clock = bus, clock
        self._lse_startup_ns = lse_startup_ns
        self._wakeup_ns = wakeup_ns  # from the wake-up event to the PLL's lock
        self._pll_from = 0
        self.lse_hz = _LSE_HZ * (1 + drift_ppm * 1e-6)
        self._ready_at: dict[str, int] = {}
        for base in (RCC, PWR, 0x4002_2000, 0x4000_2800):
            bus.claim(base)
        bus.next_ready_ns = self._next_ready_ns
        bus.on_read(CR, self._read_cr)
        bus.on_write(CR, self._write_cr)
        bus.on_write(CFGR, self._write_cfgr)
        bus.on_write(PLLCFGR, self._write_pllcfgr)
        bus.on_read(BDCR, lambda: self._with_ready(BDCR, (("lse", 0, 1),)))
        bus.on_write(BDCR, self._write_bdcr)
        bus.on_read(CSR, lambda: self._with_ready(CSR, (("lsi", 0, 1),)))
        bus.on_write(CSR, self._write_csr)
        bus.on_read(PWR_SR2, lambda: 0x100)  # REGLPS; VOSF and REGLPF clear: regulator settled
        bus.on_read(CRRCR, lambda: self._with_ready(CRRCR, (("hsi", 0, 1),)))

    def reset(self, reason: str) -> None:
        """Return to reset values; the backup domain survives all but a loss of power."""
        words = self._bus.words
        kept = {} if reason == "power" else {a: words[a] for a in _BACKUP_DOMAIN if a in words}
        flags = 0 if reason == "power" else words.get(CSR, 0) & 0xFF00_0000
        lse = self._ready_at.get("lse")
        words.clear()
        words.update(_RESET)
        words.update(kept)
        words[CSR] = _RESET[CSR] | flags | RESET_FLAGS[reason]
        self._ready_at = {"msi": 0}
        if lse is not None and reason != "power":
            self._ready_at["lse"] = lse
        self._clock.set_hz(self.core_hz())

    def enter_stop(self) -> None:
        """Stop the fast oscillators, as Stop modes do."""
        words = self._bus.words
        words[CR] &= ~(1 << 24 | 1 << 16 | 1 << 8)
        self._ready_at.pop("pll", None)
        self._ready_at.pop("hsi", None)

    def leave_stop(self) -> None:
        """Run from MSI, or HSI where CFGR.STOPWUCK says so."""
        words = self._bus.words
        hsi = words.get(CFGR, 0) >> 15 & 1
        words[CFGR] = (words.get(CFGR, 0) & ~3) | (1 if hsi else 0)
        words[CR] |= 1 << 8 if hsi else 1
        self._ready_at["hsi" if hsi else "msi"] = self._clock.t_ns
        self._clock.set_hz(self.core_hz())
        self._pll_from = self._clock.t_ns + self._wakeup_ns
        self._clock.wait(min(_STOP_EXIT_NS, self._wakeup_ns), core_clocked=False)

    def core_hz(self) -> int:
        """Return the frequency of HCLK."""
        cfgr = self._bus.words.get(CFGR, 0)
        source = (self._msi_hz(), _HSI_HZ, 0, self._pll_hz())[cfgr & 3]
        divider = cfgr >> 4 & 0xF
        steps = {8: 1, 9: 2, 10: 3, 11: 4, 12: 6, 13: 7, 14: 8, 15: 9}.get(divider, 0)
        return max(source >> steps, 1)

    def kernel_hz(self, selector: int, *, lptim: bool = False) -> float:
        """Return the clock that a two-bit selector of CCIPR picks; 0 where it is not running."""
        if lptim and selector == 1:
            return _LSI_HZ if self._is_ready("lsi") else 0
        if selector == 2:
            return _HSI_HZ if self._is_ready("hsi") else 0
        if selector == 3:
            return self.lse_hz if self._is_ready("lse") else 0
        prescaler = self._bus.words.get(CFGR, 0) >> 8 & 7
        apb = self.core_hz() >> max(prescaler - 3, 0)
        return self.core_hz() if selector == 1 else apb

    def clocked(self, register: int, bit: int, name: str) -> bool:
        """Return whether a peripheral's clock is enabled; note its use without."""
        on = bool(self._bus.words.get(register, 0) >> bit & 1)
        if not on:
            self._bus.violation(f"{name} is used with its clock disabled")
        return on

    def _msi_hz(self) -> int:
        words = self._bus.words
        cr = words.get(CR, 0)
        index = cr >> 4 & 0xF if cr & 8 else words.get(CSR, 0) >> 8 & 0xF
        return _MSI_HZ[min(index, 11)]

    def _pll_hz(self) -> int:
        cfg = self._bus.words.get(PLLCFGR, 0)
        source = (0, self._msi_hz(), _HSI_HZ, 0)[cfg & 3]
        m, n, r = (cfg >> 4 & 0xF) + 1, cfg >> 8 & 0x7F, 2 * ((cfg >> 25 & 3) + 1)
        return source * n // (m * r)

    def _start(self, name: str, on: int, ns: int) -> None:
        if not on:
            self._ready_at.pop(name, None)
        elif name not in self._ready_at:
            ready = self._clock.t_ns + ns
            self._ready_at[name] = max(ready, self._pll_from) if name == "pll" else ready

    def _next_ready_ns(self) -> int | None:
        now = self._clock.t_ns
        return min((at for at in self._ready_at.values() if at > now), default=None)

    def _is_ready(self, name: str) -> bool:
        at = self._ready_at.get(name)
        return at is not None and self._clock.t_ns >= at

    def _with_ready(self, address: int, bits: tuple[tuple[str, int, int], ...]) -> int:
        value = self._bus.words.get(address, 0)
        for name, on, ready in bits:
            value &= ~(1 << ready)
            if value >> on & 1 and self._is_ready(name):
                value |= 1 << ready
        return value

    def _read_cr(self) -> int:
        return self._with_ready(CR, (("msi", 0, 1), ("hsi", 8, 10), ("pll", 24, 25)))

    def _write_cr(self, value: int) -> None:
        self._bus.words[CR] = value
        self._start("msi", value & 1, _READY_NS["msi"])
        self._start("hsi", value >> 8 & 1, _READY_NS["hsi"])
        self._start("pll", value >> 24 & 1, _READY_NS["pll"])
        self._apply()

    def _write_pllcfgr(self, value: int) -> None:
        changed = self._bus.words.get(PLLCFGR, 0) ^ value
        if self._bus.words.get(CR, 0) >> 24 & 1 and changed & _PLL_FACTORS:
            self._bus.violation("RCC_PLLCFGR's factors are written while the PLL is on")
        self._bus.words[PLLCFGR] = value

    def _write_cfgr(self, value: int) -> None:
        switch = value & 3
        name = ("msi", "hsi", "hse", "pll")[switch]
        if not self._is_ready(name):
            self._bus.violation(f"the core is switched to {name} before that is ready")
        if switch == 3 and not self._bus.words.get(PLLCFGR, 0) >> 24 & 1:
            self._bus.violation("the core is switched to the PLL while PLLREN is clear")
        self._bus.words[CFGR] = value & ~0xC | switch << 2
        self._apply()

    def _write_bdcr(self, value: int) -> None:
        if not self._bus.words.get(PWR_CR1, 0) >> 8 & 1:
            self._bus.violation("RCC_BDCR is written while PWR_CR1.DBP is clear")
            return
        self._bus.words[BDCR] = value
        self._start("lse", value & 1, self._lse_startup_ns)

    def _write_csr(self, value: int) -> None:
        flags = self._bus.words.get(CSR, 0) & 0xFF00_0000
        if value >> 23 & 1:
            flags = 0
        self._bus.words[CSR] = value & 0x007F_FFFF | flags
        self._start("lsi", value & 1, _READY_NS["lsi"])
        self._apply()

    def _apply(self) -> None:
        hz = self.core_hz()
        if hz == self._clock.hz:
            return
        self._clock.set_hz(hz)
        words = self._bus.words
        if words.get(FLASH_ACR, 0) & 0xF < (hz - 1) // _HZ_PER_WAIT_STATE:
            self._bus.violation(f"too few flash wait states for {hz} Hz")
        if words.get(PWR_CR1, 0) >> 9 & 3 == 2 and hz > _RANGE2_MAX_HZ:
            self._bus.violation(f"{hz} Hz in voltage range 2")
        if words.get(PWR_CR5, 0) >> 8 & 1 and hz > _RANGE1_MAX_HZ:
            self._bus.violation(f"{hz} Hz without range 1 boost mode")
