# SPDX-License-Identifier: GPL-2.0-or-later
"""The chips that a twin can be: one entry for each firmware port."""

from __future__ import annotations

from edgekit.virtual.twin.config import TwinError
from edgekit.virtual.twin.parts import Soc

from . import nrf52840, rp2040, stm32h7a3, stm32l4r5, stm32u575

SOCS: dict[str, Soc] = {
    "nrf52840": nrf52840.SOC,
    "rp2040": rp2040.SOC,
    "stm32h7a3": stm32h7a3.SOC,
    "stm32l4r5": stm32l4r5.SOC,
    "stm32u575": stm32u575.SOC,
}


def find(name: str) -> Soc:
    """Return the chip that the firmware port `name` is for; raises TwinError for another name."""
    if name not in SOCS:
        raise TwinError(f"soc: {name!r} has no model; known: {', '.join(sorted(SOCS))}")
    return SOCS[name]
