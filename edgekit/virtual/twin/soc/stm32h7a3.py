# SPDX-License-Identifier: GPL-2.0-or-later
"""STM32H7A3 (RM0455), with what a NUCLEO-H7A3ZI-Q connects to it."""

from __future__ import annotations

from edgekit.virtual.twin.bus import Bus
from edgekit.virtual.twin.caches import Caches
from edgekit.virtual.twin.config import TwinConfig
from edgekit.virtual.twin.core import sleepdeep
from edgekit.virtual.twin.cores import CORTEX_M7
from edgekit.virtual.twin.parts import Parts, Rom, Soc, Surroundings
from edgekit.virtual.twin.stm32 import identity, rcc_h7
from edgekit.virtual.twin.stm32.gpio import Gpio, GpioSite
from edgekit.virtual.twin.stm32.lptim import Lptim, LptimSite
from edgekit.virtual.twin.stm32.rcc_h7 import H7ClockTree
from edgekit.virtual.twin.stm32.uart import Uart, UartSite

_EXTI, _CPUIMR1, _CPUIMR2 = 0x5800_0000, 0x5800_0080, 0x5800_0090
_LPTIM1_LINE = 15  # line 47
_IWDG = 0x5800_4800
_GPIO = GpioSite(0x5802_0000, ports=11, enable=rcc_h7.AHB4ENR)


class _Exti:
    """Event lines: line 47 lets LPTIM1 end Stop mode."""

    def __init__(self, bus: Bus) -> None:
        self._words = bus.words
        bus.claim(_EXTI)

    def reset(self) -> None:
        self._words[_CPUIMR1] = 0xFFC0_0000
        self._words[_CPUIMR2] = 0

    def wake_blocked(self) -> str:
        if self._words[_CPUIMR2] >> _LPTIM1_LINE & 1:
            return ""
        return "Stop mode with EXTI line 47 masked: LPTIM1 cannot wake it"


def _build(around: Surroundings) -> Parts:
    config, bus, clock = around.config, around.bus, around.clock
    clocks = H7ClockTree(bus, clock, config)
    gpio = Gpio(bus, _GPIO, clocks, config.mark_pin, around.set_mark)
    usart3 = UartSite(
        "USART3",
        0x4000_4800,
        irq=39,
        enable=(rcc_h7.APB1LENR, 18),
        kernel_hz=clocks.usart3_hz,
        tx=("D", 8),
        rx=("D", 9),
        function=7,
    )
    lptim1 = LptimSite(0x4000_2400, irq=93, enable=(rcc_h7.APB1LENR, 9), kernel_hz=clocks.lptim1_hz)
    lptim = Lptim(bus, clock, lptim1, clocks)
    uart = Uart(bus, clock, usart3, clocks, gpio, around.wire, config.baud)
    exti = _Exti(bus)
    caches = Caches(bus, kbytes=16, data_ways=4, code_ways=2)
    identity.answer(bus, 0x5C00_1000)
    bus.claim(_IWDG)  # accepted, never bites
    return Parts(
        clocks=clocks,
        others=(gpio, lptim, uart, exti, caches),
        timer=lptim,
        uart=uart,
        deep=lambda: sleepdeep(bus),
        wake_blocked=exti.wake_blocked,
    )


def _rom(config: TwinConfig) -> tuple[Rom, ...]:
    return (identity.rom(config, 0x08FF_F800, 0x08FF_F80C),)


SOC = Soc(
    cpu=CORTEX_M7,
    build=_build,
    rom=_rom,
    more_ram=(
        (0x0000_0000, 0x1_0000),  # ITCM
        (0x2000_0000, 0x2_0000),  # DTCM
        (0x3000_0000, 0x2_0000),  # AHB SRAM
        (0x3800_0000, 0x8000),  # smart run domain
    ),
)
