"""What a linked ELF weighs, and its raw binary and Intel HEX forms."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from edgekit.build.plan import Sizes
from edgekit.errors import ToolError

_HEX_ROW = 16
# Output sections that firmware/port/sections.ld collects the model's objects into.
_MODEL_SECTIONS = {"code": ".model_text", "tables": ".model_tables", "weights": ".model_weights"}


def _elf(path: Path) -> ELFFile:
    try:
        return ELFFile(io.BytesIO(path.read_bytes()))
    except (ELFError, OSError) as exc:
        raise ToolError(f"{path} is not a readable ELF file: {exc}") from exc


def segments(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (load address, bytes) of every segment that is stored in flash, in address order."""
    rows = [
        (int(s["p_paddr"]), bytes(s.data()))
        for s in _elf(path).iter_segments()
        if s["p_type"] == "PT_LOAD" and s["p_filesz"] > 0
    ]
    yield from sorted(rows)


def sizes(path: Path, facts: Mapping[str, int]) -> Sizes:
    """Return the sizes of the image; `facts` is the plan's (arena and its bound).

    Flash counts what is stored, RAM what is reserved for data, bss and the arena. Stack is
    unknown here: a run tells.
    """
    elf = _elf(path)
    flash = sum(len(data) for _, data in segments(path))
    ram = 0
    for section in elf.iter_sections():
        flags = section["sh_flags"]
        writable = flags & 1 and flags & 2  # SHF_WRITE and SHF_ALLOC
        # The store for the host's inputs takes what is left; it is not the model's.
        if writable and section.name != ".input_store":
            ram += int(section["sh_size"])
    weights_ram = _copied_bytes(elf, _MODEL_SECTIONS["weights"])
    model = {}
    for key, name in _MODEL_SECTIONS.items():
        found = elf.get_section_by_name(name)
        model[key] = 0 if found is None else int(found["sh_size"])
    return Sizes(
        flash_bytes=flash,
        code_bytes=model["code"],
        tables_bytes=model["tables"],
        weights_bytes=model["weights"],
        ram_bytes=ram + weights_ram,
        arena_bytes=facts["arena_bytes"],
        stack_bytes=None,
        arena_lower_bound_bytes=facts.get("arena_lower_bound_bytes"),
        weights_ram_bytes=weights_ram,
    )


def _copied_bytes(elf: ELFFile, name: str) -> int:
    """Return the bytes of a constant section that is stored elsewhere than it is read."""
    section = elf.get_section_by_name(name)
    if section is None:
        return 0
    moved = (s for s in elf.iter_segments() if s["p_paddr"] != s["p_vaddr"])
    return int(section["sh_size"]) if any(s.section_in_segment(section) for s in moved) else 0


def to_bin(path: Path) -> bytes:
    """Return the raw image from its lowest load address, gaps filled with 0xFF (erased flash)."""
    rows = list(segments(path))
    if not rows:
        raise ToolError(f"{path} has nothing to load")
    base = rows[0][0]
    end = max(address + len(data) for address, data in rows)
    if end - base > 64 << 20:
        raise ToolError(f"{path} spans {end - base} bytes from 0x{base:08x}: a wrong linker script")
    image = bytearray(b"\xff" * (end - base))
    for address, data in rows:
        image[address - base : address - base + len(data)] = data
    return bytes(image)


def _record(kind: int, address: int, data: bytes) -> str:
    body = bytes((len(data), (address >> 8) & 0xFF, address & 0xFF, kind)) + data
    return f":{body.hex().upper()}{-sum(body) & 0xFF:02X}\n"


def to_hex(path: Path) -> str:
    """Return the image as Intel HEX with linear addresses."""
    out = []
    upper = -1
    for base, data in segments(path):
        for offset in range(0, len(data), _HEX_ROW):
            address = base + offset
            if address >> 16 != upper:
                upper = address >> 16
                out.append(_record(4, 0, upper.to_bytes(2, "big")))
            # A row must not cross a 64 KiB border: segments are 4-byte aligned, rows need not be.
            room = min(_HEX_ROW, 0x10000 - (address & 0xFFFF))
            row = data[offset : offset + _HEX_ROW]
            out.append(_record(0, address & 0xFFFF, row[:room]))
            if row[room:]:
                upper = (address + room) >> 16
                out.append(_record(4, 0, upper.to_bytes(2, "big")))
                out.append(_record(0, 0, row[room:]))
    out.append(_record(1, 0, b""))
    return "".join(out)
