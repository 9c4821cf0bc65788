# SPDX-License-Identifier: GPL-2.0-or-later
"""Blocks of Thumb code: how many instructions, what they move, what they may cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from capstone import CS_ARCH_ARM, CS_MODE_MCLASS, CS_MODE_THUMB, Cs
from capstone import arm as a

from .engine import Insn

_WORD = 4
LOADS = {
    a.ARM_INS_LDR: 4,
    a.ARM_INS_LDRB: 1,
    a.ARM_INS_LDRSB: 1,
    a.ARM_INS_LDRH: 2,
    a.ARM_INS_LDRSH: 2,
    a.ARM_INS_LDRT: 4,
    a.ARM_INS_LDREX: 4,
    a.ARM_INS_LDREXB: 1,
    a.ARM_INS_LDREXH: 2,
}
STORES = {
    a.ARM_INS_STR: 4,
    a.ARM_INS_STRB: 1,
    a.ARM_INS_STRH: 2,
    a.ARM_INS_STRT: 4,
    a.ARM_INS_STREX: 4,
    a.ARM_INS_STREXB: 1,
    a.ARM_INS_STREXH: 2,
}
PAIRS = {a.ARM_INS_LDRD, a.ARM_INS_STRD}
LISTS = {  # instruction -> operands before the register list
    a.ARM_INS_POP: 0,
    a.ARM_INS_PUSH: 0,
    a.ARM_INS_VPOP: 0,
    a.ARM_INS_VPUSH: 0,
    a.ARM_INS_LDM: 1,
    a.ARM_INS_LDMDB: 1,
    a.ARM_INS_STM: 1,
    a.ARM_INS_STMDB: 1,
    a.ARM_INS_VLDMIA: 1,
    a.ARM_INS_VLDMDB: 1,
    a.ARM_INS_VSTMIA: 1,
    a.ARM_INS_VSTMDB: 1,
}


@dataclass(frozen=True, slots=True)
class Timing:
    """Cycle bounds of a core's instructions."""

    name: str  # of the table and the rules: part of the key of cached counts
    refill: tuple[int, int]  # cycles after any change of the program counter
    bounds: Callable[[Sequence[Insn]], tuple[int, int]]  # of a straight run of instructions
    unnamed_hi: int  # most cycles of a halfword that the disassembler cannot name
    published: bool = True  # False: the cycles only drive virtual time and are told to nobody


# For a core whose maker publishes no table: virtual time goes by instructions.
UNTIMED = Timing("none", (0, 0), lambda found: (len(found), len(found)), 0, published=False)


@dataclass(frozen=True, slots=True)
class Block:
    """Static facts of one straight run of instructions, without the branch into it."""

    instructions: int
    lo: int
    hi: int
    bytes_moved: int  # data read and written, literals included
    uses_fpu: bool
    unknown: int  # halfwords that capstone could not name


class Decoder:
    """Turns code bytes into blocks; keeps the disassembler, which is slow to make."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._cs = Cs(CS_ARCH_ARM, CS_MODE_THUMB + CS_MODE_MCLASS)
        self._cs.detail = True

    def block(self, code: bytes, address: int) -> Block:
        """Return the bounds of the instructions in `code`."""
        found = list(self._cs.disasm(code, address))
        left = len(code) - sum(i.size for i in found)
        lo, hi = self._timing.bounds(found)
        # What capstone cannot name is charged as widely as the slowest integer instruction.
        unknown = left // 2
        unnamed = (unknown + 1) // 2
        return Block(
            instructions=len(found) + unnamed,
            lo=lo + unnamed,
            hi=hi + max(unnamed, self._timing.unnamed_hi * unknown),
            bytes_moved=sum(_moved(i) for i in found),
            uses_fpu=any(i.mnemonic.startswith("v") for i in found),
            unknown=unknown,
        )


def list_words(insn: Insn) -> int:
    """Return how many words an instruction with a register list moves."""
    registers = insn.operands[LISTS[insn.id] :]
    double = bool(registers) and insn.reg_name(registers[0].reg).startswith("d")
    return len(registers) * (2 if double else 1)


def is_double(insn: Insn) -> bool:
    """Return whether the first operand is a double register of the FPU."""
    return insn.reg_name(insn.operands[0].reg).startswith("d")


def _moved(insn: Insn) -> int:
    code = insn.id
    if code in LOADS:
        return LOADS[code]
    if code in STORES:
        return STORES[code]
    if code in (a.ARM_INS_VLDR, a.ARM_INS_VSTR):
        return 2 * _WORD if is_double(insn) else _WORD
    if code in PAIRS:
        return 2 * _WORD
    return _WORD * list_words(insn) if code in LISTS else 0
