"""Bounds of hand-assembled blocks against numbers worked out from the reference manual's table."""

from __future__ import annotations

import struct

import pytest

from edgekit.virtual.twin.cortex_m4 import TIMING
from edgekit.virtual.twin.decode import Decoder

pytestmark = pytest.mark.virtual


def _code(*halfwords: int) -> bytes:
    return struct.pack(f"<{len(halfwords)}H", *halfwords)


@pytest.mark.parametrize(
    ("code", "instructions", "lo", "hi", "moved"),
    [
        pytest.param(_code(0x3801, 0xD1FD), 2, 2, 2, 0, id="subs, bne: branch refill is apart"),
        pytest.param(_code(0x6808), 1, 2, 2, 4, id="one load"),
        pytest.param(_code(0x6808, 0x684A, 0x688B), 3, 4, 6, 12, id="three loads overlap"),
        pytest.param(_code(0x6808, 0x3001, 0x684A), 3, 5, 5, 8, id="two loads apart"),
        pytest.param(_code(0x6008), 1, 1, 2, 4, id="one store"),
        pytest.param(_code(0x7808, 0x8849), 2, 3, 4, 3, id="byte and halfword"),
        pytest.param(_code(0xB5F0), 1, 6, 6, 20, id="push of five"),
        pytest.param(_code(0xBDF0), 1, 6, 6, 20, id="pop of five with pc"),
        pytest.param(_code(0xE8B1, 0x000F), 1, 5, 5, 16, id="ldm of four"),
        pytest.param(_code(0xE9D1, 0x2300), 1, 3, 3, 8, id="ldrd"),
        pytest.param(_code(0xFB90, 0xF0F1), 1, 2, 12, 0, id="sdiv"),
        pytest.param(_code(0xFB20, 0x0001), 1, 1, 1, 0, id="smlad"),
        pytest.param(_code(0xFBC0, 0x0102), 1, 1, 1, 0, id="smlal"),
        pytest.param(_code(0xBF08, 0x3001), 2, 1, 2, 0, id="it may be folded"),
        pytest.param(_code(0xEE30, 0x0A00), 1, 1, 2, 0, id="vadd"),
        pytest.param(_code(0xEEA0, 0x0A00), 1, 3, 4, 0, id="vfma"),
        pytest.param(_code(0xEE80, 0x0A00), 1, 14, 15, 0, id="vdiv"),
        pytest.param(_code(0xED90, 0x0A00), 1, 2, 2, 4, id="vldr single"),
        pytest.param(_code(0xED90, 0x0B00), 1, 3, 3, 8, id="vldr double"),
        pytest.param(_code(0x4801), 1, 2, 2, 4, id="literal"),
        pytest.param(_code(0xE8DF, 0xF000), 1, 2, 2, 0, id="tbb"),
    ],
)
def test_block_bounds(code, instructions, lo, hi, moved):
    block = Decoder(TIMING).block(code, 0x0800_0000)
    assert block.unknown == 0
    assert (block.instructions, block.lo, block.hi, block.bytes_moved) == (
        instructions,
        lo,
        hi,
        moved,
    )


def test_unknown_code_is_charged_widely():
    block = Decoder(TIMING).block(_code(0x3001, 0xFFFF, 0xFFFF), 0x0800_0000)
    assert block.unknown == 2
    assert block.instructions == 2
    assert block.hi - block.lo >= 11


def test_fpu_is_noticed():
    assert Decoder(TIMING).block(_code(0xEE30, 0x0A00), 0).uses_fpu
    assert not Decoder(TIMING).block(_code(0x3001), 0).uses_fpu
