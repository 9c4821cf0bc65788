# SPDX-License-Identifier: GPL-2.0-or-later
"""What the twin uses of Unicorn and Capstone, which carry no types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol


class Engine(Protocol):
    """An emulated core (unicorn.Uc)."""

    def mem_map(self, address: int, size: int, perms: int = ...) -> None:
        """Give memory to a range."""
        ...

    def mem_read(self, address: int, size: int) -> bytearray:
        """Return bytes of memory."""
        ...

    def mem_write(self, address: int, data: bytes) -> None:
        """Write bytes to memory."""
        ...

    def reg_read(self, reg_id: int) -> int:
        """Return a register."""
        ...

    def reg_write(self, reg_id: int, value: int) -> None:
        """Write a register."""
        ...

    def mmio_map(
        self,
        address: int,
        size: int,
        read_cb: Callable[[object, int, int, object], int],
        user_data_read: object,
        write_cb: Callable[[object, int, int, int, object], None],
        user_data_write: object,
    ) -> None:
        """Let callbacks answer accesses to a range."""
        ...

    def hook_add(
        self, htype: int, callback: Callable[..., object], *, begin: int = ..., end: int = ...
    ) -> int:
        """Add a hook, return its handle."""
        ...

    def hook_del(self, handle: int) -> None:
        """Remove a hook."""
        ...

    def emu_start(self, begin: int, until: int) -> None:
        """Run until stopped."""
        ...

    def emu_stop(self) -> None:
        """Stop at the end of the block under way."""
        ...

    def ctl_flush_tb(self) -> None:
        """Forget translated code, which has the hooks of its time built in."""
        ...

    def context_save(self) -> object:
        """Return the registers."""
        ...

    def context_restore(self, context: object) -> None:
        """Set the registers."""
        ...


class Operand(Protocol):
    """One operand (capstone.arm.ArmOp)."""

    reg: int


class Insn(Protocol):
    """One instruction (capstone.CsInsn)."""

    id: int
    size: int
    cc: int
    mnemonic: str
    operands: Sequence[Operand]

    def reg_name(self, reg_id: int) -> str:
        """Return a register's name."""
        ...
