# SPDX-License-Identifier: GPL-2.0-or-later
"""The cores that the emulator has, and what is known of their timing."""

from __future__ import annotations

from dataclasses import dataclass

from unicorn import arm_const as r

from . import cortex_m4
from .decode import UNTIMED, Timing


@dataclass(frozen=True, slots=True)
class Cpu:
    """A Cortex-M."""

    model: int  # of Unicorn
    cpuid: int
    timing: Timing
    dwt_locked: bool = False  # DWT takes no write before its lock is opened


# Arm publishes no cycles of instructions for the Cortex-M33, nor for the M7, which pairs them.
CORTEX_M33 = Cpu(r.UC_CPU_ARM_CORTEX_M33, 0x410F_D214, UNTIMED)  # r0p4
CORTEX_M7 = Cpu(r.UC_CPU_ARM_CORTEX_M7, 0x411F_C271, UNTIMED, dwt_locked=True)  # r1p1
CORTEX_M0PLUS = Cpu(r.UC_CPU_ARM_CORTEX_M0, 0x410C_C601, UNTIMED)  # r0p1; no table was made
CORTEX_M4 = Cpu(r.UC_CPU_ARM_CORTEX_M4, 0x410F_C241, cortex_m4.TIMING)
