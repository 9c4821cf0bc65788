# SPDX-License-Identifier: GPL-2.0-or-later
"""UART, the peripheral without DMA; nothing is lost for want of reading."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.virtual.twin.bus import Bus
from edgekit.virtual.twin.clock import Clock
from edgekit.virtual.twin.parts import Wire

from .clocks import Clocks
from .gpio import Gpio

_BASE = 0x4000_2000
_TASKS = {0x00: "rx", 0x04: "rx", 0x08: "tx", 0x0C: "tx"}  # start and stop of each
_RXDRDY, _TXDRDY = _BASE + 0x108, _BASE + 0x11C
_INTENSET, _INTENCLR = _BASE + 0x304, _BASE + 0x308
_ENABLE, _PSELTXD, _PSELRXD = _BASE + 0x500, _BASE + 0x50C, _BASE + 0x514
_RXD, _TXD, _BAUDRATE = _BASE + 0x518, _BASE + 0x51C, _BASE + 0x524
_INT_RXDRDY = 1 << 2
_ON = 4
_REFERENCE_HZ = 16_000_000
_BAUD_TOLERANCE = 0.03
_BITS_PER_BYTE = 10
_NS = 1_000_000_000
_HOST_TX, _HOST_RX = (0, 6), (0, 8)  # the pins that the on-board debugger is wired to


class Uart:
    """Bytes take their time on the wire: ten bits at the baud rate that the registers say."""

    irq = 2

    def __init__(self, bus: Bus, clock: Clock, clocks: Clocks, gpio: Gpio, wire: Wire) -> None:
        self._bus, self._clock, self._clocks = bus, clock, clocks
        self._gpio, self._wire = gpio, wire
        self._baud = 0
        self.received = self.sent = 0
        bus.claim(_BASE, 0x1000)
        for offset, name in _TASKS.items():
            bus.on_write(_BASE + offset, self._task(name, on=offset in (0x00, 0x08)))
        bus.on_read(_RXDRDY, self._read_ready)
        bus.unpriced.add(_RXDRDY)
        bus.on_write(_RXDRDY, self._clear_ready)
        bus.on_write(_INTENSET, lambda value: self._enable(value, on=True))
        bus.on_write(_INTENCLR, lambda value: self._enable(value, on=False))
        bus.on_read(_RXD, self._read_byte)
        bus.on_write(_TXD, self._write_byte)
        bus.on_write(_BAUDRATE, self._write_rate)
        self.reset()

    def reset(self) -> None:
        """Stop both directions and forget the byte in the receive register."""
        self._held: int | None = None
        self._ready = False
        self._inten = 0
        self._on = {"rx": False, "tx": False}

    def configure(self, baud: int) -> None:
        """Say which rate the host uses."""
        self._baud = baud

    @property
    def busy(self) -> bool:
        """Whether a direction is started, so that the peripheral keeps its clock."""
        return any(self._on.values())

    def line(self) -> bool:
        """Return the level of the interrupt request."""
        return self.wakes and (self._ready or self._held is not None or self._wire.ready())

    @property
    def wakes(self) -> bool:
        """Whether a received byte raises an interrupt request."""
        return bool(self._inten & _INT_RXDRDY) and self._active("rx")

    def _active(self, direction: str) -> bool:
        return self._on[direction] and self._bus.words.get(_ENABLE, 0) & 0xF == _ON

    def _task(self, direction: str, *, on: bool) -> Callable[[int], None]:
        def write(value: int) -> None:
            if value & 1:
                self._on[direction] = on

        return write

    def _enable(self, value: int, *, on: bool) -> None:
        self._inten = self._inten | value if on else self._inten & ~value

    def _read_ready(self) -> int:
        if not self._ready and self._active("rx"):
            if self._held is None:
                self._held = self._wire.poll()
            self._ready = self._held is not None
        return int(self._ready)

    def _clear_ready(self, value: int) -> None:
        if not value & 1:
            self._ready = False

    def _read_byte(self) -> int:
        if self._ready:
            self._bus.violation("RXD is read before RXDRDY is cleared: an event can be lost")
        value, self._held = self._held, None
        if value is None:
            return 0
        self.received += 1
        self._byte_time()
        wired = self._bus.words.get(_PSELRXD) == 32 * _HOST_RX[0] + _HOST_RX[1]
        return value if wired and self._gpio.is_input(*_HOST_RX) else 0

    def _write_byte(self, value: int) -> None:
        if not self._active("tx"):
            self._bus.violation("TXD is written while the transmitter is off")
            return
        wired = self._bus.words.get(_PSELTXD) == 32 * _HOST_TX[0] + _HOST_TX[1]
        if not wired or not self._gpio.is_output(*_HOST_TX):
            self._bus.violation("UART sends while P0.06 is not its output")
            return
        if not self._clocks.running("hfxo"):
            self._bus.violation("UART sends before the crystal runs: its rate is off by percents")
        self._byte_time()
        self.sent += 1
        self._bus.words[_TXDRDY] = 1
        self._wire.send(value & 0xFF)

    def _write_rate(self, value: int) -> None:
        self._bus.words[_BAUDRATE] = value
        rate = self._rate()
        if self._baud and abs(rate / self._baud - 1) > _BAUD_TOLERANCE:
            self._bus.violation(f"UART runs at {rate:.0f} baud, the host at {self._baud}")

    def _rate(self) -> float:
        return self._bus.words.get(_BAUDRATE, 0) * _REFERENCE_HZ / (1 << 32)

    def _byte_time(self) -> None:
        rate = self._rate()
        if rate:
            self._clock.wait(round(_BITS_PER_BYTE * _NS / rate), core_clocked=True)
