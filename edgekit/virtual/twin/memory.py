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

_PAGE = 0x1000
_SYSTEM = 0x1FFF_0000  # system memory: unique device identifier, flash size
_UID, _FLASH_KB = 0x1FFF_7590, 0x1FFF_75E0
_PAINT = b"\xa5"


def new_core(config: TwinConfig, image: Image) -> Engine:
    """Return a Cortex-M4 with flash (also at 0, as the boot pins map it), SRAM and system memory.

    Flash is not writable and nothing else is mapped, so a stray access ends the emulation.
    """
    core = u.Uc(u.UC_ARCH_ARM, u.UC_MODE_THUMB | u.UC_MODE_MCLASS)
    core.ctl_set_cpu_model(r.UC_CPU_ARM_CORTEX_M4)
    uc: Engine = core
    for base in (config.flash_base, 0):
        uc.mem_map(base, config.flash_bytes, u.UC_PROT_READ | u.UC_PROT_EXEC)
        uc.mem_write(base, b"\xff" * config.flash_bytes)
        for address, data in image.segments:
            uc.mem_write(address - config.flash_base + base, data)
    uc.mem_map(config.ram_base, config.ram_bytes, u.UC_PROT_ALL)
    uc.mem_map(_SYSTEM, 0x1_0000, u.UC_PROT_READ)
    uid = bytes(config.uid.encode("ascii", "replace")[:12].ljust(12, b"\0"))
    uc.mem_write(_UID, uid)
    uc.mem_write(_FLASH_KB, (config.flash_bytes // 1024).to_bytes(2, "little"))
    return uc


def map_bus(uc: Engine, base: int, size: int, bus: Bus) -> None:
    """Let `bus` answer accesses to a range."""

    def read(_uc: object, offset: int, length: int, _data: object) -> int:
        return bus.read(base + offset, length)

    def write(_uc: object, offset: int, length: int, value: int, _data: object) -> None:
        bus.write(base + offset, length, value)

    uc.mmio_map(base, size, read, None, write, None)


def fill_ram(uc: Engine, config: TwinConfig) -> None:
    """Leave SRAM as after power-on: neither zero nor what it was."""
    uc.mem_write(config.ram_base, _PAINT * config.ram_bytes)


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
