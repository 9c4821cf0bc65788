# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts one inference of an image, call by call: the first, which the firmware does at boot.

QEMU counts every instruction. `model_run` itself is executed step by step, each call from it at
once, so nothing has to be built into the image.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from edgekit.virtual.machines import Machine
from edgekit.virtual.twin.config import TwinError

from .gdb import Gdb
from .monitor import Monitor
from .process import Process

_FORMAT = 1  # of the cache files
_PAINT = 0xA5


@dataclass(frozen=True, slots=True)
class Counts:
    """One inference: instructions from the first of `model_run` to its return."""

    instructions: int
    stack_bytes: int
    per_call: tuple[int, ...]

    def told(self) -> dict[str, object]:
        """Return the answer to the op `counts`; None is what QEMU cannot know."""
        unknown = dict.fromkeys(("cycles_lo", "cycles_hi", "bytes_moved", "flash_misses"))
        return {
            "instructions": self.instructions,
            "cycles_lo": None,
            "cycles_hi": None,
            "stack_bytes": self.stack_bytes,
            "per_call": [{"instructions": n, **unknown} for n in self.per_call],
        }


def recall_or_count(elf: Path, machine: Machine, cache: Path, digest: str) -> Counts:
    """Return the counts of an image from the cache, or count and keep them.

    Raises ConnectionError or TimeoutError when QEMU ends or stops answering.
    """
    path = cache / f"{digest[:32]}-q{_FORMAT}.json"
    found = _recall(path)
    if found is None:
        found = _count(elf, machine)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{id(found):x}.part")
        part.write_text(json.dumps(asdict(found)), encoding="utf-8")
        part.replace(path)
    return found


def _recall(path: Path) -> Counts | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Counts(data["instructions"], data["stack_bytes"], tuple(data["per_call"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _count(elf: Path, machine: Machine) -> Counts:
    found = symbols(elf)
    entry, size = found["model_run"]
    bottom = found["ek_stack_bottom"][0]
    with Process(elf, machine, ("gdb", "qmp"), paused=True) as process:
        gdb, monitor = Gdb(process.sockets["gdb"]), Monitor(process.sockets["qmp"])
        gdb.run_to(entry)
        at = gdb.registers()
        top, back = at[machine.stack_register], at[machine.return_register] & ~1
        gdb.fill(bottom, top - bottom, _PAINT)
        start = monitor.instructions()
        calls = _calls(gdb, monitor, machine, range(entry, entry + size), back)
        total = monitor.instructions() - start
        stack = gdb.read(bottom, top - bottom).lstrip(bytes([_PAINT]))
    return Counts(total, len(stack), calls)


def _calls(gdb: Gdb, monitor: Monitor, machine: Machine, code: range, back: int) -> tuple[int, ...]:
    """Run from the entry of `code` to its return at `back`; return what each call took."""
    calls: list[int] = []
    while True:
        gdb.step()
        registers = gdb.registers()
        at = registers[machine.pc_register]
        if at == back:
            return tuple(calls)
        if at not in code:
            before = monitor.instructions()
            after = registers[machine.return_register] & ~1
            gdb.run_to(after)
            calls.append(monitor.instructions() - before)
            if after == back:  # the last call was a jump
                return tuple(calls)


def symbols(elf: Path) -> dict[str, tuple[int, int]]:
    """Return address and size of each symbol; raises TwinError for what is no ELF file."""
    try:
        with elf.open("rb") as stream:
            table = ELFFile(stream).get_section_by_name(".symtab")
            if not isinstance(table, SymbolTableSection):
                return {}
            return {s.name: (s["st_value"] & ~1, s["st_size"]) for s in table.iter_symbols()}
    except ELFError as exc:
        raise TwinError(f"{elf} is not an ELF file: {exc}") from exc
