# SPDX-License-Identifier: GPL-2.0-or-later
"""Private peripherals of a Cortex-M: what polled firmware touches."""

from __future__ import annotations

from collections.abc import Callable

from .bus import PRIVATE, Bus
from .clock import Clock
from .cores import Cpu
from .parts import Parts

_DWT_CTRL, _DWT_CYCCNT, _DWT_LAR = 0xE000_1000, 0xE000_1004, 0xE000_1FB0
_DWT_KEY = 0xC5AC_CE55
_SYST_CSR, _SYST_RVR, _SYST_CVR = 0xE000_E010, 0xE000_E014, 0xE000_E018
_ISER, _ICER, _ISPR, _ICPR = 0xE000_E100, 0xE000_E180, 0xE000_E200, 0xE000_E280
_CPUID, _AIRCR, _SCR = 0xE000_ED00, 0xE000_ED0C, 0xE000_ED10
_CPACR, _DEMCR = 0xE000_ED88, 0xE000_EDFC
_AIRCR_KEY, _SYSRESETREQ = 0x05FA, 1 << 2
_SLEEPDEEP = 1 << 2
_FPU_FULL_ACCESS = 0xF << 20


def sleepdeep(bus: Bus) -> bool:
    """Return whether SCR.SLEEPDEEP is set."""
    return bool(bus.words.get(_SCR, 0) & _SLEEPDEEP)


