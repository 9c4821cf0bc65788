# SPDX-License-Identifier: GPL-2.0-or-later
"""STM32U575 (RM0456), with what a NUCLEO-U575ZI-Q connects to it."""

from __future__ import annotations

from edgekit.virtual.twin.config import TwinConfig
from edgekit.virtual.twin.cores import CORTEX_M33
from edgekit.virtual.twin.parts import Parts, Rom, Soc, Surroundings
from edgekit.virtual.twin.stm32 import identity, rcc_u5
from edgekit.virtual.twin.stm32.assembly import Sites, assemble
from edgekit.virtual.twin.stm32.gpio import GpioSite
from edgekit.virtual.twin.stm32.lptim import LptimSite
from edgekit.virtual.twin.stm32.rcc_u5 import U5ClockTree
from edgekit.virtual.twin.stm32.uart import UartSite

_IWDG = 0x4000_3000
_GPIO = GpioSite(
    0x4202_0000,
    ports=9,
    enable=rcc_u5.AHB2ENR1,
    second_supply=(rcc_u5.SVMCR, 29, "PWR_SVMCR.IO2SV"),
)


def _build(around: Surroundings) -> Parts:
    clocks = U5ClockTree(around.bus, around.clock, around.config)
    usart1 = UartSite(
        "USART1",
        0x4001_3800,
        irq=61,
        enable=(rcc_u5.APB2ENR, 14),
        kernel_hz=clocks.usart1_hz,
        tx=("A", 9),
        rx=("A", 10),
        function=7,
    )
    lptim1 = LptimSite(
        0x4600_4400,
        irq=67,
        enable=(rcc_u5.APB3ENR, 11),
        kernel_hz=clocks.lptim1_hz,
        has_dierok=True,
    )
    sites = Sites(_GPIO, usart1, lptim1, idcode=0xE004_4000, accepted=(_IWDG,))
    return assemble(around, clocks, sites, clocks.wake_blocked)


def _rom(config: TwinConfig) -> tuple[Rom, ...]:
    return (identity.rom(config, 0x0BFA_0700, 0x0BFA_07A0),)


SOC = Soc(cpu=CORTEX_M33, build=_build, rom=_rom, more_ram=((0x2800_0000, 0x4000),))  # SRAM4
