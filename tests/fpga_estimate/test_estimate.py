"""The estimate of cells against synthesis, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from estimate_nets import CASES, mlp
from synthesized import compare

from edgekit import board
from edgekit.errors import DoesNotFitError
from edgekit.target.fpga import hardwired
from edgekit.target.fpga.core import Resources
from edgekit.target.fpga.estimate import ERROR, added, refuse_too_large, table

ICEBREAKER = board.find("icebreaker")
assert isinstance(ICEBREAKER, board.FpgaBoard)
BY_NAME = {case.name: case for case in CASES}
SMALL = (
    "mlp 40-20-20-5, 70 % zeros",
    "coded 12x2-20-10, 70 % zeros",
    "mlp 400-48-10, 85 % zeros, 2 kHz",
)


@pytest.mark.nextpnr
def test_small_networks_are_within_the_error(tmp_path: Path) -> None:
    for row in compare([BY_NAME[name] for name in SMALL], tmp_path):
        assert abs(row.error) <= ERROR, row
        assert row.estimated.ff == pytest.approx(row.synthesized.ff, rel=ERROR)


@pytest.mark.nextpnr
@pytest.mark.data
@pytest.mark.nightly
@pytest.mark.parametrize(("style", "least"), [("hardwired", 8), ("folded", 10)])
def test_networks_that_took_no_part_in_the_fit(style: str, least: int, tmp_path: Path) -> None:
    tested = [case for case in CASES if (case.use, case.style) == ("test", style)]
    assert len(tested) >= least
    rows = compare(tested, tmp_path)
    assert {row.name: row.error for row in rows if abs(row.error) > ERROR} == {}, table(rows)


def test_what_cannot_fit_is_refused_before_synthesis() -> None:
    needed = hardwired.generate(mlp(1, (40, 16, 4), 0.0)).estimate
    small = ICEBREAKER.model_copy(update={"part": ICEBREAKER.part.model_copy(update={"lut": 200})})
    with pytest.raises(DoesNotFitError, match=r"net needs about [\d,]+ LUTs of 200 on icebreaker"):
        refuse_too_large("net", needed, small)
    refuse_too_large("net", needed, ICEBREAKER)


def test_the_error_is_granted_but_memories_are_exact() -> None:
    limit = ICEBREAKER.part.lut
    refuse_too_large("net", Resources(lut=int(limit / (1 - ERROR)), ff=0), ICEBREAKER)
    with pytest.raises(DoesNotFitError, match="LUTs"):
        refuse_too_large("net", Resources(lut=int(limit / (1 - ERROR)) + 2, ff=0), ICEBREAKER)
    with pytest.raises(DoesNotFitError, match="31 block RAMs of 30"):
        refuse_too_large("net", Resources(lut=0, ff=0, bram=31), ICEBREAKER)
    with pytest.raises(DoesNotFitError, match="5 SPRAMs of 4"):
        refuse_too_large("net", Resources(lut=0, ff=0, spram=5), ICEBREAKER)


def test_parts_add_up() -> None:
    assert added([Resources(1, 2, 3, 4, 5, 6), Resources(10, 20)]) == Resources(11, 22, 3, 4, 5, 6)
