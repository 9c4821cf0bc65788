"""Weights of nets: pins that a toggle reaches through routing, by hand."""

from __future__ import annotations

from edgekit.virtual.fpga.pins import routed_pins


def cell(kind: str, outputs: dict[str, int], **inputs: int | str) -> dict[str, object]:
    return {
        "type": kind,
        "connections": {p: [b] for p, b in (outputs | inputs).items()},
    }


def test_a_bit_of_a_counter_reaches_its_own_cell_once() -> None:
    # q (2) into a LUT and, at the same pins, into the carry beside it; the LUT (3) only into the
    # flip-flop of its cell; the carry (4) only into its neighbour.
    cells = {
        "lut": cell("SB_LUT4", {"O": 3}, I0="0", I1="0", I2=2, I3=9),
        "carry": cell("SB_CARRY", {"CO": 4}, I0="0", I1=2, CI=9),
        "ff": cell("SB_DFF", {"Q": 2}, C=1, D=3),
        "before": cell("SB_CARRY", {"CO": 9}, I0="0", I1="1", CI="1"),
        "next": cell("SB_LUT4", {"O": 5}, I0="0", I1="0", I2="0", I3=4),
    }
    weights = routed_pins({"cells": cells})
    assert weights.get(2) == 1.0
    assert [weights.get(net, 0.0) for net in (1, 3, 4, 9)] == [0.0] * 4


def test_fanout_counts_and_a_shared_lut_leaves_its_cell() -> None:
    cells = {
        "a": cell("SB_LUT4", {"O": 3}, I0=2, I1="0", I2="0", I3="0"),
        "b": cell("SB_LUT4", {"O": 4}, I0=3, I1=2, I2="0", I3="0"),
        "ff": cell("SB_DFFE", {"Q": 5}, C=1, D=3, E=6),
    }
    weights = routed_pins({"cells": cells})
    assert weights == {2: 2.0, 3: 2.0, 6: 1 / 8}


def test_a_lut_and_the_flip_flop_behind_it_are_one_cell() -> None:
    cells = {
        "a": cell("SB_LUT4", {"O": 3}, I0=2, I1="0", I2="0", I3="0"),
        "ff": cell("SB_DFF", {"Q": 5}, C=1, D=3),
        "direct": cell("SB_DFF", {"Q": 6}, C=1, D=5),  # no LUT before it: a cell away
    }
    assert routed_pins({"cells": cells}) == {2: 1.0, 3: 0.0, 5: 1.0}


def test_memories_and_a_carry_without_a_lut() -> None:
    cells = {
        "ram": cell("SB_RAM40_4K", {"RDATA": 7}, RADDR=2, RCLK=1),
        "carry": cell("SB_CARRY", {"CO": 4}, I0=3, I1="0", CI="0"),
    }
    assert routed_pins({"cells": cells}) == {2: 1.0, 3: 1.0}
