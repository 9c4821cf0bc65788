# SPDX-License-Identifier: GPL-2.0-or-later
"""UART0, an Arm PL011; nothing is lost for want of reading."""

from __future__ import annotations

from edgekit.virtual.twin.bus import Bus
from edgekit.virtual.twin.clock import Clock
from edgekit.virtual.twin.parts import Wire

from .clocks import Clocks
from .gpio import Gpio

_BASE = 0x4003_4000
_DR, _FR, _IBRD, _FBRD = _BASE, _BASE + 0x18, _BASE + 0x24, _BASE + 0x28
_LCR_H, _CR, _IMSC = _BASE + 0x2C, _BASE + 0x30, _BASE + 0x38
_RXFE, _TXFE = 1 << 4, 1 << 7
_UARTEN, _TXE, _RXE = 1 << 0, 1 << 8, 1 << 9
_INT_RX = 1 << 4 | 1 << 6
_RESET_BIT, _FUNCTION = 22, 2
_BAUD_TOLERANCE = 0.03
_BITS_PER_BYTE = 10
_NS = 1_000_000_000
_TX_PIN, _RX_PIN = 0, 1


class Uart:
    """Bytes take their time on the wire: ten bits at the baud rate that the registers say."""

    irq = 20

    def __init__(
        self, bus: Bus, clock: Clock, clocks: Clocks, gpio: Gpio, wire: Wire, baud: int
    ) -> None:
        self._bus, self._clock, self._clocks = bus, clock, clocks
        self._gpio, self._wire, self._baud = gpio, wire, baud
        self.received = self.sent = 0
        bus.claim(_BASE, 0x1000)
        bus.on_read(_FR, self._read_flags)
        bus.unpriced.add(_FR)
        bus.on_read(_DR, self._read_byte)
        bus.on_write(_DR, self._write_byte)
        bus.on_write(_LCR_H, self._write_format)
        self.reset()

    def reset(self) -> None:
        """Forget the byte in the receive FIFO."""
        self._held: int | None = None
        self._sending = False

    def line(self) -> bool:
        """Return the level of the interrupt request."""
        return self.wakes and (self._held is not None or self._wire.ready())

    @property
    def wakes(self) -> bool:
        """Whether a received byte raises an interrupt request."""
        return bool(self._bus.words.get(_IMSC, 0) & _INT_RX) and self._active(_RXE)

    def _active(self, direction: int) -> bool:
        wanted = _UARTEN | direction
        return self._bus.words.get(_CR, 0) & wanted == wanted

    def _read_flags(self) -> int:
        self._clocks.released(_RESET_BIT)
        if self._active(_RXE) and self._held is None and (not self._sending or self._wire.ready()):
            self._held = self._wire.poll()
        self._sending = False  # asked about the transmitter: the next read may be a wait
        return _TXFE | (0 if self._held is not None else _RXFE)

    def _read_byte(self) -> int:
        value, self._held = self._held, None
        if value is None:
            return 0
        self.received += 1
        self._byte_time()
        return value if self._gpio.function(_RX_PIN) == _FUNCTION else 0

    def _write_byte(self, value: int) -> None:
        self._clocks.released(_RESET_BIT)
        if not self._active(_TXE):
            self._bus.violation("UART0 is written to while its transmitter is off")
            return
        if self._gpio.function(_TX_PIN) != _FUNCTION:
            self._bus.violation("UART0 sends while GP0 is not its output")
            return
        self._byte_time()
        self.sent += 1
        self._sending = True
        self._wire.send(value & 0xFF)

    def _write_format(self, value: int) -> None:
        """Latch the divisors, as this write does."""
        self._bus.words[_LCR_H] = value
        rate = self._rate()
        if abs(rate / self._baud - 1) > _BAUD_TOLERANCE:
            self._bus.violation(f"UART0 runs at {rate:.0f} baud, the host at {self._baud}")

    def _rate(self) -> float:
        words = self._bus.words
        divisor = words.get(_IBRD, 0) * 64 + words.get(_FBRD, 0)
        return self._clocks.peripheral_hz() * 4 / max(divisor, 1)

    def _byte_time(self) -> None:
        rate = self._rate()
        if rate:
            self._clock.wait(round(_BITS_PER_BYTE * _NS / rate), core_clocked=True)
