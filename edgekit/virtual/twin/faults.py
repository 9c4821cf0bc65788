# SPDX-License-Identifier: GPL-2.0-or-later
"""What a bad cable, a bad supply and bad luck do to the link."""

from __future__ import annotations

import random
from collections.abc import Callable

from .config import FaultPlan


class LinkFaults:
    """Loses and damages bytes in both directions, and triggers what depends on their number."""

    def __init__(self, plan: FaultPlan, trigger: Callable[[str], None]) -> None:
        self._drop_rate, self._flip_rate = plan.drop_rate, plan.flip_rate
        self._random = random.Random(plan.seed)
        self._trigger = trigger
        self._sent = 0
        self._waiting = {
            "reset": plan.reset_after_bytes,
            "brown_out": plan.brown_out_after_bytes,
            "unplug": plan.unplug_after_bytes,
            "stuck": plan.stuck_after_bytes,
        }
        self.dropped = self.flipped = 0
        self.cut = False

    def damage(self, data: bytes) -> bytes:
        """Return what arrives of `data`."""
        drop, flip = self._drop_rate, self._flip_rate
        if not drop and not flip:
            return data
        arrived = bytearray()
        for byte in data:
            if self._random.random() < drop:
                self.dropped += 1
                continue
            if self._random.random() < flip:
                self.flipped += 1
                byte ^= 1 << self._random.randrange(8)
            arrived.append(byte)
        return bytes(arrived)

    def set_rates(self, drop: float, flip: float) -> None:
        """Change how many bytes are lost and damaged from now on."""
        self._drop_rate, self._flip_rate = drop, flip

    def passes(self) -> bool:
        """Count one byte from the board and say whether it leaves; each trigger fires once.

        From the trigger until the core has felt it nothing leaves: the cut is at that byte.
        """
        if self.cut:
            return False
        self._sent += 1
        for name, after in self._waiting.items():
            if after and self._sent == after:
                self.cut = True
                self._trigger(name)
        return True
