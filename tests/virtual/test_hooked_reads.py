"""A counted read inside an IT block leaves none of the block's conditions behind."""

from __future__ import annotations

import pytest
import unicorn as u
from unicorn import arm_const as r

from edgekit.virtual.twin.memory import ignore_read

pytestmark = pytest.mark.virtual

_CODE, _PAGE, _SP = 0x0800_0000, 0x400, 0x2000_0800
_DATA = _CODE + 0x600

# The page's second instruction, a load of the pc, must not have the IT block's last condition.
_PROGRAM = bytes.fromhex(
    "012b"  # cmp r3, #1
    "1abf"  # itte ne
    "34f9020b"  # ldrshne r0, [r4], #2
    "34f9022b"  # ldrshne r2, [r4], #2
    "f4e80202"  # ldrdeq r0, r2, [r4], #8
    "d9f80090"  # ldr r9, [r9], where the page begins
    "ddf814f0"  # ldr pc, [sp, #20]
    "0125"  # movs r5, #1
    "00bf"  # nop
)
_START = _CODE + _PAGE - 16
_TARGET = _CODE + 0x500


def test_load_of_the_pc_jumps_at_the_start_of_a_page():
    uc = u.Uc(u.UC_ARCH_ARM, u.UC_MODE_THUMB | u.UC_MODE_MCLASS)
    uc.ctl_set_cpu_model(r.UC_CPU_ARM_CORTEX_M4)
    uc.mem_map(_CODE, 0x1000)
    uc.mem_map(0x2000_0000, 0x1000)
    uc.mem_write(_START, _PROGRAM)
    uc.mem_write(_SP + 20, (_TARGET | 1).to_bytes(4, "little"))
    for register, value in (
        (r.UC_ARM_REG_SP, _SP),
        (r.UC_ARM_REG_R3, 0),
        (r.UC_ARM_REG_R4, _DATA),
        (r.UC_ARM_REG_R9, _SP),
    ):
        uc.reg_write(register, value)
    uc.hook_add(u.UC_HOOK_MEM_READ, ignore_read, begin=_DATA, end=_DATA + 15)
    uc.emu_start(_START | 1, _TARGET, count=20)
    assert uc.reg_read(r.UC_ARM_REG_R5) == 0
    assert uc.reg_read(r.UC_ARM_REG_PC) == _TARGET
