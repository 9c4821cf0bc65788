# SPDX-License-Identifier: GPL-2.0-or-later
"""Puts the peripherals of an STM32 together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgekit.virtual.twin.core import sleepdeep
from edgekit.virtual.twin.parts import Part, Parts, Surroundings

from .clock_tree import ClockTree
from .gpio import Gpio, GpioSite
from .lptim import Lptim, LptimSite
from .uart import Uart, UartSite

# DBGMCU_IDCODE holds the device's number in its low twelve bits; no STM32 has this one.
VIRTUAL_IDCODE = 0x0000_0EDC


@dataclass(frozen=True, slots=True)
class Sites:
    """Where a chip has what every STM32 served here has."""

    gpio: GpioSite
    uart: UartSite
    lptim: LptimSite
    idcode: int  # DBGMCU_IDCODE
    accepted: tuple[int, ...]  # peripherals that may be written and do nothing


def assemble(
    around: Surroundings,
    clocks: ClockTree,
    sites: Sites,
    wake_blocked: Callable[[], str],
    more: Sequence[Part] = (),
) -> Parts:
    """Return the peripherals at `sites`, with `more` of the chip's own."""
    config, bus, clock = around.config, around.bus, around.clock
    gpio = Gpio(bus, sites.gpio, clocks, config.mark_pin, around.set_mark)
    lptim = Lptim(bus, clock, sites.lptim, clocks)
    uart = Uart(bus, clock, sites.uart, clocks, gpio, around.wire, config.baud)
    bus.on_read(sites.idcode, lambda: VIRTUAL_IDCODE)
    for base in sites.accepted:
        bus.claim(base)
    return Parts(
        clocks=clocks,
        others=(gpio, lptim, uart, *more),
        timer=lptim,
        uart=uart,
        deep=lambda: sleepdeep(bus),
        wake_blocked=wake_blocked,
    )