class Core:
    """System control, interrupt pending bits as wake-up events, SysTick and DWT."""

    def __init__(
        self, bus: Bus, clock: Clock, cpu: Cpu, parts: Parts, reset: Callable[[], None]
    ) -> None:
        self._bus, self._clock, self._cpu, self._parts = bus, clock, cpu, parts
        self._request_reset = reset
        bus.claim(*PRIVATE)
        bus.on_read(_CPUID, lambda: cpu.cpuid)
        bus.on_read(_DWT_CYCCNT, self._read_cyccnt)
        bus.on_write(_DWT_CYCCNT, self._write_cyccnt)
        bus.on_write(_DWT_CTRL, self._write_dwt_ctrl)
        bus.on_write(_DWT_LAR, self._write_lar)
        bus.on_write(_DEMCR, self._write_demcr)
        bus.on_write(_AIRCR, self._write_aircr)
        bus.on_read(_SYST_CSR, self._read_systick_csr)
        bus.on_write(_SYST_CSR, self._write_systick_csr)
        bus.on_read(_SYST_CVR, self._read_systick)
        bus.on_write(_SYST_CVR, lambda _value: self._restart_systick())
        for index in range(8):
            offset = 4 * index
            bus.on_write(_ISER + offset, self._enabler(index, on=True))
            bus.on_write(_ICER + offset, self._enabler(index, on=False))
            bus.on_read(_ICER + offset, self._enabled_reader(index))
            bus.on_write(_ISPR + offset, self._pender(index, on=True))
            bus.on_write(_ICPR + offset, self._pender(index, on=False))
            bus.on_read(_ISPR + offset, self._pending_reader(index))
            bus.on_read(_ICPR + offset, self._pending_reader(index))
        self.reset()

    def reset(self) -> None:
        """Return to reset values; the debug registers too, as after a loss of power."""
        self._enabled = [0] * 8
        self._pending = [0] * 8
        self._offset = 0  # of CYCCNT against the clock's cycles
        self._frozen: int | None = 0
        self._dwt_locked = self._cpu.dwt_locked
        self._systick_from = 0
        self._systick_pended = 0
        self._systick_seen = 0

    @property
    def deep(self) -> bool:
        """Whether WFI enters deep sleep."""
        return self._parts.deep()

    @property
    def fpu_enabled(self) -> bool:
        """Whether CPACR grants access to the FPU."""
        return self._bus.words.get(_CPACR, 0) & _FPU_FULL_ACCESS == _FPU_FULL_ACCESS

    @property
    def host_wakes(self) -> bool:
        """Whether a byte from the host would end a WFI."""
        uart = self._parts.uart
        return not self.deep and uart.wakes and self._is_enabled(uart.irq)

    def any_enabled(self) -> bool:
        """Return whether an interrupt is enabled in the NVIC."""
        return any(self._enabled)

    def wake_pending(self) -> bool:
        """Return whether an enabled interrupt is pending: WFI returns at once."""
        self._latch()
        if self.deep and self._parts.wake_blocked():
            return False
        if any(e & p for e, p in zip(self._enabled, self._pending, strict=True)):
            return True
        return not self.deep and self._systick_due() is not None and bool(self._systick_pending())

    def next_event_ns(self) -> int | None:
        """Return when a timer will end a WFI, or None."""
        times = []
        at = self._parts.timer.next_event_ns()
        if at is not None and self._is_enabled(self._parts.timer.irq):
            blocked = self._parts.wake_blocked() if self.deep else ""
            if blocked:
                self._bus.violation(blocked)
            else:
                times.append(at)
        tick = None if self.deep else self._systick_due()
        if tick is not None:
            times.append(tick)
        return min(times, default=None)

    def _latch(self) -> None:
        for source in (self._parts.timer, self._parts.uart):
            if source.line():
                self._pending[source.irq // 32] |= 1 << source.irq % 32

    def _is_enabled(self, irq: int) -> bool:
        return bool(self._enabled[irq // 32] >> irq % 32 & 1)

    def _enabler(self, index: int, *, on: bool) -> Callable[[int], None]:
        def write(value: int) -> None:
            old = self._enabled[index]
            self._enabled[index] = old | value if on else old & ~value
            self._bus.words[_ISER + 4 * index] = self._enabled[index]

        return write

    def _enabled_reader(self, index: int) -> Callable[[], int]:
        return lambda: self._enabled[index]

    def _pender(self, index: int, *, on: bool) -> Callable[[int], None]:
        def write(value: int) -> None:
            old = self._pending[index]
            self._pending[index] = old | value if on else old & ~value

        return write

    def _pending_reader(self, index: int) -> Callable[[], int]:
        def read() -> int:
            self._latch()
            return self._pending[index]

        return read

    def _write_aircr(self, value: int) -> None:
        if value >> 16 == _AIRCR_KEY and value & _SYSRESETREQ:
            self._request_reset()

    def _counting(self) -> bool:
        words = self._bus.words
        return bool(words.get(_DEMCR, 0) >> 24 & 1 and words.get(_DWT_CTRL, 0) & 1)

    def _read_cyccnt(self) -> int:
        value = self._frozen
        return (self._clock.cycles + self._offset) & 0xFFFF_FFFF if value is None else value

    def _write_lar(self, value: int) -> None:
        self._dwt_locked = self._cpu.dwt_locked and value != _DWT_KEY

    def _dwt_open(self) -> bool:
        if self._dwt_locked:
            self._bus.violation("DWT is written while it is locked (DWT_LAR)")
        return not self._dwt_locked

    def _write_cyccnt(self, value: int) -> None:
        if not self._dwt_open():
            return
        if self._frozen is None:
            self._offset = value - self._clock.cycles
        else:
            self._frozen = value

    def _write_dwt_ctrl(self, value: int) -> None:
        if not self._dwt_open():
            return
        self._bus.words[_DWT_CTRL] = value
        self._gate()

    def _write_demcr(self, value: int) -> None:
        self._bus.words[_DEMCR] = value
        self._gate()

    def _gate(self) -> None:
        if self._counting() and self._frozen is not None:
            self._offset = self._frozen - self._clock.cycles
            self._frozen = None
        elif not self._counting() and self._frozen is None:
            self._frozen = self._read_cyccnt()

    def _systick_period(self) -> int:
        return (self._bus.words.get(_SYST_RVR, 0) & 0xFF_FFFF) + 1

    def _restart_systick(self) -> None:
        self._systick_from = self._clock.cycles
        self._systick_seen = self._systick_pended = 0

    def _write_systick_csr(self, value: int) -> None:
        if value & 1 and not self._bus.words.get(_SYST_CSR, 0) & 1:
            self._restart_systick()
        self._bus.words[_SYST_CSR] = value

    def _wraps(self) -> int:
        return (self._clock.cycles - self._systick_from) // self._systick_period()

    def _read_systick_csr(self) -> int:
        value = self._bus.words.get(_SYST_CSR, 0) & ~(1 << 16)
        wraps = self._wraps() if value & 1 else self._systick_seen
        value |= 1 << 16 if wraps > self._systick_seen else 0
        self._systick_seen = wraps
        return value

    def _read_systick(self) -> int:
        if not self._bus.words.get(_SYST_CSR, 0) & 1:
            return 0
        period = self._systick_period()
        return (period - (self._clock.cycles - self._systick_from) % period) % period

    def _systick_due(self) -> int | None:
        if self._bus.words.get(_SYST_CSR, 0) & 3 != 3:
            return None
        ahead = (self._wraps() + 1) * self._systick_period()
        cycles = ahead - (self._clock.cycles - self._systick_from)
        return self._clock.t_ns + -(-cycles * 1_000_000_000 // self._clock.hz)

    def _systick_pending(self) -> bool:
        wraps = self._wraps()
        due = wraps > self._systick_pended
        self._systick_pended = wraps
        return due
