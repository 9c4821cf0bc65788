# SPDX-License-Identifier: GPL-2.0-or-later
"""Extended interrupts: a line has to be open for LPTIM1 to end a Stop mode."""

from __future__ import annotations

from collections.abc import Mapping

from edgekit.virtual.twin.bus import Bus


class Exti:
    """The masks, and the one that matters."""

    def __init__(
        self, bus: Bus, base: int, masks: Mapping[int, int], timer: tuple[int, int, int]
    ) -> None:
        """Take the masks' reset values by address, and the timer's (mask, bit, line)."""
        self._words, self._masks, self._timer = bus.words, masks, timer
        bus.claim(base)

    def reset(self) -> None:
        """Return to reset values."""
        self._words.update(self._masks)

    def wake_blocked(self) -> str:
        """Return why LPTIM1 cannot end a Stop mode, or ""."""
        address, bit, line = self._timer
        if self._words[address] >> bit & 1:
            return ""
        return f"Stop mode with EXTI line {line} masked: LPTIM1 cannot wake it"
