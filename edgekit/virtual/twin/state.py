# SPDX-License-Identifier: GPL-2.0-or-later
"""The log that drives a virtual meter: what the board does from when on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Literal

State = Literal["run", "idle", "sleep", "off"]


class StateLog:
    """Writes one JSON line for each change of state or mark, and heartbeats between them."""

    def __init__(self, now: Callable[[], int], write: Callable[[bytes], None]) -> None:
        self._now = now
        self._write = write
        self.state: State = "off"
        self.mark = 0

    def set_state(self, state: State) -> None:
        """Enter `state` now."""
        if state != self.state:
            self.state = state
            self.beat()

    def set_mark(self, mark: int) -> None:
        """Set the level of the mark pin now."""
        if mark != self.mark:
            self.mark = mark
            self.beat()

    def beat(self) -> None:
        """Say that time has passed."""
        self._write(self.line())

    def line(self) -> bytes:
        """Return the current entry."""
        entry = {"t_ns": self._now(), "state": self.state, "mark": self.mark}
        return json.dumps(entry, separators=(",", ":")).encode() + b"\n"
