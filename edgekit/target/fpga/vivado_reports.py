"""What Vivado's reports say: slack, utilization, and an estimate of power."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgekit.errors import ToolError


@dataclass(frozen=True, slots=True)
class Slack:
    """Worst slacks of a routed design in nanoseconds; below zero the clock is missed."""

    setup_ns: float
    hold_ns: float
    period_ns: float
    vivado: str

    @property
    def met(self) -> bool:
        """Whether the design keeps its clock."""
        return self.setup_ns >= 0 and self.hold_ns >= 0

    @property
    def fmax_mhz(self) -> float:
        """The fastest clock that the setup slack allows."""
        return 1e3 / (self.period_ns - self.setup_ns)


@dataclass(frozen=True, slots=True)
class VivadoReport:
    """A routed design: slack, cells, and Vivado's own estimate of power, which nobody measured."""

    slack: Slack
    lut: int
    ff: int
    bram_36k: float
    dsp: int
    dynamic_w: float
    static_w: float


def parse_slack(text: str) -> Slack:
    """Return the slacks of summary.txt; ToolError where a number is missing."""
    values = dict(line.split(maxsplit=1) for line in text.splitlines() if len(line.split()) > 1)
    try:
        return Slack(
            float(values["wns_ns"]),
            float(values["whs_ns"]),
            float(values["period_ns"]),
            values["vivado"],
        )
    except (KeyError, ValueError) as exc:
        raise ToolError(
            f"Vivado's timing summary lacks a number: {exc}",
            hint="the design has no constrained path: was the script changed?",
        ) from exc


def parse_reports(summary: str, utilization: str, power: str) -> VivadoReport:
    """Return what the texts of the reports say; ToolError names a row that is missing."""
    return VivadoReport(
        parse_slack(summary),
        round(_row(utilization, "Slice LUTs")),
        round(_row(utilization, "Slice Registers")),
        _row(utilization, "Block RAM Tile"),
        round(_row(utilization, "DSPs")),
        _row(power, r"Dynamic \(W\)"),
        _row(power, r"Device Static \(W\)"),
    )


def _row(text: str, name: str) -> float:
    match = re.search(rf"^\|\s*{name}\*?\s*\|\s*<?([0-9.]+)\s*\|", text, re.MULTILINE)
    if match is None:
        raise ToolError(
            f"Vivado's report has no row {name!r}", hint="this Vivado writes other reports: see it"
        )
    return float(match.group(1))
