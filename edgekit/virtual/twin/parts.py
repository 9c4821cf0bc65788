# SPDX-License-Identifier: GPL-2.0-or-later
"""What a chip is to the machine: a core, memories, and peripherals behind small protocols."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from .bus import PERIPHERALS, Bus
from .clock import Clock
from .config import TwinConfig
from .cores import Cpu


class Wire(Protocol):
    """The host's end of the serial port."""

    def poll(self) -> int | None:
        """Return the next byte, or None; may wait for one where nothing else can happen."""
        ...

    def ready(self) -> bool:
        """Return whether a byte is there, without waiting."""
        ...

    def send(self, byte: int) -> None:
        """Send one byte to the host."""
        ...


class Part(Protocol):
    """A peripheral."""

    def reset(self) -> None:
        """Return to reset values; stored words are already clear, but for what the clocks keep."""
        ...


class Clocks(Protocol):
    """Clock tree and power control."""

    def reset(self, reason: str) -> None:
        """Clear the bus's words and start over; `reason` is power, pin or software."""
        ...

    def enter_stop(self) -> None:
        """Stop what deep sleep stops."""
        ...

    def leave_stop(self) -> None:
        """Start what runs after deep sleep; takes the time of the way out."""
        ...


class Timer(Protocol):
    """The time base that runs on in deep sleep."""

    irq: int

    def line(self) -> bool:
        """Return the level of the interrupt request."""
        ...

    def next_event_ns(self) -> int | None:
        """Return when the request will next be raised, or None."""
        ...


class Uart(Protocol):
    """The serial port to the host."""

    irq: int
    received: int
    sent: int

    def line(self) -> bool:
        """Return the level of the interrupt request."""
        ...

    @property
    def wakes(self) -> bool:
        """Whether a received byte raises an interrupt request."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What peripherals are given."""

    config: TwinConfig
    bus: Bus
    clock: Clock
    wire: Wire
    set_mark: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Parts:
    """The peripherals of one chip."""

    clocks: Clocks
    others: tuple[Part, ...]  # reset in this order, after the clocks
    timer: Timer
    uart: Uart
    deep: Callable[[], bool]  # would WFI enter the deep sleep of the operating point?
    wake_blocked: Callable[[], str]  # why the timer cannot end deep sleep, or ""


@dataclass(frozen=True, slots=True)
class Rom:
    """Memory that can only be read: offset -> contents, zero elsewhere."""

    base: int
    size: int
    contents: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accelerator:
    """Lines that are kept between flash and core, least recently used first, code and data apart.

    A missed line costs at most the operating point's wait states for each of the reads that fill
    it; at best prefetch hides all of it.
    """

    code_lines: int
    data_lines: int
    line_bytes: int
    reads_per_line: int


def _nothing(_config: TwinConfig) -> tuple[Rom, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Soc:
    """A chip, with what its board connects to it."""

    cpu: Cpu
    build: Callable[[Surroundings], Parts]
    rom: Callable[[TwinConfig], tuple[Rom, ...]] = _nothing
    vectors: int = 0  # offset of the vector table in flash: what a boot ROM finds or skips
    flash_aliases: tuple[int, ...] = ()  # where flash is seen beside its own address
    more_ram: tuple[tuple[int, int], ...] = ()  # (base, bytes) beside the board file's
    buses: tuple[tuple[int, int], ...] = (PERIPHERALS,)  # (base, bytes), without the core's own
    accelerator: Accelerator | None = None  # None: fetches from flash enter no bound
