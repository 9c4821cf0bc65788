# SPDX-License-Identifier: GPL-2.0-or-later
"""USART or LPUART, whose registers are the same; nothing is lost for want of reading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgekit.virtual.twin.bus import Bus
from edgekit.virtual.twin.clock import Clock
from edgekit.virtual.twin.parts import Wire

from .clock_tree import ClockTree
from .gpio import Gpio

_CR1, _BRR, _ISR, _ICR, _RDR, _TDR, _PRESC = 0x00, 0x0C, 0x1C, 0x20, 0x24, 0x28, 0x2C
_UE, _RE, _TE, _RXNEIE = 1 << 0, 1 << 2, 1 << 3, 1 << 5
_RXNE, _TC, _TXE, _TEACK, _REACK = 1 << 5, 1 << 6, 1 << 7, 1 << 21, 1 << 22
_DIVIDERS = (1, 2, 4, 6, 8, 10, 12, 16, 32, 64, 128, 256)
_BITS_PER_BYTE = 10
_NS = 1_000_000_000
_BAUD_TOLERANCE = 0.03


@dataclass(frozen=True, slots=True)
class UartSite:
    """Where the serial port of a chip is, and what has to be right for a byte to pass."""

    name: str
    base: int
    irq: int
    enable: tuple[int, int]  # register and bit of its bus clock
    kernel_hz: Callable[[], float]
    tx: tuple[str, int]  # port and pin
    rx: tuple[str, int]
    function: int  # of both pins
    brr_is: int = 1  # baud = brr_is * clock / BRR


class Uart:
    """Bytes take their time on the wire: ten bits at the baud rate that the registers say."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        site: UartSite,
        clocks: ClockTree,
        gpio: Gpio,
        wire: Wire,
        baud: int,
    ) -> None:
        self._bus, self._clock, self._site, self._clocks = bus, clock, site, clocks
        self._gpio, self._wire = gpio, wire
        self._baud = baud  # of the host
        self.irq = site.irq
        self.received = self.sent = 0
        bus.claim(site.base)
        bus.on_read(site.base + _ISR, self._read_isr)
        bus.unpriced.add(site.base + _ISR)
        bus.on_write(site.base + _ICR, lambda _value: None)
        bus.on_read(site.base + _RDR, self._read_rdr)
        bus.on_write(site.base + _TDR, self._write_tdr)
        bus.on_write(site.base + _BRR, self._write_brr)
        self.reset()

    def reset(self) -> None:
        """Forget the byte in the receive register."""
        self._held: int | None = None
        self._sending = False

    def line(self) -> bool:
        """Return the level of the interrupt request."""
        control = self._word(_CR1)
        return bool(control & _RXNEIE) and self._active(_RE) and self._has_byte()

    @property
    def wakes(self) -> bool:
        """Whether a received byte raises an interrupt request."""
        return bool(self._word(_CR1) & _RXNEIE) and self._active(_RE)

    def _active(self, enable: int) -> bool:
        control = self._word(_CR1)
        return control & _UE != 0 and control & enable != 0

    def _has_byte(self) -> bool:
        return self._held is not None or self._wire.ready()

    def _read_isr(self) -> int:
        self._clocks.clocked(*self._site.enable, self._site.name)
        flags = _TXE | _TC
        flags |= _TEACK if self._active(_TE) else 0
        if self._active(_RE):
            flags |= _REACK
            if self._held is None and (not self._sending or self._wire.ready()):
                self._held = self._wire.poll()
            self._sending = False  # asked about the transmitter: the next read may be a wait
            flags |= _RXNE if self._held is not None else 0
        return flags

    def _read_rdr(self) -> int:
        if self._held is None and self._wire.ready():
            self._held = self._wire.poll()
        value, self._held = self._held, None
        if value is None:
            return 0
        self.received += 1
        self._byte_time()
        return value if self._gpio.alternate(*self._site.rx, self._site.function) else 0

    def _write_tdr(self, value: int) -> None:
        self._clocks.clocked(*self._site.enable, self._site.name)
        if not self._active(_TE):
            self._bus.violation(f"{self._site.name}_TDR is written while the transmitter is off")
            return
        if not self._gpio.alternate(*self._site.tx, self._site.function):
            port, bit = self._site.tx
            self._bus.violation(f"{self._site.name} sends while P{port}{bit} is not its output")
            return
        self._byte_time()
        self.sent += 1
        self._sending = True
        self._wire.send(value & 0xFF)

    def _write_brr(self, value: int) -> None:
        name = self._site.name
        if self._word(_CR1) & _UE:
            self._bus.violation(f"{name}_BRR is written while {name} is enabled")
        self._bus.words[self._site.base + _BRR] = value & 0xF_FFFF
        rate = self._rate()
        if self._baud and abs(rate / self._baud - 1) > _BAUD_TOLERANCE:
            self._bus.violation(f"{name} runs at {rate:.0f} baud, the host at {self._baud}")

    def _word(self, offset: int) -> int:
        return self._bus.words.get(self._site.base + offset, 0)

    def _rate(self) -> float:
        divider = _DIVIDERS[min(self._word(_PRESC) & 0xF, 11)]
        return self._site.brr_is * self._site.kernel_hz() / divider / max(self._word(_BRR), 1)

    def _byte_time(self) -> None:
        rate = self._rate()
        if rate:
            self._clock.wait(round(_BITS_PER_BYTE * _NS / rate), core_clocked=True)
