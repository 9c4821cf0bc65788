# SPDX-License-Identifier: GPL-2.0-or-later
"""LPUART1 (RM0432 chapter 51) on PG7 and PG8; nothing is lost for want of reading."""

from __future__ import annotations

from edgekit.virtual.twin.bus import Bus
from edgekit.virtual.twin.clock import Clock
from edgekit.virtual.twin.parts import Wire

from .gpio import Gpio
from .rcc import APB1ENR2, CCIPR, ClockTree

_BASE = 0x4000_8000
_CR1, _BRR, _ISR, _ICR = _BASE, _BASE + 0x0C, _BASE + 0x1C, _BASE + 0x20
_RDR, _TDR, _PRESC = _BASE + 0x24, _BASE + 0x28, _BASE + 0x2C
_UE, _RE, _TE, _RXNEIE = 1 << 0, 1 << 2, 1 << 3, 1 << 5
_RXNE, _TC, _TXE, _TEACK, _REACK = 1 << 5, 1 << 6, 1 << 7, 1 << 21, 1 << 22
_DIVIDERS = (1, 2, 4, 6, 8, 10, 12, 16, 32, 64, 128, 256)
_BITS_PER_BYTE = 10
_NS = 1_000_000_000
_AF_LPUART1 = 8
_BAUD_TOLERANCE = 0.03


class Lpuart:
    """Bytes take their time on the wire: ten bits at the baud rate that the registers say."""

    IRQ = 70

    def __init__(self, bus: Bus, clock: Clock, clocks: ClockTree, gpio: Gpio, wire: Wire) -> None:
        self._bus, self._clock, self._clocks = bus, clock, clocks
        self._gpio, self._wire = gpio, wire
        self._baud = 0
        self.received = self.sent = 0
        bus.claim(_BASE)
        bus.on_read(_ISR, self._read_isr)
        bus.unpriced.add(_ISR)
        bus.on_write(_ICR, lambda _value: None)
        bus.on_read(_RDR, self._read_rdr)
        bus.on_write(_TDR, self._write_tdr)
        bus.on_write(_BRR, self._write_brr)
        self.reset()

    def reset(self) -> None:
        """Forget the byte in the receive register."""
        self._held: int | None = None
        self._sending = False

    def configure(self, baud: int) -> None:
        """Say which rate the host uses."""
        self._baud = baud

    def line(self) -> bool:
        """Return the level of the interrupt request."""
        control = self._bus.words.get(_CR1, 0)
        return bool(control & _RXNEIE) and self._active(_RE) and self._has_byte()

    @property
    def wakes(self) -> bool:
        """Whether a received byte raises an interrupt request."""
        return bool(self._bus.words.get(_CR1, 0) & _RXNEIE) and self._active(_RE)

    def _active(self, enable: int) -> bool:
        control = self._bus.words.get(_CR1, 0)
        return control & _UE != 0 and control & enable != 0

    def _has_byte(self) -> bool:
        return self._held is not None or self._wire.ready()

    def _read_isr(self) -> int:
        self._clocks.clocked(APB1ENR2, 0, "LPUART1")
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
        return value if self._gpio.alternate("G", 8, _AF_LPUART1) else 0

    def _write_tdr(self, value: int) -> None:
        self._clocks.clocked(APB1ENR2, 0, "LPUART1")
        if not self._active(_TE):
            self._bus.violation("LPUART1_TDR is written while the transmitter is off")
            return
        if not self._gpio.alternate("G", 7, _AF_LPUART1):
            self._bus.violation("LPUART1 sends while PG7 is not its output")
            return
        self._byte_time()
        self.sent += 1
        self._sending = True
        self._wire.send(value & 0xFF)

    def _write_brr(self, value: int) -> None:
        self._bus.words[_BRR] = value & 0xF_FFFF
        rate = self._rate()
        if self._baud and abs(rate / self._baud - 1) > _BAUD_TOLERANCE:
            self._bus.violation(f"LPUART1 runs at {rate:.0f} baud, the host at {self._baud}")

    def _rate(self) -> float:
        words = self._bus.words
        divider = _DIVIDERS[min(words.get(_PRESC, 0) & 0xF, 11)]
        source = self._clocks.kernel_hz(words.get(CCIPR, 0) >> 10 & 3)
        return 256 * source / divider / max(words.get(_BRR, 0), 1)

    def _byte_time(self) -> None:
        rate = self._rate()
        if rate:
            self._clock.wait(round(_BITS_PER_BYTE * _NS / rate), core_clocked=True)
