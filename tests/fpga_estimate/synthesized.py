"""Estimates beside synthesis; run as a program it prints the table of the documentation.

PYTHONPATH=.:tests:tests/fpga_estimate python tests/fpga_estimate/synthesized.py
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from estimate_nets import CASES, Case

from edgekit import board
from edgekit.build import fpga
from edgekit.build.plan import BuildPlan, FpgaSizes
from edgekit.target.fpga import toolchain
from edgekit.target.fpga.core import Resources
from edgekit.target.fpga.estimate import Comparison, table

_RTL = Path(__file__).resolve().parents[2] / "fpga" / "rtl"
_ICEBREAKER = board.find("icebreaker")


def netlist_plan(case: Case) -> tuple[BuildPlan, Resources]:
    """Return synthesis alone of a case, and its estimate."""
    assert isinstance(_ICEBREAKER, board.FpgaBoard)
    core = case.core()
    files = dict(core.files)
    for block in core.blocks:
        files[PurePosixPath(f"rtl/{block}.v")] = (_RTL / f"{block}.v").read_bytes()
    sources = sorted(path for path in files if path.suffix == ".v")
    plan = toolchain.plan(
        case.name,
        _ICEBREAKER,
        files,
        sources,
        top="ek_core",
        clock_hz=12e6,
        pins=None,
        flow="native",
    )
    only = BuildPlan(
        name=plan.name,
        board=plan.board,
        toolchain=plan.toolchain,
        files=plan.files,
        commands=plan.commands[:1],
        products={k: plan.products[k] for k in (fpga.NETLIST, fpga.STATISTICS)},
    )
    return only, core.estimate


def compare(cases: Sequence[Case], work: Path) -> list[Comparison]:
    """Synthesize `cases` and put their estimates beside."""
    rows = []
    for case in cases:
        plan, estimate = netlist_plan(case)
        sizes = fpga.execute(plan, work).sizes
        assert isinstance(sizes, FpgaSizes)
        found = Resources(sizes.lut, sizes.ff, sizes.carry, sizes.bram, sizes.spram, sizes.dsp)
        rows.append(Comparison(f"{case.style}: {case.name}", estimate, found))
    return rows


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for use in ("fit", "test"):
            rows = compare([c for c in CASES if c.use == use], Path(folder))
            sys.stdout.write(f"{use}\n\n{table(rows)}\n")
