# SPDX-License-Identifier: GPL-2.0-or-later
"""Speaks to QEMU's monitor (QMP): one JSON object a line, answers and events mixed."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Callable
from typing import Any

_ANSWER_S = 30.0


class Monitor:
    """One connection; `on_event` is called with each event's name and data, from a thread."""

    def __init__(
        self, sock: socket.socket, on_event: Callable[[str, dict[str, Any]], None] | None = None
    ) -> None:
        self._stream = sock.makefile("rwb")
        self._on_event = on_event
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._asking = threading.Lock()
        self._stream.readline()  # the greeting
        threading.Thread(target=self._listen, daemon=True).start()
        self.ask("qmp_capabilities")

    def ask(self, command: str) -> dict[str, Any]:
        """Return the answer to `command`; raises ConnectionError when QEMU has gone."""
        with self._asking:
            self._stream.write(json.dumps({"execute": command}).encode() + b"\n")
            self._stream.flush()
            try:
                answer = self._answers.get(timeout=_ANSWER_S)
            except queue.Empty:
                raise ConnectionError(f"QEMU does not answer {command}") from None
        if "return" not in answer:
            raise ConnectionError(f"QEMU refuses {command}: {answer.get('error', 'it has ended')}")
        found: dict[str, Any] = answer["return"]
        return found

    def instructions(self) -> int:
        """Return how many instructions the core has executed since its start."""
        return int(self.ask("query-replay")["icount"])

    def _listen(self) -> None:
        try:
            for line in self._stream:
                message = json.loads(line)
                if "event" not in message:
                    self._answers.put(message)
                elif self._on_event is not None:
                    self._on_event(message["event"], message.get("data", {}))
        except (OSError, ValueError):
            pass
        self._answers.put({})  # whoever waits now waits in vain
