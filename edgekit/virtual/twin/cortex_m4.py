# SPDX-License-Identifier: GPL-2.0-or-later
"""Cycle bounds of Cortex-M4 instructions, block by block.

The numbers are those of the technical reference manual (Arm DDI 0439, table 3-1: zero wait states)
and are kept as an interval, because the manual leaves three things open: the refill after a taken
branch (P, 1 to 3 cycles), whether neighbouring loads and stores overlap, and early termination of
divides. Misaligned accesses and contention between bus masters are outside the interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capstone import CS_ARCH_ARM, CS_MODE_MCLASS, CS_MODE_THUMB, Cs
from capstone import arm as a

from .engine import Insn

VERSION = 1  # of the table and of the rules below: part of the key of cached counts
REFILL = (1, 3)  # P: cycles after any change of the program counter

_WORD = 4
_LOADS = {
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
_STORES = {
    a.ARM_INS_STR: 4,
    a.ARM_INS_STRB: 1,
    a.ARM_INS_STRH: 2,
    a.ARM_INS_STRT: 4,
    a.ARM_INS_STREX: 4,
    a.ARM_INS_STREXB: 1,
    a.ARM_INS_STREXH: 2,
}
_PAIRS = {a.ARM_INS_LDRD, a.ARM_INS_STRD}
_LISTS = {  # instruction -> operands before the register list
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
_FIXED = {
    a.ARM_INS_SDIV: (2, 12),
    a.ARM_INS_UDIV: (2, 12),
    a.ARM_INS_TBB: (2, 2),
    a.ARM_INS_TBH: (2, 2),
    a.ARM_INS_IT: (0, 1),  # may be folded into the instruction before it
    a.ARM_INS_MRS: (1, 2),
    a.ARM_INS_MSR: (1, 2),
    a.ARM_INS_CPS: (1, 2),
    a.ARM_INS_DMB: (1, 5),
    a.ARM_INS_DSB: (1, 5),
    a.ARM_INS_ISB: (1, 5),
    a.ARM_INS_VDIV: (14, 15),
    a.ARM_INS_VSQRT: (14, 15),
}
_FUSED = {  # multiply and add: three cycles, one more where the next instruction waits for it
    a.ARM_INS_VMLA,
    a.ARM_INS_VMLS,
    a.ARM_INS_VNMLA,
    a.ARM_INS_VNMLS,
    a.ARM_INS_VFMA,
    a.ARM_INS_VFMS,
    a.ARM_INS_VFNMA,
    a.ARM_INS_VFNMS,
}


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

    def __init__(self) -> None:
        self._cs = Cs(CS_ARCH_ARM, CS_MODE_THUMB + CS_MODE_MCLASS)
        self._cs.detail = True

    def block(self, code: bytes, address: int) -> Block:
        """Return the bounds of the instructions in `code`."""
        found = list(self._cs.disasm(code, address))
        left = len(code) - sum(i.size for i in found)
        costs = [_cost(i) for i in found]
        run_lo, run_hi = _pipelined([_single(i) for i in found])
        # What capstone cannot name is charged as widely as the slowest integer instruction.
        unknown = left // 2
        return Block(
            instructions=len(found) + (unknown + 1) // 2,
            lo=sum(lo for lo, _, _ in costs) + run_lo + (unknown + 1) // 2,
            hi=sum(hi for _, hi, _ in costs) + run_hi + 12 * unknown,
            bytes_moved=sum(moved for _, _, moved in costs),
            uses_fpu=any(i.mnemonic.startswith("v") for i in found),
            unknown=unknown,
        )


def _single(insn: Insn) -> str:
    """Return "l" or "s" for a single load or store, which can overlap with neighbours, else ""."""
    if insn.id in _LOADS or insn.id == a.ARM_INS_VLDR:
        return "l"
    if insn.id in _STORES or insn.id == a.ARM_INS_VSTR:
        return "s"
    return ""


def _pipelined(kinds: Sequence[str]) -> tuple[int, int]:
    """Return the bounds of all single loads and stores of a block.

    Neighbours overlap at best: a run of k takes k cycles, one more where it holds a load. At worst
    nothing overlaps and the write buffer is full: two each.
    """
    lo = hi = 0
    run = ""
    for kind in (*kinds, ""):
        if kind:
            run += kind
            continue
        if run:
            lo += len(run) + ("l" in run)
            hi += 2 * len(run)
        run = ""
    return lo, hi


def _cost(insn: Insn) -> tuple[int, int, int]:
    """Return (lo, hi, bytes) of one instruction; single loads and stores cost bytes only."""
    lo, hi, moved = _plain_cost(insn)
    if insn.cc not in (a.ARM_CC_AL, a.ARM_CC_INVALID):
        lo = min(lo, 1)  # a condition that fails takes one cycle
    return lo, hi, moved


def _plain_cost(insn: Insn) -> tuple[int, int, int]:
    code = insn.id
    if code in _LOADS:
        return 0, 0, _LOADS[code]
    if code in _STORES:
        return 0, 0, _STORES[code]
    if code in (a.ARM_INS_VLDR, a.ARM_INS_VSTR):
        extra = 1 if _is_double(insn) else 0
        return extra, extra, _WORD * (1 + extra)
    if code in _PAIRS:
        return 3, 3, 2 * _WORD
    if code in _LISTS:
        words = _list_words(insn, _LISTS[code])
        return 1 + words, 1 + words, _WORD * words
    if code in _FIXED:
        return (*_FIXED[code], 0)
    if code in _FUSED:
        return 3, 4, 0
    if insn.mnemonic.startswith("v"):
        return 1, 2, 0  # one more where the next instruction waits for the result
    return 1, 1, 0


def _list_words(insn: Insn, skip: int) -> int:
    registers = insn.operands[skip:]
    double = bool(registers) and insn.reg_name(registers[0].reg).startswith("d")
    return len(registers) * (2 if double else 1)


def _is_double(insn: Insn) -> bool:
    return insn.reg_name(insn.operands[0].reg).startswith("d")
