# SPDX-License-Identifier: GPL-2.0-or-later
"""STM32L4R5 (RM0432), with what a NUCLEO-L4R5ZI connects to it."""

from __future__ import annotations

from edgekit.virtual.twin.bus import Bus
from edgekit.virtual.twin.config import TwinConfig
from edgekit.virtual.twin.core import sleepdeep
from edgekit.virtual.twin.cores import CORTEX_M4
from edgekit.virtual.twin.parts import Accelerator, Parts, Rom, Soc, Surroundings
from edgekit.virtual.twin.stm32 import identity, rcc_l4
from edgekit.virtual.twin.stm32.gpio import Gpio, GpioSite
from edgekit.virtual.twin.stm32.lptim import Lptim, LptimSite
from edgekit.virtual.twin.stm32.rcc_l4 import L4ClockTree
from edgekit.virtual.twin.stm32.uart import Uart, UartSite

_SYSCFG, _IWDG, _EXTI = 0x4001_0000, 0x4000_3000, 0x4001_0400
_IMR1, _IMR2 = _EXTI, _EXTI + 0x20
_GPIO = GpioSite(
    0x4800_0000,
    ports=9,
    enable=rcc_l4.AHB2ENR,
    second_supply=(rcc_l4.PWR_CR2, 9, "PWR_CR2.IOSV"),
)


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
    clocks = L4ClockTree(bus, clock, config)
    gpio = Gpio(bus, _GPIO, clocks, config.mark_pin, around.set_mark)
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
    lptim = Lptim(bus, clock, lptim1, clocks)
    uart = Uart(bus, clock, lpuart1, clocks, gpio, around.wire, config.baud)
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
    return (identity.rom(config, 0x1FFF_7590, 0x1FFF_75E0),)


SOC = Soc(
    cpu=CORTEX_M4,
    build=_build,
    rom=_rom,
    flash_aliases=(0,),  # as the boot pins map it
    accelerator=Accelerator(code_lines=32, data_lines=8, line_bytes=32, reads_per_line=4),
)
