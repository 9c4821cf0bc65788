# SPDX-License-Identifier: GPL-2.0-or-later
"""Cycle bounds of Cortex-M4 instructions, block by block.

The numbers are those of the technical reference manual (Arm DDI 0439, table 3-1: zero wait states)
and are kept as an interval, because the manual leaves three things open: the refill after a taken
branch (P, 1 to 3 cycles), whether neighbouring loads and stores overlap, and early termination of
divides. Misaligned accesses and contention between bus masters are outside the interval.
"""

from __future__ import annotations

from collections.abc import Sequence

from capstone import arm as a

from .decode import LISTS, LOADS, PAIRS, STORES, Timing, is_double, list_words
from .engine import Insn

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


def bounds(found: Sequence[Insn]) -> tuple[int, int]:
    """Return the bounds of a straight run of instructions, without the branch into it."""
    costs = [_cost(i) for i in found]
    lo, hi = _pipelined([_single(i) for i in found])
    return lo + sum(c[0] for c in costs), hi + sum(c[1] for c in costs)


def _single(insn: Insn) -> str:
    """Return "l" or "s" for a single load or store, which can overlap with neighbours, else ""."""
    if insn.id in LOADS or insn.id == a.ARM_INS_VLDR:
        return "l"
    if insn.id in STORES or insn.id == a.ARM_INS_VSTR:
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


def _cost(insn: Insn) -> tuple[int, int]:
    """Return the bounds of one instruction; single loads and stores are in `_pipelined`."""
    lo, hi = _plain_cost(insn)
    if insn.cc not in (a.ARM_CC_AL, a.ARM_CC_INVALID):
        lo = min(lo, 1)  # a condition that fails takes one cycle
    return lo, hi


def _plain_cost(insn: Insn) -> tuple[int, int]:
    code = insn.id
    if code in LOADS or code in STORES:
        return 0, 0
    if code in (a.ARM_INS_VLDR, a.ARM_INS_VSTR):
        extra = 1 if is_double(insn) else 0
        return extra, extra
    if code in PAIRS:
        return 3, 3
    if code in LISTS:
        words = list_words(insn)
        return 1 + words, 1 + words
    if code in _FIXED:
        return _FIXED[code]
    if code in _FUSED:
        return 3, 4
    if insn.mnemonic.startswith("v"):
        return 1, 2  # one more where the next instruction waits for the result
    return 1, 1


# P, the refill, is 1 to 3 cycles; the slowest integer instruction, a divide, takes 12.
TIMING = Timing("m4-1", (1, 3), bounds, 12)
