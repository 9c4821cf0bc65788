# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulated core with its memories, and how far down the stack grew."""

from __future__ import annotations

from collections.abc import Callable

import unicorn as u
from unicorn import arm_const as r

from .bus import Bus
from .config import TwinConfig
from .engine import Engine
from .image import Image
from .parts import Soc

_PAINT = b"\xa5"
_CONDITIONS = 0x0600_FC00  # of an IT block, in the xPSR


def new_core(config: TwinConfig, image: Image, soc: Soc) -> Engine:
    """Return the core with flash, its aliases, RAM and read-only memories.

    Flash is not writable and nothing else is mapped, so a stray access ends the emulation.
    """
    core = u.Uc(u.UC_ARCH_ARM, u.UC_MODE_THUMB | u.UC_MODE_MCLASS)
    core.ctl_set_cpu_model(soc.cpu.model)
    uc: Engine = core
    for base in (config.flash_base, *soc.flash_aliases):
        uc.mem_map(base, config.flash_bytes, u.UC_PROT_READ | u.UC_PROT_EXEC)
        uc.mem_write(base, b"\xff" * config.flash_bytes)
        for address, data in image.segments:
            uc.mem_write(address - config.flash_base + base, data)
    for base, size in _rams(config, soc):
        uc.mem_map(base, size, u.UC_PROT_ALL)
    for rom in soc.rom(config):
        uc.mem_map(rom.base, rom.size, u.UC_PROT_READ | u.UC_PROT_EXEC)
        for offset, data in rom.contents.items():
            uc.mem_write(rom.base + offset, data)
    return uc


def _rams(config: TwinConfig, soc: Soc) -> tuple[tuple[int, int], ...]:
    return ((config.ram_base, config.ram_bytes), *soc.more_ram)


def map_bus(uc: Engine, base: int, size: int, bus: Bus) -> None:
    """Let `bus` answer accesses to a range."""

    def read(_uc: object, offset: int, length: int, _data: object) -> int:
        return bus.read(base + offset, length)

    def write(_uc: object, offset: int, length: int, value: int, _data: object) -> None:
        bus.write(base + offset, length, value)

    uc.mmio_map(base, size, read, None, write, None)


def fill_ram(uc: Engine, config: TwinConfig, soc: Soc) -> None:
    """Leave RAM as after power-on: neither zero nor what it was."""
    for base, size in _rams(config, soc):
        uc.mem_write(base, _PAINT * size)


def stack_floor(config: TwinConfig, soc: Soc, image: Image, sp: int) -> int:
    """Return how far down the stack at `sp` may grow: to the static data, or to its RAM's start."""
    floor = next((base for base, size in _rams(config, soc) if base <= sp <= base + size), sp)
    return image.ram_end if floor < image.ram_end <= sp else floor


def end_conditions(uc: Engine) -> None:
    """Take back what Unicorn leaves of an IT block after a hooked read inside it.

    Else the first instructions of a later block of code, such as a load of the pc that begins a
    page, are skipped on the conditions of that IT block. A block that ends inside an IT block
    stores the conditions anew.
    """
    state = uc.reg_read(r.UC_ARM_REG_XPSR)
    if state & _CONDITIONS:
        uc.reg_write(r.UC_ARM_REG_XPSR, state & ~_CONDITIONS)


def ignore_read(
    uc: Engine, _access: int, _address: int, _size: int, _value: int, _data: object
) -> None:
    """Be the hook of reads that nobody counts."""
    end_conditions(uc)


class StackGauge:
    """Paints the memory below the stack pointer and looks for the deepest write."""

    def __init__(self, uc: Engine, floor: int) -> None:
        self._uc = uc
        self._top = int(uc.reg_read(r.UC_ARM_REG_SP))
        self._floor = min(floor, self._top)
        self._saved = bytes(uc.mem_read(self._floor, self._top - self._floor))
        uc.mem_write(self._floor, _PAINT * len(self._saved))

    def used_bytes(self) -> int:
        """Return how far below the first stack pointer was written; put the rest back."""
        now = bytes(self._uc.mem_read(self._floor, len(self._saved)))
        untouched = len(now) - len(now.lstrip(_PAINT))
        self._uc.mem_write(self._floor, self._saved[:untouched])
        return len(now) - untouched


def fault_catcher(note: Callable[[str], None]) -> Callable[..., bool]:
    """Return a hook that describes an access to memory that is not there."""
    names = {
        u.UC_MEM_READ_UNMAPPED: "read of",
        u.UC_MEM_WRITE_UNMAPPED: "write to",
        u.UC_MEM_FETCH_UNMAPPED: "execution at",
        u.UC_MEM_WRITE_PROT: "write to read-only",
        u.UC_MEM_READ_PROT: "read of protected",
        u.UC_MEM_FETCH_PROT: "execution at protected",
    }

    def hook(_uc: object, access: int, address: int, size: int, _value: int, _data: object) -> bool:
        note(f"{names.get(access, 'access to')} 0x{address:08x} ({size} bytes)")
        return False

    return hook
