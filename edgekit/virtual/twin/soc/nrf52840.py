# SPDX-License-Identifier: GPL-2.0-or-later
"""nRF52840 (its product specification), with what an nRF52840 DK connects to it."""

from __future__ import annotations

from edgekit.virtual.twin.config import TwinConfig
from edgekit.virtual.twin.cores import CORTEX_M4
from edgekit.virtual.twin.nrf52.clocks import Clocks
from edgekit.virtual.twin.nrf52.gpio import Gpio
from edgekit.virtual.twin.nrf52.rtc import Rtc
from edgekit.virtual.twin.nrf52.uart import Uart
from edgekit.virtual.twin.parts import Accelerator, Parts, Rom, Soc, Surroundings

_FICR = 0x1000_0000
_DEVICEID, _PART = 0x60, 0x100
_PART_TWIN = 0x0000_0EDC  # FICR.INFO.PART of a real one is 0x52840


def _build(around: Surroundings) -> Parts:
    config, bus, clock = around.config, around.bus, around.clock
    clocks = Clocks(bus, clock, config.wakeup_ns, config.faults.clock_drift_ppm)
    gpio = Gpio(bus, config.mark_pin, around.set_mark)
    rtc = Rtc(bus, clock, clocks)
    uart = Uart(bus, clock, clocks, gpio, around.wire)
    uart.configure(config.baud)

    def blocked() -> str:
        return "" if rtc.running else "System ON sleep while RTC1 stands still"

    return Parts(
        clocks=clocks,
        others=(gpio, rtc, uart),
        timer=rtc,
        uart=uart,
        # The chip switches off by itself what nobody asks for.
        deep=lambda: not uart.busy and not clocks.wanted("hfxo"),
        wake_blocked=blocked,
    )


def _rom(config: TwinConfig) -> tuple[Rom, ...]:
    uid = config.uid.encode("ascii", "replace")[:8].ljust(8, b"\0")
    part = _PART_TWIN.to_bytes(4, "little")
    return (Rom(_FICR, 0x1000, {_DEVICEID: bytes(uid), _PART: part}),)


SOC = Soc(
    cpu=CORTEX_M4,
    build=_build,
    rom=_rom,
    # Instructions are cached, 2 KB in lines of two words; data is not: one line of it is what a
    # word's neighbour may get for free.
    accelerator=Accelerator(code_lines=256, data_lines=1, line_bytes=8, reads_per_line=2),
)
