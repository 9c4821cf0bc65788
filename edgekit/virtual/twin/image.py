# SPDX-License-Identifier: GPL-2.0-or-later
"""The firmware image: segments, symbols and digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from .config import TwinError

_PT_LOAD = "PT_LOAD"


@dataclass(frozen=True, slots=True)
class Image:
    """What the twin needs of an ELF file."""

    digest: str
    segments: tuple[tuple[int, bytes], ...]  # load address in flash, bytes
    ram_end: int  # first byte above all static data: the stack may grow down to here
    functions: dict[str, tuple[int, int]]  # name -> address, size

    def function(self, name: str) -> tuple[int, int] | None:
        """Return (address, size) of a function, or None."""
        return self.functions.get(name)


def load(path: Path, ram_base: int, ram_bytes: int) -> Image:
    """Read `path`; raises TwinError for anything but a little-endian Arm ELF with symbols."""
    data = path.read_bytes()
    try:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            if elf.header["e_machine"] != "EM_ARM" or not elf.little_endian:
                raise TwinError(f"{path} is not a little-endian Arm image")
            segments = tuple(
                (s["p_paddr"], s.data())
                for s in elf.iter_segments()
                if s["p_type"] == _PT_LOAD and s["p_filesz"]
            )
            ends = [
                s["sh_addr"] + s["sh_size"]
                for s in elf.iter_sections()
                if s["sh_flags"] & 2
                and ram_base <= s["sh_addr"] < ram_base + ram_bytes
                and "stack" not in s.name
            ]
            functions = _functions(elf)
    except ELFError as exc:
        raise TwinError(f"{path} is not an ELF file: {exc}") from exc
    if not segments:
        raise TwinError(f"{path} holds nothing to load")
    return Image(
        digest=hashlib.sha256(data).hexdigest(),
        segments=segments,
        ram_end=max(ends, default=ram_base),
        functions=functions,
    )


def _functions(elf: ELFFile) -> dict[str, tuple[int, int]]:
    table = elf.get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        return {}
    return {
        s.name: (s["st_value"] & ~1, s["st_size"])
        for s in table.iter_symbols()
        if s["st_info"]["type"] == "STT_FUNC"
    }
