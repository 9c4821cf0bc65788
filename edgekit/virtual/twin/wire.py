# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's end of the serial port, and how time passes while the board waits for it.

Whatever the host can end follows the wall clock, in whole idle steps; whatever only a timer can
end jumps to that timer's event. So a run of timed sleeps is the same each time it is repeated.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from .bus import Bus
from .clock import IDLE_STEP_NS, Clock
from .faults import LinkFaults
from .server import LinkServer
from .state import State, StateLog

_EMPTY_POLLS = 4
_BUFFER_BYTES = 512


class HostWire:
    """Bytes to and from the link's socket."""

    def __init__(
        self,
        link: LinkServer,
        bus: Bus,
        clock: Clock,
        log: StateLog,
        faults: LinkFaults,
        interrupted: Callable[[], bool],
        waiting: Callable[[], None],
    ) -> None:
        self._link, self._bus, self._clock, self._log = link, bus, clock, log
        self._faults, self._interrupted, self._waiting = faults, interrupted, waiting
        self._out = bytearray()
        self._empty = 0
        self._anchor_ns: int | None = None  # wall time up to which idle time was passed on
        self._ahead_ns = 0  # virtual idle time that the wall clock has yet to catch up with
        self._turn = True  # the next byte from the host begins something new

    def poll(self) -> int | None:
        """Return the next byte; after a few polls in vain wait one idle step for it."""
        if not self._link.received:
            self._empty += 1
            if self._empty <= _EMPTY_POLLS:
                return None
            self.flush()
            self._waiting()
            self.idle_step()
            if not self._link.received:
                return None
        byte = self._link.received.popleft()
        if self._turn or self._anchor_ns is not None:
            self._log.set_state("idle")
            self._ahead_ns += self._clock.align()
            self._turn = False
        self.activity()
        return byte

    def ready(self) -> bool:
        """Return whether a byte is there."""
        return bool(self._link.received)

    def send(self, byte: int) -> None:
        """Send one byte; bytes travel together until the firmware looks for input."""
        self._turn = not self._link.received  # else the host talks at the same time
        if self._faults.passes():
            self._out.append(byte)
        self._empty = 0  # looking for room to send is not waiting for input
        if len(self._out) >= _BUFFER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand what was sent to the host."""
        if self._out:
            data, self._out = bytes(self._out), bytearray()
            self._link.send(data)

    def discard(self) -> None:
        """Lose what is under way, as a reset does."""
        self._out.clear()
        with self._link.changed:
            self._link.received.clear()

    def activity(self) -> None:
        """Say that the core works: accesses take time again."""
        self._empty = 0
        self._anchor_ns = None
        self._bus.free = False
        self._bus.end_streak()
        self._log.set_state("run")

    def idle_step(self, *, state: State = "idle", core_clocked: bool = True) -> None:
        """Wait up to one idle step of wall time for the host; virtual time follows."""
        self._bus.free = True
        self._log.set_state(state)
        now = time.monotonic_ns()
        if self._anchor_ns is None:
            self._anchor_ns = now
        with self._link.changed:
            if not self._link.received and not self._interrupted():
                self._link.changed.wait(IDLE_STEP_NS / 1e9)
        elapsed = time.monotonic_ns() - self._anchor_ns
        caught_up = min(elapsed, self._ahead_ns)
        self._ahead_ns -= caught_up
        steps = (elapsed - caught_up) // IDLE_STEP_NS
        self._anchor_ns += caught_up + steps * IDLE_STEP_NS
        for _ in range(steps):
            self._clock.wait(IDLE_STEP_NS, core_clocked=core_clocked)
            self._log.beat()
