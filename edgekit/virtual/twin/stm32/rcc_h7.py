# SPDX-License-Identifier: GPL-2.0-or-later
"""Clock tree, power control and flash interface of the STM32H7A3 (RM0455)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from edgekit.virtual.twin.bus import Bus
from edgekit.virtual.twin.clock import Clock
from edgekit.virtual.twin.config import TwinConfig

from .clock_tree import US, ClockTree, Resets, ahb_shift, apb_shift

_RCC, _PWR = 0x5802_4400, 0x5802_4800
_CR, _CFGR, _CDCFGR1, _CDCFGR2, _SRDCFGR = _RCC, _RCC + 0x10, _RCC + 0x18, _RCC + 0x1C, _RCC + 0x20
_PLLCKSELR, _PLLCFGR, _PLL1DIVR = _RCC + 0x28, _RCC + 0x2C, _RCC + 0x30
CDCCIP2R, _BDCR, _CSR, _RSR = _RCC + 0x54, _RCC + 0x70, _RCC + 0x74, _RCC + 0x130
AHB4ENR, APB1LENR = _RCC + 0x140, _RCC + 0x148
_CR1, _CSR1, _CR3, _CPUCR, _SRDCR = _PWR, _PWR + 0x04, _PWR + 0x0C, _PWR + 0x10, _PWR + 0x18
_FLASH_ACR = 0x5200_2000
_RTC, _TAMP_BACKUP = 0x5800_4000, range(0x5800_4500, 0x5800_4580, 4)

_HSI_HZ = 64_000_000
_MHZ = 1_000_000
# By PWR_SRDCR.VOS, VOS3 first: most that the core may run at, and that each wait state allows.
_VOS_MAX_HZ = (88 * _MHZ, 160 * _MHZ, 225 * _MHZ, 280 * _MHZ)
_HZ_PER_WAIT_STATE = (22 * _MHZ, 34 * _MHZ, 42 * _MHZ, 44 * _MHZ)
_SUPPLY, _SUPPLY_UNSET = 7, 6
_PLL_ON = 1 << 24
_PDDS_SRD = 1 << 2


class H7ClockTree(ClockTree):
    """RCC, PWR and FLASH_ACR."""

    resets = Resets(
        words={
            _CR: 0x25,
            _PLLCKSELR: 0x0202_0200,
            _PLLCFGR: 0x01FF_0000,
            _PLL1DIVR: 0x0101_0280,
            _CR1: 0xF000_C000,
            _CR3: _SUPPLY_UNSET,
            _SRDCR: 0,
            _FLASH_ACR: 0x13,
        },
        kept=(_BDCR, _CR3, *_TAMP_BACKUP),
        flags_at=_RSR,
        flags_mask=0x7FFF_0000,
        flags={
            "power": 1 << 23 | 1 << 22 | 1 << 21 | 1 << 19,
            "pin": 1 << 22 | 1 << 19,
            "software": 1 << 24 | 1 << 22 | 1 << 19,
        },
    )
    running = ("hsi", "voltage")
    ready_ns: ClassVar = {
        "hsi": 2 * US,
        "pll": 60 * US,
        "lsi": 120 * US,
        "voltage": 100 * US,
        "supply": 20 * US,
    }

    def __init__(self, bus: Bus, clock: Clock, config: TwinConfig) -> None:
        super().__init__(bus, clock, config)
        for base in (_RCC, _PWR, _FLASH_ACR, _RTC, _RTC + 0x400):
            bus.claim(base)
        bus.on_read(_CR, lambda: self._with_ready(_CR, ("hsi", 0, 2), ("pll", 24, 25)))
        bus.on_write(_CR, self._write_cr)
        bus.on_write(_CFGR, self._write_cfgr)
        for address in (_CDCFGR1, _CDCFGR2, _SRDCFGR):
            bus.on_write(address, self._setter(address))
        for address in (_PLLCKSELR, _PLLCFGR, _PLL1DIVR):
            bus.on_write(address, self._pll_writer(address))
        bus.on_read(_BDCR, lambda: self._with_ready(_BDCR, ("lse", 0, 1)))
        bus.on_write(_BDCR, self._write_bdcr)
        bus.on_read(_CSR, lambda: self._with_ready(_CSR, ("lsi", 0, 1)))
        bus.on_write(_CSR, self._write_csr)
        bus.on_write(_RSR, self._write_rsr)
        bus.on_read(_CSR1, self._read_csr1)
        bus.on_write(_CR3, self._write_cr3)
        bus.on_read(_SRDCR, lambda: self._words[_SRDCR] | self._settled("voltage"))
        bus.on_write(_SRDCR, self._write_srdcr)

    def reset(self, reason: str) -> None:
        """Return to reset values; the supply stays as it was chosen since power came."""
        super().reset(reason)
        if self._words[_CR3] & _SUPPLY != _SUPPLY_UNSET:
            self._ready_at["supply"] = 0

    def enter_stop(self) -> None:
        """Stop the fast oscillators, as Stop mode does."""
        words = self._words
        if words.get(_CPUCR, 0) & _PDDS_SRD:
            self._bus.violation("PWR_CPUCR.PDDS_SRD is set: WFI enters Standby, which loses memory")
        words[_CR] &= ~(_PLL_ON | 1 << 16 | 1)
        self._ready_at.pop("pll", None)
        self._ready_at.pop("hsi", None)

    def leave_stop(self) -> None:
        """Run from HSI, in VOS3."""
        words = self._words
        if words.get(_CFGR, 0) >> 6 & 1:
            self._bus.violation("Stop mode is left on CSI, which is not modelled")
        words[_CFGR] = words.get(_CFGR, 0) & ~0x3F
        words[_CR] |= 1
        words[_SRDCR] = 0
        self._wake("hsi")

    def core_hz(self) -> int:
        """Return the frequency of the core."""
        source = _HSI_HZ if self._words.get(_CFGR, 0) & 7 == 0 else self._pll_hz()
        return max(source >> ahb_shift(self._words.get(_CDCFGR1, 0) >> 8 & 0xF), 1)

    def usart3_hz(self) -> float:
        """Return the clock that CDCCIP2R.USART234578SEL picks; 0 where it is not running."""
        selector = self._words.get(CDCCIP2R, 0) & 7
        if selector == 0:
            return self._bus_hz() >> apb_shift(self._words.get(_CDCFGR2, 0) >> 4)
        if selector == 3:
            return _HSI_HZ if self._is_ready("hsi") else 0
        return self.low_speed_hz("lse") if selector == 5 else 0  # PLL2, PLL3, CSI: not modelled

    def lptim1_hz(self) -> float:
        """Return the clock that CDCCIP2R.LPTIM1SEL picks; 0 where it is not running."""
        selector = self._words.get(CDCCIP2R, 0) >> 28 & 7
        name = {3: "lse", 4: "lsi"}.get(selector, "")
        return self.low_speed_hz(name)

    def _bus_hz(self) -> int:
        return self.core_hz() >> ahb_shift(self._words.get(_CDCFGR1, 0) & 0xF)

    def _pll_input_hz(self) -> int:
        select = self._words.get(_PLLCKSELR, 0)
        divider = select >> 4 & 0x3F
        return _HSI_HZ // divider if select & 3 == 0 and divider else 0

    def _vco_hz(self) -> int:
        return self._pll_input_hz() * ((self._words.get(_PLL1DIVR, 0) & 0x1FF) + 1)

    def _pll_hz(self) -> int:
        return self._vco_hz() // ((self._words.get(_PLL1DIVR, 0) >> 9 & 0x7F) + 1)

    def _vos(self) -> int:
        return self._words[_SRDCR] >> 14 & 3

    def _settled(self, name: str) -> int:
        return 1 << 13 if self._is_ready(name) else 0

    def _setter(self, address: int) -> Callable[[int], None]:
        def write(value: int) -> None:
            self._words[address] = value
            self._apply()
            self._check_buses()

        return write

    def _pll_writer(self, address: int) -> Callable[[int], None]:
        def write(value: int) -> None:
            if self._words[_CR] & _PLL_ON:
                self._bus.violation("PLL1's factors are written while it is on")
            self._words[address] = value

        return write

    def _write_cr(self, value: int) -> None:
        if value & _PLL_ON and not self._words[_CR] & _PLL_ON:
            self._check_pll()
        self._words[_CR] = value
        self._start("hsi", value & 1)
        self._start("pll", value & _PLL_ON)
        self._apply()

    def _check_pll(self) -> None:
        reference, vco = self._pll_input_hz(), self._vco_hz()
        config = self._words.get(_PLLCFGR, 0)
        lowest = _MHZ << (config >> 2 & 3)
        if not lowest <= reference <= 2 * lowest:
            self._bus.violation(f"PLL1's input is {reference} Hz, which PLL1RGE does not cover")
        least, most = (150, 420) if config & 2 else (128, 560)
        if not least * _MHZ <= vco <= most * _MHZ:
            self._bus.violation(f"PLL1's oscillator would have to run at {vco} Hz")

    def _write_cfgr(self, value: int) -> None:
        switch = value & 7
        self._switch({0: "hsi", 1: "csi", 2: "hse", 3: "pll"}.get(switch, "nothing"))
        if switch == 3 and not self._words.get(_PLLCFGR, 0) >> 16 & 1:
            self._bus.violation("the core is switched to PLL1 while DIVP1EN is clear")
        self._words[_CFGR] = value & ~0x38 | switch << 3
        self._apply()

    def _write_bdcr(self, value: int) -> None:
        if not self._words.get(_CR1, 0) >> 8 & 1:
            self._bus.violation("RCC_BDCR is written while PWR_CR1.DBP is clear")
            return
        self._words[_BDCR] = value
        self._start("lse", value & 1)

    def _write_csr(self, value: int) -> None:
        self._words[_CSR] = value
        self._start("lsi", value & 1)

    def _write_rsr(self, value: int) -> None:
        if value >> 16 & 1:
            self._words[_RSR] = 0

    def _read_csr1(self) -> int:
        settled = self._settled("voltage") if self._is_ready("supply") else 0
        return self._vos() << 14 | settled

    def _write_cr3(self, value: int) -> None:
        before = self._words[_CR3]
        if before & _SUPPLY != _SUPPLY_UNSET and (before ^ value) & _SUPPLY:
            self._bus.violation("PWR_CR3's supply is written again: it can be chosen once")
            value = value & ~_SUPPLY | before & _SUPPLY
        self._words[_CR3] = value
        self._start("supply", value & _SUPPLY != _SUPPLY_UNSET)

    def _write_srdcr(self, value: int) -> None:
        if not self._is_ready("supply"):
            self._bus.violation("the core voltage is changed before the supply was chosen")
        before = self._vos()
        self._words[_SRDCR] = value & 3 << 14
        if self._vos() != before:
            self._ready_at.pop("voltage", None)
            self._start("voltage", 1)
            if self._vos() < before:
                self._check(self._clock.hz)

    def _check(self, hz: int) -> None:
        vos, words = self._vos(), self._words
        bus_hz = self._bus_hz()
        if words.get(_FLASH_ACR, 0) & 0xF < (bus_hz - 1) // _HZ_PER_WAIT_STATE[vos]:
            self._bus.violation(f"too few flash wait states for {bus_hz} Hz")
        if hz > _VOS_MAX_HZ[vos] or not self._is_ready("voltage"):
            self._bus.violation(f"{hz} Hz in VOS{3 - vos}, or before that is reached")
        self._check_buses()

    def _check_buses(self) -> None:
        """Note an APB faster than half of what the core may be."""
        words, bus_hz = self._words, self._bus_hz()
        most_hz = _VOS_MAX_HZ[self._vos()] // 2
        for register, at in ((_CDCFGR1, 4), (_CDCFGR2, 4), (_CDCFGR2, 8), (_SRDCFGR, 4)):
            hz = bus_hz >> apb_shift(words.get(register, 0) >> at)
            if hz > most_hz and words.get(_CFGR, 0) & 7:
                self._bus.violation(f"an APB runs at {hz} Hz in VOS{3 - self._vos()}")
