# SPDX-License-Identifier: GPL-2.0-or-later
"""What a chip says of itself beside DBGMCU_IDCODE."""

from __future__ import annotations

from edgekit.virtual.twin.config import TwinConfig
from edgekit.virtual.twin.parts import Rom

_PAGE = 0x1000


def rom(config: TwinConfig, uid: int, flash_kb: int) -> Rom:
    """Return the page with the unique identifier and the flash size, at these addresses."""
    base = uid // _PAGE * _PAGE
    number = bytes(config.uid.encode("ascii", "replace")[:12].ljust(12, b"\0"))
    size_kb = (config.flash_bytes // 1024).to_bytes(2, "little")
    return Rom(base, _PAGE, {uid - base: number, flash_kb - base: size_kb})
