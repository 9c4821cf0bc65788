# SPDX-License-Identifier: GPL-2.0-or-later
"""Clock tree, power control and flash interface of the STM32L4+ (RM0432 chapters 3, 5 and 6)."""

from __future__ import annotations

from typing import ClassVar

from edgekit.virtual.twin.bus import Bus
from edgekit.virtual.twin.clock import Clock
from edgekit.virtual.twin.config import TwinConfig

from .clock_tree import US, ClockTree, Resets, ahb_shift, apb_shift

RCC = 0x4002_1000
CR, CFGR, PLLCFGR = RCC, RCC + 0x08, RCC + 0x0C
AHB2ENR, APB1ENR1, APB1ENR2 = RCC + 0x4C, RCC + 0x58, RCC + 0x5C
CCIPR, BDCR, CSR, CRRCR = RCC + 0x88, RCC + 0x90, RCC + 0x94, RCC + 0x98
PWR = 0x4000_7000
PWR_CR1, PWR_CR2, PWR_SR2, PWR_CR5 = PWR, PWR + 0x04, PWR + 0x14, PWR + 0x80
FLASH_ACR = 0x4002_2000

_MSI_HZ = (
    *(100_000, 200_000, 400_000, 800_000, 1_000_000, 2_000_000),
    *(4_000_000, 8_000_000, 16_000_000, 24_000_000, 32_000_000, 48_000_000),
)
_HSI_HZ = 16_000_000
_HZ_PER_WAIT_STATE = 20_000_000  # range 1, boost mode
_RANGE1_MAX_HZ, _RANGE2_MAX_HZ = 80_000_000, 26_000_000
_PLL_FACTORS = 0x0600_7FF3
_BACKUP_DOMAIN = (BDCR, *range(0x4000_2850, 0x4000_28D0, 4))  # LSE, RTC backup registers


