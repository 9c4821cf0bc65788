# SPDX-License-Identifier: GPL-2.0-or-later
"""The board: RTL in virtual time, its serial line on the link, and what the host does to it."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from edgekit.target.fpga.shell import MARK_US
from edgekit.virtual.fpga.config import FpgaTwinConfig
from edgekit.virtual.fpga.library import Levels, SimulatedBoard
from edgekit.virtual.twin.control import Request, nowhere
from edgekit.virtual.twin.faults import LinkFaults
from edgekit.virtual.twin.server import LinkServer
from edgekit.virtual.twin.state import StateLog

_LOG = logging.getLogger(__name__)
_NS = 1_000_000_000
_CHUNK_CLOCKS = 20_000  # between two looks at the host
_ASLEEP_NS = 1_000_000_000  # the same, for a board that sleeps: hours of that are soon over
_WAIT_S = 0.01
_BROWN_OUT_NS = 50_000_000


class FpgaMachine:
    """Runs until the process ends.

    While the board waits for the host, virtual time follows the wall clock, and the RTL's own
    time stands still; else it is the RTL's, however long that takes to simulate.
    """

    def __init__(self, config: FpgaTwinConfig, link: LinkServer) -> None:
        """Load the board's library; OSError where it cannot be loaded."""
        self._config, self._link = config, link
        drift = 1 + config.faults.clock_drift_ppm * 1e-6
        hz = round(config.clock_hz * drift)
        clocks_us = round(config.clock_hz / 1e6)
        self._board = SimulatedBoard(config.library, hz, clocks_us, hz / config.baud)
        self._chunk_ns = _CHUNK_CLOCKS * _NS // hz
        self._t_ns = 0
        self.write_state: Callable[[bytes], None] = nowhere
        self.log = StateLog(lambda: self._t_ns, lambda line: self.write_state(line))
        self.faults = LinkFaults(config.faults, self._trip)
        self._requests: deque[Request] = deque()
        self._halted = True
        self._powered_ns = 0
        self._busy, self._awake = False, True
        self._mark_ends_ns: int | None = None  # on the pin, once its inferences are over
        self.ready_ns: int | None = None
        self.resets = self.sent = self.groups = 0

    def _trip(self, name: str) -> None:
        self.post(name)

    def post(self, name: str, value: float = 0.0) -> Request:
        """Ask for a reset or a fault; any thread."""
        request = Request(name, value)
        self._requests.append(request)
        with self._link.changed:
            self._link.changed.notify_all()
        return request

    def run(self) -> None:
        """Power on, then simulate for ever."""
        self._power_on()
        while True:
            if self._requests:
                self._serve(self._requests[0])
            elif self._halted:
                self._wait()
            else:
                self._step()

    def _serve(self, request: Request) -> None:
        name = request.name
        _LOG.info("request: %s", name)
        if name == "reset" and self.log.state != "off":
            self._discard()
            self.resets += 1
            self._board.reset()
            self._halted = False
        elif name == "brown_out":
            self._power_off()
            self._board.let_pass(round(request.value * 1e6) or _BROWN_OUT_NS)
            self._power_on()
        elif name == "unplug":
            self._link.plug(False)
            self._power_off()
        elif name == "plug":
            self._power_off()
            self._link.plug(True)
            self._power_on()
        elif name == "stuck":
            self._halted = True
        self.faults.cut = False
        self._requests.popleft()
        request.done.set()

    def _power_on(self) -> None:
        delay_s = self._config.faults.late_banner_s
        if delay_s:
            while not self._link.connected:
                time.sleep(0.005)
            time.sleep(delay_s)
        self._discard()
        self._board.power()
        self._t_ns = self._powered_ns = self._board.t_ns
        self.ready_ns = None
        self._halted = False
        self.log.set_state("idle")

    def _power_off(self) -> None:
        self._halted = True
        self._t_ns = self._board.t_ns
        self._busy, self._mark_ends_ns = False, None
        self.log.mark = 0
        self.log.set_state("off")

    def _discard(self) -> None:
        with self._link.changed:
            self._link.received.clear()

    def _step(self) -> None:
        board = self._board
        with self._link.changed:
            data = bytes(self._link.received)
            self._link.received.clear()
        board.feed(data)
        stretch = board.run(board.t_ns + (self._chunk_ns if self._awake else _ASLEEP_NS))
        for levels in stretch.levels:
            self._follow(levels)
        self._let_mark_fall(board.t_ns)
        self._t_ns = board.t_ns
        passed = bytes(byte for byte in stretch.sent if self.faults.passes())
        self.sent += len(stretch.sent)
        if passed:
            self.log.beat()
            self._link.send(passed)
        if stretch.ended == "quiet":
            if self.ready_ns is None:
                self.ready_ns = self._t_ns - self._powered_ns
            self._wait()
        else:
            self.log.beat()

    def _follow(self, levels: Levels) -> None:
        """Log what the board's outputs say: a mark is an inference, or a group of them.

        On the pin a mark lasts MARK_US longer (fpga/rtl/ek_mark.v), and the board does not sleep
        before it falls.
        """
        self._let_mark_fall(levels.t_ns)
        self._t_ns = levels.t_ns
        if levels.mark and not self._busy:
            self.groups += 1
        if self._busy and not levels.mark:
            self._mark_ends_ns = levels.t_ns + MARK_US * 1000
        elif levels.mark:
            self._mark_ends_ns = None
        self._busy, self._awake = levels.mark, levels.awake
        self.log.set_mark(int(levels.mark or self._mark_ends_ns is not None))
        self._log_state()

    def _log_state(self) -> None:
        if self._busy:
            self.log.set_state("run")
        else:
            waits = self._awake or self._mark_ends_ns is not None
            self.log.set_state("idle" if waits else "sleep")

    def _let_mark_fall(self, until_ns: int) -> None:
        """Log the end of a mark that is over by then."""
        ends_ns = self._mark_ends_ns
        if ends_ns is None or ends_ns > until_ns:
            return
        self._t_ns, self._mark_ends_ns = ends_ns, None
        self.log.set_mark(0)
        self._log_state()

    def _wait(self) -> None:
        """Wait a little for the host; virtual time follows the wall clock."""
        began = time.monotonic_ns()
        with self._link.changed:
            if not self._requests and (self._halted or not self._link.received):
                self._link.changed.wait(_WAIT_S)
        self._board.let_pass(time.monotonic_ns() - began)
        self._let_mark_fall(self._board.t_ns)
        self._t_ns = self._board.t_ns
        self.log.beat()

    def counts_dict(self) -> dict[str, Any] | None:
        """Return None: the RTL counts the cycles of an inference itself, and says them."""
        return None

    def stats(self) -> dict[str, Any]:
        """Return what is known of the run so far."""
        return {
            "t_ns": self._t_ns,
            "cycles": self._board.clocks,
            "simulated": self._board.evaluated,
            "core_hz": self._config.clock_hz,
            "state": self.log.state,
            "mark": self.log.mark,
            "ready_ns": self.ready_ns,
            "resets": self.resets,
            "groups": self.groups,
            "received": self._board.received,
            "sent": self.sent,
            "dropped": self.faults.dropped,
            "flipped": self.faults.flipped,
            "violations": [],
            "unknown": [],
            "fault": None,
            "counted": False,
        }
