"""What yosys and nextpnr say of a design: cells, use of the part, highest clock."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import ToolError

# Cells of yosys `stat` of all families by what they are; a whole name has to match. Wide
# multiplexers of LUT outputs (PFUMX, MUX2_LUT5, MUXF7) are parts of a slice of their own and
# count as nothing here.
_CELLS: Mapping[str, re.Pattern[str]] = {
    "lut": re.compile(r"SB_LUT4|LUT[1-6]|LUT6_2"),
    "ff": re.compile(r"SB_DFF\w*|TRELLIS_FF|DFF\w*|FD[RSCP]E"),
    "carry": re.compile(r"SB_CARRY|CCU2C|ALU|CARRY4"),
    "bram": re.compile(
        r"SB_RAM40_4K\w*|DP16KD|PDPW16KD|(SP|SDP|SDPB|DP|DPB|pROM)(X9|X9B)?|RAMB36E1"
    ),
    "dsp": re.compile(r"SB_MAC16|MULT(9X9|18X18|36X36)D?|DSP48E1"),
    "spram": re.compile(r"SB_SPRAM256KA"),
}
# Memories and shift registers that are made of look-up tables, with how many of them.
_LUT_MEMORIES: Mapping[str, int] = {
    "SRL16E": 1,
    "SRLC32E": 1,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1D": 4,
    "RAM32M": 4,
    "RAM64M": 4,
    "TRELLIS_DPR16X4": 4,
    "RAM16SDP4": 4,
}
_HALF_BRAM = "RAMB18E1"  # two of them share a RAMB36E1
_LOGIC_CELLS = ("ICESTORM_LC", "TRELLIS_COMB", "LUT4")  # what nextpnr calls a logic cell
_UTILISATION = re.compile(r"^Info:\s+(\w+):\s*(\d+)/\s*(\d+)\s+\d+%")
_FREQUENCY = re.compile(
    r"Max frequency for clock\s+'([^']+)':\s*([\d.]+) MHz \((?:PASS|FAIL) at ([\d.]+) MHz\)"
)


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of a netlist as yosys counts them; `logic_cells` is its own estimate (xc7)."""

    lut: int
    ff: int
    carry: int
    bram: int
    dsp: int
    spram: int
    logic_cells: int | None


@dataclass(frozen=True, slots=True)
class Clock:
    """Highest frequency of one clock after routing, and what was asked."""

    name: str
    achieved_mhz: float
    wanted_mhz: float


@dataclass(frozen=True, slots=True)
class Placement:
    """What nextpnr reports: per resource what is used and what the part has, and the clocks."""

    used: Mapping[str, tuple[int, int]]  # resource -> (used, available)
    clocks: tuple[Clock, ...]

    def over(self) -> dict[str, tuple[int, int]]:
        """Return the resources of which the part has too few."""
        return {name: row for name, row in self.used.items() if row[0] > row[1]}

    def worst(self) -> Clock | None:
        """Return the clock that is closest to what was asked, or furthest below it."""
        return min(self.clocks, key=lambda c: c.achieved_mhz / c.wanted_mhz, default=None)

    def met(self) -> bool:
        """Say whether every clock runs as fast as was asked."""
        return all(c.achieved_mhz >= c.wanted_mhz for c in self.clocks)

    def logic_cells(self) -> int | None:
        """Return the logic cells used, None where the report has no such resource."""
        return next((self.used[name][0] for name in _LOGIC_CELLS if name in self.used), None)


def cells(path: Path) -> Cells:
    """Return the cell counts of `stat -json`; ToolError where the file is none."""
    try:
        design = json.loads(path.read_text(encoding="utf-8"))["design"]
        counts = {str(k): int(v) for k, v in design["num_cells_by_type"].items()}
        estimate = design.get("estimated_num_lc")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ToolError(f"{path} is no report of yosys: {exc}") from exc
    found = {
        kind: sum(n for name, n in counts.items() if pattern.fullmatch(name))
        for kind, pattern in _CELLS.items()
    }
    found["lut"] += sum(_LUT_MEMORIES.get(name, 0) * n for name, n in counts.items())
    found["bram"] += -(-counts.get(_HALF_BRAM, 0) // 2)
    return Cells(**found, logic_cells=None if estimate is None else int(estimate))


def placement(report: Path, log: Path) -> Placement:
    """Return what nextpnr wrote to its JSON report, and to its log where that is missing.

    The report of Gowin's nextpnr may name no clock, though its log does.

    Raises ToolError for a report that is damaged.
    """
    told = placement_from_log(log.read_text(encoding="utf-8", errors="replace"))
    if not report.is_file():
        return told
    try:
        data = json.loads(report.read_text(encoding="utf-8"))
        rows = data["utilization"].items()
        used = {str(k): (int(v["used"]), int(v["available"])) for k, v in rows}
        clocks = tuple(
            Clock(str(name), float(row["achieved"]), float(row["constraint"]))
            for name, row in data["fmax"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ToolError(f"{report} is no report of nextpnr: {exc}") from exc
    return Placement(used, clocks or told.clocks)


def placement_from_log(text: str) -> Placement:
    """Return what a log of nextpnr says, however far the run came.

    The last line on a clock counts: earlier ones are estimates before routing.
    """
    used: dict[str, tuple[int, int]] = {}
    clocks: dict[str, Clock] = {}
    for line in text.splitlines():
        if row := _UTILISATION.match(line):
            used[row[1]] = (int(row[2]), int(row[3]))
        elif row := _FREQUENCY.search(line):
            clocks[row[1]] = Clock(row[1], float(row[2]), float(row[3]))
    return Placement(used, tuple(clocks.values()))
