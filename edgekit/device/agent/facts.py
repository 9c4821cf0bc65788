"""What the agent has to know of the accelerator: the part of a bundle's manifest it reads."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path

from edgekit.errors import DeviceError

MANIFEST = "manifest.json"
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Facts:
    """One accelerator: identity, clock, address, and how wire bytes lie in its words."""

    board: str
    part: str  # as Vivado names it, such as xc7z020clg400-1
    model: str
    build_id: str  # 32 hexadecimal digits
    model_hash: str  # 32 hexadecimal digits
    clock_hz: int
    base_address: int
    slots: int
    input_bytes: int  # of the wire
    output_bytes: int
    kept_bytes: tuple[int, ...]  # of the input's wire bytes, those that the network reads
    in_width: int  # bits of a beat
    in_beats: int
    out_width: int
    out_beats: int

    @property
    def in_words(self) -> int:
        """Words of 32 bits of one input."""
        return self.in_beats * -(-self.in_width // 32)

    @property
    def out_words(self) -> int:
        """Words of 32 bits of one result."""
        return self.out_beats * -(-self.out_width // 32)


def read_manifest(directory: Path) -> dict[str, object]:
    """Return the manifest in `directory`; DeviceError where there is none that can be read."""
    path = directory / MANIFEST
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise DeviceError(f"{path} cannot be read: {exc}", hint="deploy again") from exc
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise DeviceError(
            f"{path} has schema {data.get('schema') if isinstance(data, dict) else None}, "
            f"wanted {SCHEMA}",
            hint="it was written by another release of edgekit: deploy again",
        )
    return data


def facts_of(manifest: dict[str, object]) -> Facts:
    """Return the facts in a manifest; DeviceError names a missing or wrong one."""
    values: dict[str, object] = {}
    for field in fields(Facts):
        value = manifest.get(field.name)
        if field.type == "tuple[int, ...]":
            good = isinstance(value, list) and all(isinstance(v, int) for v in value)
            value = tuple(value) if isinstance(value, list) else value
        else:
            good = isinstance(value, str if field.type == "str" else int)
        if not good:
            raise DeviceError(f"the manifest's {field.name} is {manifest.get(field.name)!r}")
        values[field.name] = value
    return Facts(**values)  # type: ignore[arg-type]
