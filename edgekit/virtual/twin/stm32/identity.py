# SPDX-License-Identifier: GPL-2.0-or-later
"""What a chip says of itself: here, that it is none."""

from __future__ import annotations

from edgekit.virtual.twin.bus import Bus
from edgekit.virtual.twin.config import TwinConfig

# DBGMCU_IDCODE holds the device's number in its low twelve bits; no STM32 has this one.
VIRTUAL_IDCODE = 0x0000_0EDC


def answer(bus: Bus, idcode: int) -> None:
    """Let DBGMCU_IDCODE, at address `idcode`, read as a virtual device's."""
    bus.on_read(idcode, lambda: VIRTUAL_IDCODE)


def uid(config: TwinConfig) -> bytes:
    """Return the 96 bits of the unique device identifier."""
    return bytes(config.uid.encode("ascii", "replace")[:12].ljust(12, b"\0"))
