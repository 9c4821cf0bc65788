# SPDX-License-Identifier: GPL-2.0-or-later
"""What the twin is told: one JSON object."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class TwinError(Exception):
    """A configuration or image that the twin cannot run."""


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

    soc: str  # the board's firmware port
    elf: Path
    cache: Path
    flash_base: int = 0x0800_0000
    flash_bytes: int = 2 * 1024 * 1024
    ram_base: int = 0x2000_0000
    ram_bytes: int = 640 * 1024
    baud: int = 115_200
    wait_states: int = 0  # of flash
    mark_pin: str = "PF13"
    wakeup_ns: int = 0  # from the wake-up event in Stop mode to the PLL's lock
    lse_startup_ns: int = 2_000_000_000
    real_time: bool = False  # an inference takes at least its modelled time of the wall clock
    uid: str = "65646765-6b69-742d-7477696e"
    faults: FaultPlan = field(default_factory=FaultPlan)


_Section = TypeVar("_Section", bound="DataclassInstance")


def load(path: Path) -> TwinConfig:
    """Read a configuration file; raises TwinError naming the key that is wrong."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise TwinError(f"{path} cannot be read: {exc}") from exc
    data["faults"] = nested(FaultPlan, data.get("faults", {}))
    data["soc"] = data.get("soc", "")
    data["elf"] = Path(data.get("elf", ""))
    data["cache"] = Path(data.get("cache", ""))
    config = nested(TwinConfig, data)
    if not config.elf.is_file():
        raise TwinError(f"elf: {config.elf} is not a file")
    return config


def nested(kind: type[_Section], data: dict[str, Any]) -> _Section:
    """Return `kind`, a dataclass, made of `data`; TwinError names a key that it does not have."""
    known = {f.name for f in fields(kind)}
    unknown = sorted(set(data) - known)
    if unknown:
        raise TwinError(f"unknown key {unknown[0]!r}; known: {', '.join(sorted(known))}")
    return kind(**data)
