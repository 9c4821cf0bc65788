# SPDX-License-Identifier: GPL-2.0-or-later
"""What the twin is told: one JSON object."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar


class TwinError(Exception):
    """A configuration or image that the twin cannot run."""


@dataclass(frozen=True, slots=True)
class FlashTiming:
    """Flash between the core and its image: what one miss of the accelerator may cost.

    The accelerator holds least recently used lines, code and data apart. A missed line costs at
    most `wait_states` for each of the reads that fill it; at best prefetch hides all of it.
    """

    wait_states: int = 0
    code_lines: int = 32
    data_lines: int = 8
    line_bytes: int = 32
    reads_per_line: int = 4


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """What goes wrong, and when; rates are per byte, counts are bytes sent by the board."""

    seed: int = 1
    drop_rate: float = 0.0
    flip_rate: float = 0.0
    split_bytes: int = 0  # longest piece handed to the host at once; 0: no limit
    late_banner_s: float = 0.0  # boot this long after the host opened the port
    reset_after_bytes: int = 0
    brown_out_after_bytes: int = 0
    unplug_after_bytes: int = 0
    stuck_after_bytes: int = 0
    clock_drift_ppm: float = 0.0  # of the 32 kHz oscillator


@dataclass(frozen=True, slots=True)
class TwinConfig:
    """The board's facts, the image and the faults."""

    elf: Path
    cache: Path
    flash_base: int = 0x0800_0000
    flash_bytes: int = 2 * 1024 * 1024
    ram_base: int = 0x2000_0000
    ram_bytes: int = 640 * 1024
    baud: int = 115_200
    mark_pin: str = "PF13"
    wakeup_ns: int = 0  # from the wake-up event in Stop mode to the PLL's lock
    lse_startup_ns: int = 2_000_000_000
    real_time: bool = False  # an inference takes at least its modelled time of the wall clock
    uid: str = "65646765-6b69-742d-7477696e"
    flash: FlashTiming = field(default_factory=FlashTiming)
    faults: FaultPlan = field(default_factory=FaultPlan)


_Section = TypeVar("_Section", FlashTiming, FaultPlan, TwinConfig)


def load(path: Path) -> TwinConfig:
    """Read a configuration file; raises TwinError naming the key that is wrong."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise TwinError(f"{path} cannot be read: {exc}") from exc
    data["flash"] = _nested(FlashTiming, data.get("flash", {}))
    data["faults"] = _nested(FaultPlan, data.get("faults", {}))
    data["elf"] = Path(data.get("elf", ""))
    data["cache"] = Path(data.get("cache", ""))
    config = _nested(TwinConfig, data)
    if not config.elf.is_file():
        raise TwinError(f"elf: {config.elf} is not a file")
    return config


def _nested(kind: type[_Section], data: dict[str, Any]) -> _Section:
    known = {f.name for f in fields(kind)}
    unknown = sorted(set(data) - known)
    if unknown:
        raise TwinError(f"unknown key {unknown[0]!r}; known: {', '.join(sorted(known))}")
    return kind(**data)
