"""What a design takes before synthesis: from counts of its circuit, fitted once to synthesis.

Fitted to yosys 0.23's synth_ice40 on eight hard-wired networks; `tests/fpga_estimate` compares
it with synthesis on networks that took no part in that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgekit.board import FpgaBoard
from edgekit.errors import DoesNotFitError
from edgekit.target.fpga.core import Resources

ERROR = 0.15  # of the LUT count: what the estimate is held to

# LUT4 for each table, each sum bit and each adder operand that is inverted. Synthesis merges a
# few tables. A sum needs more than its own cell where its chain starts or its carry leaves it.
# A carry reads its operands as they are, so about every second inverted one costs an inverter.
_TABLE = 0.97
_SUM = 1.15
_INVERTED = 0.52


@dataclass(frozen=True, slots=True)
class Logic:
    """Counts of a hard-wired circuit."""

    tables: int  # look-up tables of at most four inputs
    sums: int  # sum bits of adders that something reads
    inverted: int  # different signals that adders read inverted
    chain_bits: int  # bits of all adders
    flip_flops: int


def hard_wired(logic: Logic) -> Resources:
    """Return what synthesis will make of a circuit."""
    lut = _TABLE * logic.tables + _SUM * logic.sums + _INVERTED * logic.inverted
    return Resources(lut=round(lut), ff=logic.flip_flops, carry=logic.chain_bits)


def added(parts: Iterable[Resources]) -> Resources:
    """Return what all `parts` take together."""
    rows = [(p.lut, p.ff, p.carry, p.bram, p.spram, p.dsp) for p in parts]
    return Resources(*(sum(column) for column in zip(*rows, strict=True)))


def refuse_too_large(name: str, needed: Resources, board: FpgaBoard) -> None:
    """Raise DoesNotFitError where `needed` cannot fit the part of `board`, ERROR granted.

    Memories are counted exactly. What passes here may still be too large for place and route.
    """
    part = board.part
    rows = {
        "LUTs": (needed.lut, part.lut, ERROR),
        "flip-flops": (needed.ff, part.ff, ERROR),
        "block RAMs": (needed.bram, part.bram, 0.0),
        "SPRAMs": (needed.spram, part.spram, 0.0),
        "DSP blocks": (needed.dsp, part.dsp, 0.0),
    }
    over = {what: row for what, row in rows.items() if row[0] * (1.0 - row[2]) > row[1]}
    if not over:
        return
    text = ", ".join(
        f"{'about ' if error else ''}{count:,} {what} of {limit:,}"
        for what, (count, limit, error) in over.items()
    )
    raise DoesNotFitError(
        f"{name} needs {text} on {board.name}",
        hint="prune more or make layers smaller; the folded style takes less of all but memory",
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    """One network: estimated beside synthesized."""

    name: str
    estimated: Resources
    synthesized: Resources

    @property
    def error(self) -> float:
        """How far the LUT estimate is off, of what synthesis made."""
        return self.estimated.lut / max(self.synthesized.lut, 1) - 1.0


def table(rows: Iterable[Comparison]) -> str:
    """Return estimates beside synthesis as a Markdown table."""
    lines = [
        "| network | LUT4 estimated | synthesized | error | FF | block RAM | SPRAM |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        a, b = row.estimated, row.synthesized
        lines.append(
            f"| {row.name} | {a.lut:,} | {b.lut:,} | {row.error:+.1%} | {a.ff:,} / {b.ff:,} | "
            f"{a.bram} / {b.bram} | {a.spram} / {b.spram} |"
        )
    return "\n".join(lines) + "\n"
