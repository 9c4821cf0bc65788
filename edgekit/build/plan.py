"""A build as data: every file and command, before anything touches the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

Toolchain = Literal["gcc", "zig", "native", "yowasp", "vivado"]  # the last three: FPGAs

# State the plan's digest in the firmware or the RTL, so the digest is formed without them.
BUILD_ID_FILE = PurePosixPath("model/build_id.h")
RTL_BUILD_ID_FILE = PurePosixPath("rtl/ek_build_id.vh")


@dataclass(frozen=True, slots=True)
class Command:
    """One tool call. `argv[0]` is a tool's plain name, resolved at run time (build/tools.py)."""

    argv: tuple[str, ...]
    log: str  # file stem of its log


@dataclass(frozen=True, slots=True, eq=False)
class BuildPlan:
    """Files, commands and products of one build; the same model and board give the same bytes."""

    name: str
    board: str
    toolchain: Toolchain
    files: Mapping[PurePosixPath, bytes]
    # For a microcontroller independent of each other but the last, which links; for an FPGA each
    # reads what the one before it wrote.
    commands: tuple[Command, ...]
    products: Mapping[str, PurePosixPath]  # "elf", "hex", "bin"; "netlist", "layout", "bitstream"
    facts: Mapping[str, int] = field(default_factory=dict)  # arena_bytes, macs, ...

    @property
    def compiler(self) -> str:
        """Return the name of the tool that compiles and links."""
        return self.commands[-1].argv[0]

    def digest(self) -> str:
        """Return 32 hex digits over files and commands: the plan's name, cache and build id."""
        state = hashlib.blake2b(digest_size=16)
        for path in sorted(self.files.keys() - {BUILD_ID_FILE, RTL_BUILD_ID_FILE}):
            data = self.files[path]
            state.update(f"{path}\0{len(data)}\0".encode())
            state.update(data)
        for command in self.commands:
            state.update("\0".join(command.argv).encode() + b"\n")
        return state.hexdigest()


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of a firmware image; the meaning of each stands in docs/reference/report.md."""

    flash_bytes: int
    code_bytes: int
    tables_bytes: int
    weights_bytes: int
    ram_bytes: int
    arena_bytes: int
    stack_bytes: int | None
    arena_lower_bound_bytes: int | None = None
    weights_ram_bytes: int = 0  # of the weights, what is copied to RAM at the start


@dataclass(frozen=True, slots=True)
class FpgaSizes:
    """What a routed design takes of its part, and the clock it reaches; None: no tool could say.

    `lc` are logic cells as placed (a look-up table, its carry and its flip-flop share one), `lut`
    and `carry` those of the synthesized netlist.
    """

    lc: int | None
    lut: int
    ff: int
    carry: int
    bram: int
    dsp: int
    spram: int
    fmax_mhz: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Artifact:
    """A finished build on disk."""

    plan: str  # digest
    board: str
    directory: Path
    products: Mapping[str, Path]
    sizes: Sizes | FpgaSizes
    tools: Mapping[str, str]  # tool name -> version line
