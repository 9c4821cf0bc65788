# SPDX-License-Identifier: GPL-2.0-or-later
"""What the twin of an FPGA board is told: one JSON object."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from edgekit.virtual.twin.config import FaultPlan, TwinError, nested


@dataclass(frozen=True, slots=True)
class FpgaTwinConfig:
    """The compiled board, its clock and line, and the faults."""

    library: Path
    clock_hz: int
    baud: int
    faults: FaultPlan


def load(path: Path) -> FpgaTwinConfig:
    """Read a configuration file; raises TwinError naming the key that is wrong."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        library = Path(data.get("library", ""))
        faults = nested(FaultPlan, data.get("faults", {}))
        config = nested(FpgaTwinConfig, {**data, "library": library, "faults": faults})
    except (OSError, ValueError, TypeError, AttributeError) as exc:
        raise TwinError(f"{path} cannot be read: {exc}") from exc
    if not library.is_file():
        raise TwinError(f"library: {library} is not a file")
    if config.clock_hz <= 0 or not 0 < config.baud <= config.clock_hz:
        raise TwinError(f"clock_hz, baud: {config.clock_hz} and {config.baud} make no line")
    return config
