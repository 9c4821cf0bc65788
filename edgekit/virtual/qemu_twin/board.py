# SPDX-License-Identifier: GPL-2.0-or-later
"""The board: QEMU with the image, its serial line on the link, and what the host does to it."""

from __future__ import annotations

import logging
import queue
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from edgekit.virtual.machines import Machine
from edgekit.virtual.twin.config import TwinConfig
from edgekit.virtual.twin.control import Request, nowhere
from edgekit.virtual.twin.faults import LinkFaults
from edgekit.virtual.twin.server import LinkServer
from edgekit.virtual.twin.state import StateLog

from .counting import Counts, recall_or_count
from .monitor import Monitor
from .process import Process

_LOG = logging.getLogger(__name__)
_PIECE = 4096
_BEAT_S = 0.05
_BROWN_OUT_MS = 50.0


class EmulatedBoard:
    """Runs until the process ends. Time is the wall clock's since the first power-on."""

    def __init__(self, config: TwinConfig, machine: Machine, digest: str, link: LinkServer) -> None:
        self._config, self._machine, self._digest, self._link = config, machine, digest, link
        self._began_ns = time.monotonic_ns()
        self.write_state: Callable[[bytes], None] = nowhere
        self.log = StateLog(self._now, lambda line: self.write_state(line))
        self.faults = LinkFaults(config.faults, self._trip)
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._process: Process | None = None
        self._monitor: Monitor | None = None
        self._frozen = False
        self._counter: threading.Thread | None = None
        self.counts: Counts | None = None
        self.fault: str | None = None
        self.resets = self.received = self.sent = 0
        self.ready_ns: int | None = None

    def _now(self) -> int:
        return time.monotonic_ns() - self._began_ns

    def _trip(self, name: str) -> None:
        self.post(name)

    def post(self, name: str, value: float = 0.0) -> Request:
        """Ask for a reset or a fault; any thread."""
        request = Request(name, value)
        self._requests.put(request)
        return request

    def run(self) -> None:
        """Serve requests for ever, watching what the core does between them."""
        threading.Thread(target=self._feed, daemon=True).start()
        while True:
            try:
                request = self._requests.get(timeout=_BEAT_S)
            except queue.Empty:
                self._look()
                continue
            _LOG.info("request: %s", request.name)
            try:
                self._serve(request)
            except ConnectionError as exc:
                self._note_fault(str(exc))
            self.faults.cut = False
            request.done.set()

    def _serve(self, request: Request) -> None:
        name = request.name
        if name == "reset" and self._monitor is not None:
            self._discard()
            self._monitor.ask("system_reset")
            self._thaw()
        elif name == "brown_out":
            self._power_off()
            time.sleep((request.value or _BROWN_OUT_MS) / 1e3)
            self.power_on()
        elif name == "unplug":
            self._link.plug(False)
            self._power_off()
        elif name == "plug":
            self._power_off()
            self._link.plug(True)
            self.power_on()
        elif name == "stuck" and self._monitor is not None:
            self._monitor.ask("stop")
            self._frozen = True

    def power_on(self) -> None:
        """Start QEMU. Raises ConnectionError when it ends at once, ToolError without it."""
        late_s = self._config.faults.late_banner_s
        self.fault = self.ready_ns = None
        self._discard()
        process = Process(self._config.elf, self._machine, ("serial", "qmp"), paused=late_s > 0)
        self._process = process
        self._monitor = Monitor(process.sockets["qmp"], self._on_event)
        threading.Thread(
            target=self._drain, args=(process, process.sockets["serial"]), daemon=True
        ).start()
        self._frozen = late_s > 0
        self.log.set_state("idle" if self._frozen else "run")
        if late_s:
            threading.Thread(target=self._boot_late, args=(late_s,), daemon=True).start()

    def _boot_late(self, late_s: float) -> None:
        while not self._link.connected:
            time.sleep(0.005)
        time.sleep(late_s)
        self._thaw()

    def _thaw(self) -> None:
        if self._frozen and self._monitor is not None:
            self._monitor.ask("cont")
            self._frozen = False

    def _power_off(self) -> None:
        process, self._process, self._monitor = self._process, None, None
        self._frozen = False
        if process is not None:
            process.end()
        self.log.set_state("off")

    def _discard(self) -> None:
        with self._link.changed:
            self._link.received.clear()

    def _on_event(self, name: str, _data: dict[str, Any]) -> None:
        if name == "RESET":
            self.resets += 1

    def _look(self) -> None:
        """Tell from the core's progress whether it runs or sleeps."""
        monitor = self._monitor
        if monitor is None or self._frozen:
            return
        try:
            before = monitor.instructions()
            time.sleep(_BEAT_S)
            moved = monitor.instructions() != before
        except (ConnectionError, OSError, ValueError):
            return  # it has ended: whoever drains its line says so
        if not moved and self.ready_ns is None:
            self.ready_ns = self._now()
        self.log.set_state("run" if moved else "idle")
        self.log.beat()

    def _feed(self) -> None:
        """Carry bytes from the host to the board."""
        while True:
            with self._link.changed:
                while not self._link.received:
                    self._link.changed.wait()
                data = bytes(self._link.received)
                self._link.received.clear()
            process = self._process
            if process is None:
                continue  # nobody listens
            self.received += len(data)
            self.log.set_state("run")
            try:
                process.sockets["serial"].sendall(data)
            except OSError as exc:
                _LOG.info("the serial line is gone: %s", exc)

    def _drain(self, process: Process, line: socket.socket) -> None:
        """Carry bytes from the board to the host until QEMU ends."""
        while True:
            try:
                data = line.recv(_PIECE)
            except OSError:
                data = b""
            if not data:
                break
            self.sent += len(data)
            passed = bytes(byte for byte in data if self.faults.passes())
            if passed:
                self._link.send(passed)
        if self._process is process:
            self._note_fault(f"QEMU ended with exit status {process.end()}")
            self._link.plug(False)

    def _note_fault(self, text: str) -> None:
        self.fault = text
        _LOG.error("fault: %s", text)
        self.log.set_state("off")

    def counts_dict(self) -> dict[str, object] | None:
        """Return the counts of one inference; the first time asked for, begin to count."""
        if self._counter is None:
            self._counter = threading.Thread(target=self._count, daemon=True)
            self._counter.start()
        return None if self.counts is None else self.counts.told()

    def _count(self) -> None:
        config = self._config
        try:
            self.counts = recall_or_count(config.elf, self._machine, config.cache, self._digest)
        except (OSError, KeyError, ValueError) as exc:
            self._note_fault(f"one inference could not be counted: {exc}")

    def stats(self) -> dict[str, Any]:
        """Return what is known of the run so far."""
        return {
            "t_ns": self._now(),
            "state": self.log.state,
            "ready_ns": self.ready_ns,
            "resets": self.resets,
            "received": self.received,
            "sent": self.sent,
            "dropped": self.faults.dropped,
            "flipped": self.faults.flipped,
            "violations": [],
            "unknown": [],
            "fault": self.fault,
            "counted": self.counts is not None,
        }
