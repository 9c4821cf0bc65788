# SPDX-License-Identifier: GPL-2.0-or-later
"""STM32L4R5 (RM0432), with what a NUCLEO-L4R5ZI connects to it."""

from __future__ import annotations

from edgekit.virtual.twin.bus import Bus
from edgekit.virtual.twin.config import TwinConfig
from edgekit.virtual.twin.core import sleepdeep
from edgekit.virtual.twin.cores import CORTEX_M4
from edgekit.virtual.twin.parts import Accelerator, Parts, Rom, Soc, Surroundings
from edgekit.virtual.twin.stm32 import identity
from edgekit.virtual.twin.stm32.gpio import Gpio
from edgekit.virtual.twin.stm32.lptim import Lptim
from edgekit.virtual.twin.stm32.lpuart import Lpuart
from edgekit.virtual.twin.stm32.rcc import ClockTree

_SYSCFG, _IWDG, _EXTI = 0x4001_0000, 0x4000_3000, 0x4001_0400
_IMR1, _IMR2 = _EXTI, _EXTI + 0x20
_SYSTEM = 0x1FFF_0000  # system memory: unique device identifier, flash size
_UID, _FLASH_KB = 0x7590, 0x75E0


class _Exti:
    """Event lines: line 32 lets LPTIM1 end a Stop mode."""

    def __init__(self, bus: Bus) -> None:
        self._words = bus.words
        bus.claim(_EXTI)

    def reset(self) -> None:
        self._words[_IMR2] = 0xFFFF_FF87
        self._words[_IMR1] = 0xFF82_0000

    def wake_blocked(self) -> str:
        if self._words[_IMR2] & 1:
            return ""
        return "Stop mode with EXTI line 32 masked: LPTIM1 cannot wake it"


def _build(around: Surroundings) -> Parts:
    config, bus, clock = around.config, around.bus, around.clock
    drift = config.faults.clock_drift_ppm
    clocks = ClockTree(bus, clock, config.lse_startup_ns, config.wakeup_ns, drift)
    gpio = Gpio(bus, clocks, config.mark_pin[1:], around.set_mark)
    lptim = Lptim(bus, clock, clocks)
    uart = Lpuart(bus, clock, clocks, gpio, around.wire)
    uart.configure(config.baud)
    exti = _Exti(bus)
    identity.answer(bus, 0xE004_2000)
    bus.claim(_SYSCFG)
    bus.claim(_IWDG)  # accepted, never bites
    return Parts(
        clocks=clocks,
        others=(gpio, lptim, uart, exti),
        timer=lptim,
        uart=uart,
        deep=lambda: sleepdeep(bus),
        wake_blocked=exti.wake_blocked,
    )


def _rom(config: TwinConfig) -> tuple[Rom, ...]:
    flash_kb = (config.flash_bytes // 1024).to_bytes(2, "little")
    return (Rom(_SYSTEM, 0x1_0000, {_UID: identity.uid(config), _FLASH_KB: flash_kb}),)


SOC = Soc(
    cpu=CORTEX_M4,
    build=_build,
    rom=_rom,
    flash_aliases=(0,),  # as the boot pins map it
    accelerator=Accelerator(code_lines=32, data_lines=8, line_bytes=32, reads_per_line=4),
)
