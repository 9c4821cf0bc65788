# SPDX-License-Identifier: GPL-2.0-or-later
"""Clock tree, power control, flash interface and instruction cache of the STM32U575 (RM0456)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from edgekit.virtual.twin.bus import Bus
from edgekit.virtual.twin.clock import Clock
from edgekit.virtual.twin.config import TwinConfig

from .clock_tree import US, ClockTree, Resets, ahb_shift, apb_shift

_RCC, _PWR = 0x4602_0C00, 0x4602_0800
_CR, _ICSCR1, _CFGR1, _CFGR2 = _RCC, _RCC + 0x08, _RCC + 0x1C, _RCC + 0x20
_PLL1CFGR, _PLL1DIVR = _RCC + 0x28, _RCC + 0x34
AHB2ENR1, _AHB3ENR, APB2ENR, APB3ENR = _RCC + 0x8C, _RCC + 0x94, _RCC + 0xA4, _RCC + 0xA8
_APB3SMENR, _SRDAMR = _RCC + 0xD0, _RCC + 0xD8
CCIPR1, CCIPR3, _BDCR, _CSR = _RCC + 0xE0, _RCC + 0xE8, _RCC + 0xF0, _RCC + 0xF4
_PWR_CR1, _PWR_CR3, _VOSR, SVMCR = _PWR, _PWR + 0x08, _PWR + 0x0C, _PWR + 0x10
_DBPR, _SVMSR = _PWR + 0x28, _PWR + 0x3C
_FLASH_ACR = 0x4002_2000
_ICACHE_CR, _ICACHE_SR = 0x4003_0400, 0x4003_0404
_TAMP, _TAMP_BACKUP = 0x4600_7C00, range(0x4600_7D00, 0x4600_7D80, 4)

_MSI_HZ = (
    *(48_000_000, 24_000_000, 16_000_000, 12_000_000, 4_000_000, 2_000_000, 1_330_000, 1_000_000),
    *(3_072_000, 1_536_000, 1_024_000, 768_000, 400_000, 200_000, 133_000, 100_000),
)
_HSI_HZ = 16_000_000
_MHZ = 1_000_000
_BOOST_ABOVE_HZ = 55 * _MHZ
_WAKE_MAX_HZ = 24 * _MHZ
# By PWR_VOSR.VOS, range 4 first: most that the core may run at, and that each wait state allows.
_RANGE_MAX_HZ = (24 * _MHZ, 50 * _MHZ, 100 * _MHZ, 160 * _MHZ)
_HZ_PER_WAIT_STATE = (8_000_000, 12_500_000, 25_000_000, 32_000_000)
_SMPS, _BOOSTEN = 1 << 1, 1 << 18
_LPTIM1 = 11  # bit of APB3SMENR and SRDAMR
_PLL_ON = 1 << 24


class U5ClockTree(ClockTree):
    """RCC, PWR, FLASH_ACR and ICACHE."""

    resets = Resets(
        words={
            _CR: 0x35,
            _ICSCR1: 0x4400_0000,
            _PLL1DIVR: 0x0101_0280,
            _AHB3ENR: 0x8000_0000,
            _APB3SMENR: 0xFFFF_FFFF,
            _CSR: 0x4400,
            _VOSR: 0,
            _FLASH_ACR: 1,
            _ICACHE_CR: 4,
        },
        kept=(_BDCR, *_TAMP_BACKUP),
        flags_at=_CSR,
        flags_mask=0xFF00_0000,
        flags={"power": 1 << 27 | 1 << 26, "pin": 1 << 26, "software": 1 << 28 | 1 << 26},
    )
    running = ("msis", "voltage")
    ready_ns: ClassVar = {
        "msis": 5 * US,
        "hsi": 3 * US,
        "pll": 15 * US,
        "lsi": 130 * US,
        "lsesys": 62 * US,  # two periods of the crystal
        "smps": 20 * US,
        "voltage": 25 * US,
        "booster": 20 * US,
        "icache": 64 * US,  # a line in each cycle of 4 MHz
    }

    def __init__(self, bus: Bus, clock: Clock, config: TwinConfig) -> None:
        super().__init__(bus, clock, config)
        for base in (_RCC, _PWR, _FLASH_ACR, _ICACHE_CR, _TAMP):
            bus.claim(base)
        bus.on_read(_CR, self._read_cr)
        bus.on_write(_CR, self._write_cr)
        bus.on_write(_ICSCR1, self._write_icscr1)
        bus.on_write(_CFGR1, self._write_cfgr1)
        bus.on_write(_CFGR2, lambda value: self._set(_CFGR2, value))
        bus.on_write(_PLL1CFGR, self._write_pll1cfgr)
        bus.on_write(_PLL1DIVR, lambda value: self._write_pll(_PLL1DIVR, value))
        bus.on_read(_BDCR, self._read_bdcr)
        bus.on_write(_BDCR, self._write_bdcr)
        bus.on_write(_CSR, self._write_csr)
        for address in (_PWR_CR1, SVMCR, _DBPR):
            bus.on_write(address, self._power_writer(address))
        bus.on_write(_PWR_CR3, self._write_pwr_cr3)
        bus.on_read(_SVMSR, self._read_svmsr)
        bus.on_read(_VOSR, lambda: self._with_ready(_VOSR, ("booster", 18, 14)) | self._vosrdy())
        bus.on_write(_VOSR, self._write_vosr)
        bus.on_read(_ICACHE_SR, lambda: 0 if self._is_ready("icache") else 1)
        bus.on_write(_ICACHE_CR, self._write_icache_cr)

    def reset(self, reason: str) -> None:
        """Return to reset values; the cache begins to invalidate itself."""
        super().reset(reason)
        self._start("icache", 1)

    def wake_blocked(self) -> str:
        """Return why LPTIM1 cannot end the Stop mode that WFI would enter, or ""."""
        words = self._words
        if words.get(_PWR_CR1, 0) & 7 > 2:
            return "PWR_CR1.LPMS chooses a mode deeper than Stop 2: LPTIM1 does not run in it"
        for register, name in ((_APB3SMENR, "APB3SMENR"), (_SRDAMR, "SRDAMR")):
            if not words.get(register, 0) >> _LPTIM1 & 1:
                return f"Stop mode with LPTIM1's bit of RCC_{name} clear: LPTIM1 stands still"
        return ""

    def enter_stop(self) -> None:
        """Stop the fast oscillators, as Stop modes do; the booster goes off with them."""
        words = self._words
        if not words.get(_CFGR1, 0) >> 4 & 1 and self._msis_hz() > _WAKE_MAX_HZ:
            self._bus.violation("Stop mode is left on MSIS above 24 MHz, in voltage range 4")
        words[_CR] &= ~(_PLL_ON | 1 << 16 | 1 << 8)
        words[_VOSR] &= ~_BOOSTEN
        for name in ("pll", "hsi", "booster"):
            self._ready_at.pop(name, None)

    def leave_stop(self) -> None:
        """Run from MSIS, or HSI16 where CFGR1.STOPWUCK says so, in voltage range 4."""
        words = self._words
        hsi = words.get(_CFGR1, 0) >> 4 & 1
        words[_CFGR1] = words.get(_CFGR1, 0) & ~0xF | (5 if hsi else 0)
        words[_CR] |= 1 << 8 if hsi else 1
        words[_VOSR] &= ~(3 << 16)
        self._wake("hsi" if hsi else "msis")

    def core_hz(self) -> int:
        """Return the frequency of HCLK."""
        source = (self._msis_hz(), _HSI_HZ, 0, self._pll_hz())[self._words.get(_CFGR1, 0) & 3]
        return max(source >> ahb_shift(self._words.get(_CFGR2, 0) & 0xF), 1)

    def usart1_hz(self) -> float:
        """Return the clock that CCIPR1.USART1SEL picks; 0 where it is not running."""
        selector = self._words.get(CCIPR1, 0) & 3
        if selector == 2:
            return _HSI_HZ if self._is_ready("hsi") else 0
        if selector == 3:
            return self._lse_for_peripherals()
        apb = self.core_hz() >> apb_shift(self._words.get(_CFGR2, 0) >> 8)
        return self.core_hz() if selector == 1 else apb

    def lptim1_hz(self) -> float:
        """Return the clock that CCIPR3.LPTIM1SEL picks; 0 where it is not running."""
        selector = self._words.get(CCIPR3, 0) >> 10 & 3
        if selector == 1:
            return self.low_speed_hz("lsi")
        if selector == 2:
            return _HSI_HZ if self._is_ready("hsi") else 0
        return self._lse_for_peripherals() if selector == 3 else 0  # MSIK is not modelled

    def _lse_for_peripherals(self) -> float:
        if self._is_ready("lse") and not self._is_ready("lsesys"):
            self._bus.violation("LSE is used by a peripheral while RCC_BDCR.LSESYSRDY is clear")
        return self.low_speed_hz("lse") if self._is_ready("lsesys") else 0

    def _msis_hz(self) -> int:
        icscr1 = self._words.get(_ICSCR1, 0)
        chosen = icscr1 >> 28 if icscr1 >> 23 & 1 else self._words.get(_CSR, 0) >> 12
        return _MSI_HZ[chosen & 0xF]

    def _pll_source_hz(self) -> int:
        return (0, self._msis_hz(), _HSI_HZ, 0)[self._words.get(_PLL1CFGR, 0) & 3]

    def _pll_input_hz(self) -> int:
        return self._pll_source_hz() // ((self._words.get(_PLL1CFGR, 0) >> 8 & 0xF) + 1)

    def _vco_hz(self) -> int:
        return self._pll_input_hz() * ((self._words.get(_PLL1DIVR, 0) & 0x1FF) + 1)

    def _pll_hz(self) -> int:
        return self._vco_hz() // ((self._words.get(_PLL1DIVR, 0) >> 24 & 0x7F) + 1)

    def _range(self) -> int:
        return self._words.get(_VOSR, 0) >> 16 & 3

    def _set(self, address: int, value: int) -> None:
        self._words[address] = value
        self._apply()

    def _read_cr(self) -> int:
        return self._with_ready(_CR, ("msis", 0, 2), ("hsi", 8, 10), ("pll", 24, 25))

    def _write_cr(self, value: int) -> None:
        if value & _PLL_ON and not self._words[_CR] & _PLL_ON:
            self._check_pll()
        self._words[_CR] = value
        self._start("msis", value & 1)
        self._start("hsi", value >> 8 & 1)
        self._start("pll", value & _PLL_ON)
        self._apply()

    def _check_pll(self) -> None:
        reference, vco = self._pll_input_hz(), self._vco_hz()
        fast = self._words.get(_PLL1CFGR, 0) >> 2 & 3 == 3
        if not 4 * _MHZ <= reference <= 16 * _MHZ or fast != (reference > 8 * _MHZ):
            self._bus.violation(f"PLL1's input is {reference} Hz, which PLL1RGE does not cover")
        if not 128 * _MHZ <= vco <= 544 * _MHZ:
            self._bus.violation(f"PLL1's oscillator would have to run at {vco} Hz")

    def _write_icscr1(self, value: int) -> None:
        if not self._is_ready("msis"):
            self._bus.violation("MSIS changes its range before it is ready")
        self._set(_ICSCR1, value)

    def _write_cfgr1(self, value: int) -> None:
        switch = value & 3
        self._switch(("msis", "hsi", "hse", "pll")[switch])
        if switch == 3 and not self._words.get(_PLL1CFGR, 0) >> 18 & 1:
            self._bus.violation("the core is switched to the PLL while PLL1REN is clear")
        self._set(_CFGR1, value & ~0xC | switch << 2)

    def _write_pll(self, address: int, value: int) -> None:
        if self._words[_CR] & _PLL_ON:
            self._bus.violation("PLL1's factors are written while it is on")
        self._words[address] = value

    def _write_pll1cfgr(self, value: int) -> None:
        changed = self._words.get(_PLL1CFGR, 0) ^ value
        if changed & 0xF000 and self._words[_VOSR] & _BOOSTEN:
            self._bus.violation("PLL1MBOOST is written while the booster is on")
        if changed & 0xF1F:
            self._write_pll(_PLL1CFGR, value)
        self._words[_PLL1CFGR] = value

    def _read_bdcr(self) -> int:
        return self._with_ready(_BDCR, ("lse", 0, 1), ("lsesys", 7, 11), ("lsi", 26, 27))

    def _write_bdcr(self, value: int) -> None:
        if not self._words.get(_DBPR, 0) & 1:
            self._bus.violation("RCC_BDCR is written while PWR_DBPR.DBP is clear")
            return
        self._words[_BDCR] = value
        self._start("lse", value & 1)
        if value >> 7 & 1 and not self._is_ready("lse"):
            self._bus.violation("RCC_BDCR.LSESYSEN is set before LSE is ready")
        self._start("lsesys", value >> 7 & 1)
        self._start("lsi", value >> 26 & 1)

    def _write_csr(self, value: int) -> None:
        flags = 0 if value >> 23 & 1 else self._words.get(_CSR, 0) & 0xFF00_0000
        self._set(_CSR, value & 0x007F_FFFF | flags)

    def _power_clocked(self) -> None:
        self.clocked(_AHB3ENR, 2, "PWR")

    def _power_writer(self, address: int) -> Callable[[int], None]:
        def write(value: int) -> None:
            self._power_clocked()
            self._words[address] = value

        return write

    def _write_pwr_cr3(self, value: int) -> None:
        self._power_clocked()
        self._words[_PWR_CR3] = value
        self._start("smps", value & _SMPS)

    def _read_svmsr(self) -> int:
        smps = _SMPS if self._is_ready("smps") else 0
        return smps | self._vosrdy() | self._range() << 16

    def _vosrdy(self) -> int:
        return 1 << 15 if self._is_ready("voltage") else 0

    def _write_vosr(self, value: int) -> None:
        self._power_clocked()
        before = self._range()
        self._words[_VOSR] = value & (3 << 16 | _BOOSTEN)
        if self._range() != before:
            self._ready_at.pop("voltage", None)
            self._start("voltage", 1)
            if self._range() < before:
                self._check(self._clock.hz)
        if value & _BOOSTEN:
            self._check_booster()
        self._start("booster", value & _BOOSTEN)

    def _check_booster(self) -> None:
        code = self._words.get(_PLL1CFGR, 0) >> 12 & 0xF
        hz = self._pll_source_hz() // max(2 * code, 1)
        if self._range() < 2:
            self._bus.violation("the booster is turned on in voltage range 3 or 4")
        if not 4 * _MHZ <= hz <= 16 * _MHZ:
            self._bus.violation(f"the booster's clock is {hz} Hz, outside 4 to 16 MHz")

    def _write_icache_cr(self, value: int) -> None:
        if value & 1 and not self._is_ready("icache"):
            self._bus.violation("ICACHE is enabled while it invalidates itself")
        self._words[_ICACHE_CR] = value & ~2
        if value & 2:
            self._ready_at.pop("icache", None)
            self._start("icache", 1)

    def _check(self, hz: int) -> None:
        chosen = self._range()
        if self._words.get(_FLASH_ACR, 0) & 0xF < (hz - 1) // _HZ_PER_WAIT_STATE[chosen]:
            self._bus.violation(f"too few flash wait states for {hz} Hz")
        if hz > _RANGE_MAX_HZ[chosen] or not self._is_ready("voltage"):
            self._bus.violation(f"{hz} Hz in voltage range {4 - chosen}, or before that is reached")
        if hz > _BOOST_ABOVE_HZ and not self._is_ready("booster"):
            self._bus.violation(f"{hz} Hz without the booster")
