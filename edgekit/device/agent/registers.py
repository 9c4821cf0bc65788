"""The registers of the AXI shell (fpga/rtl/ek_axi_regs.v), for the program on the Arm side."""

from __future__ import annotations

from enum import IntEnum, IntFlag

ID = int.from_bytes(b"EKAX", "little")
VERSION = 1
RESULT_OFFSET = 0x20000  # the latest result
STORE_OFFSET = 0x40000  # the input store
SPAN_BYTES = 0x80000  # of the whole window


class Reg(IntEnum):
    """Byte offsets of registers of one word; *_ID, *_HASH take four, *_SUM and *_CLOCKS two."""

    ID = 0x00
    VERSION = 0x04
    STATUS = 0x08
    CONTROL = 0x0C
    BUILD_ID = 0x10
    MODEL_HASH = 0x20
    IN_WORDS = 0x30
    OUT_WORDS = 0x34
    SLOTS = 0x38
    CLOCK_HZ = 0x3C
    FIRST = 0x40
    COUNT = 0x44
    N = 0x48
    BATCH = 0x4C
    PERIOD = 0x50
    LOAD = 0x54
    DONE = 0x60
    MISSED = 0x64
    CYCLES = 0x68
    CYCLES_MIN = 0x6C
    CYCLES_MAX = 0x70
    CYCLES_SUM = 0x74
    RUN_CLOCKS = 0x7C
    CLOCKS = 0x84
    LENGTH_ERRORS = 0x88


class Status(IntFlag):
    """Bits of STATUS."""

    BUSY = 1
    RESULT = 2
    RESET = 4


class Control(IntFlag):
    """Bits of CONTROL; START, STOP and RESET act once, the others stay."""

    START = 1
    STOP = 2
    LOOPBACK = 4
    STREAM = 8
    RESET = 16
