"""An accelerator ready for a board: bitstream, hardware description, weights and their manifest.

The files are design.bit, design.hwh, design.bin (for the kernel's FPGA manager), weights.bin where
the network loads weights, and manifest.json, which has every file's digest. Nothing in a manifest
depends on when or where it was written, but the tools' versions do say with what.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import ConfigError
from edgekit.target.fpga.bitstream import parse_bit, to_bin
from edgekit.target.fpga.core import Core

SCHEMA = 1
MANIFEST = "manifest.json"
FILES = ("design.bit", "design.hwh", "design.bin", "weights.bin")  # the last where it is needed
INSTANCE = "accelerator"  # of the shell in the block design


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose accelerator it is: board, part, names and digests, clock and address."""

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


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A bundle on disk whose files have the digests that its manifest says."""

    directory: Path
    manifest: Mapping[str, Any]

    @property
    def identity(self) -> Identity:
        """What the manifest says of board, build and model."""
        return Identity(**{n: self.manifest[n] for n in Identity.__dataclass_fields__})

    @property
    def files(self) -> Mapping[str, str]:
        """File name to SHA-256 of everything but the manifest, in hexadecimal digits."""
        return {name: entry["sha256"] for name, entry in self.manifest["files"].items()}


def write_bundle(
    directory: Path,
    identity: Identity,
    core: Core,
    *,
    bit: Path,
    hwh: Path,
    tools: Mapping[str, str],
) -> Bundle:
    """Write a bundle of Vivado's `bit` and `hwh` into `directory` and return it.

    Raises ConfigError where a file is missing or damaged, or is of another part or address.
    """
    data = _read(bit, "pass the .bit that Vivado wrote")
    bitstream = parse_bit(data, str(bit))
    check_part(bitstream.part, identity.part, str(bit))
    described = _read(
        hwh, "an overlay needs its .hwh beside the .bit, of the same name: Vivado writes it too"
    )
    _check_hwh(described.decode("utf-8", "replace"), identity, str(hwh))
    files = {"design.bit": data, "design.hwh": described, "design.bin": to_bin(bitstream)}
    if core.weights:
        files["weights.bin"] = core.weights
    manifest: dict[str, Any] = {
        "schema": SCHEMA,
        **{name: getattr(identity, name) for name in Identity.__dataclass_fields__},
        "kept_bytes": list(core.kept_bytes),
        "in_width": core.in_width,
        "in_beats": core.in_beats,
        "out_width": core.out_width,
        "out_beats": core.out_beats,
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in sorted(files.items())
        },
        "tools": dict(sorted(tools.items())),
    }
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_bytes(content)
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    (directory / MANIFEST).write_text(text, encoding="utf-8")
    return Bundle(directory, manifest)


def read_bundle(directory: Path, board: str) -> Bundle:
    """Return the bundle in `directory`, checked against its manifest and `board`.

    Raises ConfigError naming a missing file, a wrong digest, or the board it is for.
    """
    path = directory / MANIFEST
    try:
        manifest = json.loads(_read(path, "build the bundle again"))
        entries = {name: entry["sha256"] for name, entry in manifest["files"].items()}
        missing = [n for n in Identity.__dataclass_fields__ if n not in manifest]
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigError(f"{path} is no manifest: {exc}", hint="build the bundle again") from exc
    if manifest.get("schema") != SCHEMA or missing:
        lacks = ", ".join(missing) or "nothing"
        raise ConfigError(
            f"{path} has schema {manifest.get('schema')!r} and lacks {lacks}",
            hint="it was written by another release of edgekit: build the bundle again",
        )
    for name in ("build_id", "model_hash"):
        if not re.fullmatch(r"[0-9a-f]{32}", str(manifest[name])):
            raise ConfigError(f"{path}: {name} is {manifest[name]!r}, wanted 32 hexadecimal digits")
    if manifest["board"] != board:
        raise ConfigError(
            f"the bundle in {directory} is for {manifest['board']}, not for {board}",
            hint=f"pass --board {manifest['board']}, or build for {board}",
        )
    _check_files(directory, entries)
    return Bundle(directory, manifest)


def _check_files(directory: Path, entries: Mapping[str, str]) -> None:
    """Raise ConfigError unless exactly a bundle's files are named, and are those on the disk."""
    absent = [name for name in FILES[:3] if name not in entries]
    strange = sorted(set(entries) - set(FILES))
    if absent or strange:
        what = f"has no {absent[0]}" if absent else f"names {strange[0]!r}, which no bundle has"
        raise ConfigError(f"the manifest in {directory} {what}", hint="build the bundle again")
    for name, wanted in entries.items():
        found = hashlib.sha256(_read(directory / name, "build the bundle again")).hexdigest()
        if found != wanted:
            raise ConfigError(
                f"{directory / name} has SHA-256 {found[:12]}…, its manifest says {wanted[:12]}…",
                hint="the file was changed or cut short: build the bundle again",
            )


def check_part(found: str, wanted: str, name: str) -> None:
    """Raise ConfigError unless a bitstream's part (7z020clg400) is `wanted` (xc7z020clg400-1)."""
    if f"xc{found.removeprefix('xc')}" != wanted.rsplit("-", 1)[0]:
        raise ConfigError(
            f"{name} is for {found}, the board has {wanted}",
            hint="build the project that edgekit wrote for this board",
        )


def _check_hwh(text: str, identity: Identity, name: str) -> None:
    """Check the hardware description: it is of this part and has the shell where it should be."""
    info = re.search(r"<SYSTEMINFO\b[^>]*>", text)
    if info is None:
        raise ConfigError(f"{name} is no hardware description (.hwh): it has no SYSTEMINFO")
    told = dict(re.findall(r'(\w+)="([^"]*)"', info.group()))
    check_part(told.get("DEVICE", "") + told.get("PACKAGE", ""), identity.part, name)
    for memory in re.findall(r"<MEMRANGE\b[^>]*>", text):
        entry = dict(re.findall(r'(\w+)="([^"]*)"', memory))
        if entry.get("INSTANCE") == INSTANCE:
            found = int(entry.get("BASEVALUE", "0"), 16)
            if found != identity.base_address:
                raise ConfigError(
                    f"{name} has the accelerator at {found:#x}, wanted {identity.base_address:#x}",
                    hint="build the project that edgekit wrote, unchanged",
                )
            return
    raise ConfigError(
        f"{name} has no instance {INSTANCE!r} in its address map",
        hint="build the project that edgekit wrote: this is another design's",
    )


def _read(path: Path, hint: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read: {exc.strerror}", hint=hint) from exc
