# SPDX-License-Identifier: GPL-2.0-or-later
"""STM32L4R5 (RM0432), with what a NUCLEO-L4R5ZI connects to it."""

from __future__ import annotations

from edgekit.virtual.twin.config import TwinConfig
from edgekit.virtual.twin.cores import CORTEX_M4
from edgekit.virtual.twin.parts import Accelerator, Parts, Rom, Soc, Surroundings
from edgekit.virtual.twin.stm32 import identity, rcc_l4
from edgekit.virtual.twin.stm32.assembly import Sites, assemble
from edgekit.virtual.twin.stm32.exti import Exti
from edgekit.virtual.twin.stm32.gpio import GpioSite
from edgekit.virtual.twin.stm32.lptim import LptimSite
from edgekit.virtual.twin.stm32.rcc_l4 import L4ClockTree
from edgekit.virtual.twin.stm32.uart import UartSite

_SYSCFG, _IWDG, _EXTI = 0x4001_0000, 0x4000_3000, 0x4001_0400
_IMR1, _IMR2 = _EXTI, _EXTI + 0x20
_GPIO = GpioSite(
    0x4800_0000,
    ports=9,
    enable=rcc_l4.AHB2ENR,
    second_supply=(rcc_l4.PWR_CR2, 9, "PWR_CR2.IOSV"),
)


def _build(around: Surroundings) -> Parts:
    clocks = L4ClockTree(around.bus, around.clock, around.config)
    lpuart1 = UartSite(
        "LPUART1",
        0x4000_8000,
        irq=70,
        enable=(rcc_l4.APB1ENR2, 0),
        kernel_hz=lambda: clocks.kernel_hz(10),
        tx=("G", 7),
        rx=("G", 8),
        function=8,
        brr_is=256,
    )
    lptim1 = LptimSite(
        0x4000_7C00,
        irq=65,
        enable=(rcc_l4.APB1ENR1, 31),
        kernel_hz=lambda: clocks.kernel_hz(18, lptim=True),
    )
    masks = {_IMR1: 0xFF82_0000, _IMR2: 0xFFFF_FF87}
    exti = Exti(around.bus, _EXTI, masks, timer=(_IMR2, 0, 32))
    sites = Sites(_GPIO, lpuart1, lptim1, idcode=0xE004_2000, accepted=(_SYSCFG, _IWDG))
    return assemble(around, clocks, sites, exti.wake_blocked, (exti,))


def _rom(config: TwinConfig) -> tuple[Rom, ...]:
    return (identity.rom(config, 0x1FFF_7590, 0x1FFF_75E0),)


SOC = Soc(
    cpu=CORTEX_M4,
    build=_build,
    rom=_rom,
    flash_aliases=(0,),  # as the boot pins map it
    accelerator=Accelerator(code_lines=32, data_lines=8, line_bytes=32, reads_per_line=4),
)
