# SPDX-License-Identifier: GPL-2.0-or-later
"""RP2040 (its data sheet), with what a Raspberry Pi Pico connects to it. One of its two cores."""

from __future__ import annotations

from edgekit.virtual.twin.bus import PERIPHERALS
from edgekit.virtual.twin.core import sleepdeep
from edgekit.virtual.twin.cores import CORTEX_M0PLUS
from edgekit.virtual.twin.parts import Parts, Soc, Surroundings
from edgekit.virtual.twin.rp2040.clocks import Clocks
from edgekit.virtual.twin.rp2040.gpio import SIO, Gpio
from edgekit.virtual.twin.rp2040.timer import Timer
from edgekit.virtual.twin.rp2040.uart import Uart

_SYSINFO = 0x4000_0000
_CHIP_ID = 0x00ED_C927  # part 0x0EDC; that of a real one is 2
_BOOT_BYTES = 0x100  # the second boot stage, which the ROM runs and the twin skips


def _build(around: Surroundings) -> Parts:
    config, bus, clock = around.config, around.bus, around.clock
    clocks = Clocks(bus, clock, config.wakeup_ns, config.faults.clock_drift_ppm)
    gpio = Gpio(bus, clocks, config.mark_pin, around.set_mark)
    timer = Timer(bus, clock, clocks)
    uart = Uart(bus, clock, clocks, gpio, around.wire, config.baud)
    bus.claim(_SYSINFO, 0x1000)
    bus.on_read(_SYSINFO, lambda: _CHIP_ID)
    return Parts(
        clocks=clocks,
        others=(gpio, timer, uart),
        timer=timer,
        uart=uart,
        deep=lambda: sleepdeep(bus),
        wake_blocked=timer.wake_blocked,
    )


SOC = Soc(cpu=CORTEX_M0PLUS, build=_build, vectors=_BOOT_BYTES, buses=(PERIPHERALS, SIO))