class L4ClockTree(ClockTree):
    """RCC, PWR and FLASH_ACR."""

    resets = Resets(
        words={
            CR: 0x63,
            PLLCFGR: 0x1000,
            PWR_CR1: 0x200,
            PWR_CR5: 0x100,
            FLASH_ACR: 0x600,
            CSR: 0x600,
        },
        kept=_BACKUP_DOMAIN,
        flags_at=CSR,
        flags_mask=0xFF00_0000,
        flags={"power": 1 << 27 | 1 << 26, "pin": 1 << 26, "software": 1 << 28 | 1 << 26},
    )
    running = ("msi",)
    ready_ns: ClassVar = {"msi": 3 * US, "hsi": 3 * US, "pll": 15 * US, "lsi": 100 * US}

    def __init__(self, bus: Bus, clock: Clock, config: TwinConfig) -> None:
        super().__init__(bus, clock, config)
        for base in (RCC, PWR, 0x4002_2000, 0x4000_2800):
            bus.claim(base)
        bus.on_read(CR, self._read_cr)
        bus.on_write(CR, self._write_cr)
        bus.on_write(CFGR, self._write_cfgr)
        bus.on_write(PLLCFGR, self._write_pllcfgr)
        bus.on_read(BDCR, lambda: self._with_ready(BDCR, ("lse", 0, 1)))
        bus.on_write(BDCR, self._write_bdcr)
        bus.on_read(CSR, lambda: self._with_ready(CSR, ("lsi", 0, 1)))
        bus.on_write(CSR, self._write_csr)
        bus.on_read(PWR_SR2, lambda: 0x100)  # REGLPS; VOSF and REGLPF clear: regulator settled
        bus.on_read(CRRCR, lambda: self._with_ready(CRRCR, ("hsi", 0, 1)))

    def enter_stop(self) -> None:
        """Stop the fast oscillators, as Stop modes do."""
        words = self._words
        words[CR] &= ~(1 << 24 | 1 << 16 | 1 << 8)
        self._ready_at.pop("pll", None)
        self._ready_at.pop("hsi", None)

    def leave_stop(self) -> None:
        """Run from MSI, or HSI where CFGR.STOPWUCK says so."""
        words = self._words
        hsi = words.get(CFGR, 0) >> 15 & 1
        words[CFGR] = (words.get(CFGR, 0) & ~3) | (1 if hsi else 0)
        words[CR] |= 1 << 8 if hsi else 1
        self._wake("hsi" if hsi else "msi")

    def core_hz(self) -> int:
        """Return the frequency of HCLK."""
        cfgr = self._words.get(CFGR, 0)
        source = (self._msi_hz(), _HSI_HZ, 0, self._pll_hz())[cfgr & 3]
        return max(source >> ahb_shift(cfgr >> 4 & 0xF), 1)

    def kernel_hz(self, at: int, *, lptim: bool = False) -> float:
        """Return the clock that two bits of CCIPR from `at` pick; 0 where it is not running."""
        selector = self._words.get(CCIPR, 0) >> at & 3
        if lptim and selector == 1:
            return self.low_speed_hz("lsi")
        if selector == 2:
            return _HSI_HZ if self._is_ready("hsi") else 0
        if selector == 3:
            return self.low_speed_hz("lse")
        apb = self.core_hz() >> apb_shift(self._words.get(CFGR, 0) >> 8)
        return self.core_hz() if selector == 1 else apb

    def _msi_hz(self) -> int:
        words = self._words
        cr = words.get(CR, 0)
        index = cr >> 4 & 0xF if cr & 8 else words.get(CSR, 0) >> 8 & 0xF
        return _MSI_HZ[min(index, 11)]

    def _pll_hz(self) -> int:
        cfg = self._words.get(PLLCFGR, 0)
        source = (0, self._msi_hz(), _HSI_HZ, 0)[cfg & 3]
        m, n, r = (cfg >> 4 & 0xF) + 1, cfg >> 8 & 0x7F, 2 * ((cfg >> 25 & 3) + 1)
        return source * n // (m * r)

    def _read_cr(self) -> int:
        return self._with_ready(CR, ("msi", 0, 1), ("hsi", 8, 10), ("pll", 24, 25))

    def _write_cr(self, value: int) -> None:
        self._words[CR] = value
        self._start("msi", value & 1)
        self._start("hsi", value >> 8 & 1)
        self._start("pll", value >> 24 & 1)
        self._apply()

    def _write_pllcfgr(self, value: int) -> None:
        changed = self._words.get(PLLCFGR, 0) ^ value
        if self._words.get(CR, 0) >> 24 & 1 and changed & _PLL_FACTORS:
            self._bus.violation("RCC_PLLCFGR's factors are written while the PLL is on")
        self._words[PLLCFGR] = value

    def _write_cfgr(self, value: int) -> None:
        switch = value & 3
        self._switch(("msi", "hsi", "hse", "pll")[switch])
        if switch == 3 and not self._words.get(PLLCFGR, 0) >> 24 & 1:
            self._bus.violation("the core is switched to the PLL while PLLREN is clear")
        self._words[CFGR] = value & ~0xC | switch << 2
        self._apply()

    def _write_bdcr(self, value: int) -> None:
        if not self._words.get(PWR_CR1, 0) >> 8 & 1:
            self._bus.violation("RCC_BDCR is written while PWR_CR1.DBP is clear")
            return
        self._words[BDCR] = value
        self._start("lse", value & 1)

    def _write_csr(self, value: int) -> None:
        flags = self._words.get(CSR, 0) & 0xFF00_0000
        if value >> 23 & 1:
            flags = 0
        self._words[CSR] = value & 0x007F_FFFF | flags
        self._start("lsi", value & 1)
        self._apply()

    def _check(self, hz: int) -> None:
        words = self._words
        if words.get(FLASH_ACR, 0) & 0xF < (hz - 1) // _HZ_PER_WAIT_STATE:
            self._bus.violation(f"too few flash wait states for {hz} Hz")
        if words.get(PWR_CR1, 0) >> 9 & 3 == 2 and hz > _RANGE2_MAX_HZ:
            self._bus.violation(f"{hz} Hz in voltage range 2")
        if words.get(PWR_CR5, 0) >> 8 & 1 and hz > _RANGE1_MAX_HZ:
            self._bus.violation(f"{hz} Hz without range 1 boost mode")
