# SPDX-License-Identifier: GPL-2.0-or-later
"""STM32H7A3 (RM0455), with what a NUCLEO-H7A3ZI-Q connects to it."""

from __future__ import annotations

from edgekit.virtual.twin.caches import Caches
from edgekit.virtual.twin.config import TwinConfig
from edgekit.virtual.twin.cores import CORTEX_M7
from edgekit.virtual.twin.parts import Parts, Rom, Soc, Surroundings
from edgekit.virtual.twin.stm32 import identity, rcc_h7
from edgekit.virtual.twin.stm32.assembly import Sites, assemble
from edgekit.virtual.twin.stm32.exti import Exti
from edgekit.virtual.twin.stm32.gpio import GpioSite
from edgekit.virtual.twin.stm32.lptim import LptimSite
from edgekit.virtual.twin.stm32.rcc_h7 import H7ClockTree
from edgekit.virtual.twin.stm32.uart import UartSite

_EXTI, _CPUIMR1, _CPUIMR2 = 0x5800_0000, 0x5800_0080, 0x5800_0090
_IWDG = 0x5800_4800
_GPIO = GpioSite(0x5802_0000, ports=11, enable=rcc_h7.AHB4ENR)


def _build(around: Surroundings) -> Parts:
    clocks = H7ClockTree(around.bus, around.clock, around.config)
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
    enable = (rcc_h7.APB1LENR, 9)
    lptim1 = LptimSite(0x4000_2400, irq=93, enable=enable, kernel_hz=clocks.lptim1_hz)
    masks = {_CPUIMR1: 0xFFC0_0000, _CPUIMR2: 0}
    exti = Exti(around.bus, _EXTI, masks, timer=(_CPUIMR2, 15, 47))
    caches = Caches(around.bus, kbytes=16, data_ways=4, code_ways=2)
    sites = Sites(_GPIO, usart3, lptim1, idcode=0x5C00_1000, accepted=(_IWDG,))
    return assemble(around, clocks, sites, exti.wake_blocked, (exti, caches))


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
