# SPDX-License-Identifier: GPL-2.0-or-later
"""Virtual time: nanoseconds and core cycles, in integers, so that runs repeat exactly."""

from __future__ import annotations

import time

_NS = 1_000_000_000

# Idle time passes in whole steps of this length: 256 periods of 32,768 Hz, 250 of 32,000 Hz, and a
# whole number of cycles of every core clock in use. What the host sends is received at such a step
# too, so however long the host took, every divider stands where it stood and what follows is the
# same in each run.
IDLE_STEP_NS = 7_812_500


class Clock:
    """The one source of time of a twin."""

    def __init__(self) -> None:
        self.t_ns = 0
        self.cycles = 0  # what DWT counts: stands still in deep sleep
        self.hz = 4_000_000
        self._ns_part = 0
        self._cycle_part = 0

    def set_hz(self, hz: int) -> None:
        """Change the core clock from now on."""
        if hz != self.hz:
            self.hz = hz
            self._ns_part = self._cycle_part = 0

    def charge(self, cycles: int) -> None:
        """Let the core run for `cycles`."""
        self.cycles += cycles
        self._ns_part += cycles * _NS
        self.t_ns += self._ns_part // self.hz
        self._ns_part %= self.hz

    def align(self) -> int:
        """Pass on to the next whole idle step since the start; return how long that took."""
        ns = -self.t_ns % IDLE_STEP_NS
        self.t_ns += ns
        self._ns_part = 0
        return ns

    def wait(self, ns: int, *, core_clocked: bool) -> None:
        """Let `ns` pass while the core does nothing, with or without its clock."""
        self.t_ns += ns
        if core_clocked:
            self._cycle_part += ns * self.hz
            self.cycles += self._cycle_part // _NS
            self._cycle_part %= _NS


class Pace:
    """Lets work take no less of the wall clock than of virtual time: a host may look at its own."""

    def __init__(self) -> None:
        self._from_ns = 0

    def begin(self) -> None:
        """Note when the work began."""
        self._from_ns = time.monotonic_ns()

    def end(self, ns: int) -> None:
        """Wait until the work has taken `ns`."""
        left_ns = ns - (time.monotonic_ns() - self._from_ns)
        time.sleep(max(0, left_ns) / _NS)
