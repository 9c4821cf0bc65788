"""What `check` says for an FPGA: which styles serve the model, and what each takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgekit.cli.output import say, show

if TYPE_CHECKING:
    from edgekit.board import Contract, FpgaBoard
    from edgekit.config import FpgaWish
    from edgekit.ir.graph import Graph
    from edgekit.target.fpga.core import Core, Resources, Style
    from edgekit.target.fpga.plan import Refusal

_KINDS = ("lut", "ff", "bram", "spram", "dsp")
Found = Mapping["Style", "Core | Refusal"]


def attempts(graph: Graph, board: FpgaBoard, contract: Contract, wish: FpgaWish) -> Found:
    """Return the network in each style that was asked for, or why it is not to be had."""
    from edgekit.pipeline.programmable import DEFAULT_RATE_HZ
    from edgekit.target.fpga import plan

    clock_hz = board.operating_points[contract.operating_point].clock_hz
    rate_hz = contract.rate_hz or DEFAULT_RATE_HZ
    return {
        style: plan.attempt(graph, board, style, wish.stages, clock_hz=clock_hz, rate_hz=rate_hz)
        for style in plan.styles_of(wish)
    }


def refuse_all(found: Found) -> None:
    """Raise what all styles say where none serves the model: UnsupportedError, DoesNotFitError."""
    from edgekit.target.fpga import plan
    from edgekit.target.fpga.core import Core

    refused = {style: why for style, why in found.items() if not isinstance(why, Core)}
    if refused and len(refused) == len(found):
        raise plan.refusal(refused)


def rows(found: Found, board: FpgaBoard) -> list[dict[str, Any]]:
    """Return one object a style: served or why not, cells with the shell, and clocks."""
    from edgekit.target.fpga import plan
    from edgekit.target.fpga.core import Core

    made: list[dict[str, Any]] = []
    for style, core in found.items():
        if not isinstance(core, Core):
            nothing = dict.fromkeys((*_KINDS, "latency_cycles", "interval_cycles"))
            made.append({"style": style, "why": core.message, **nothing})
            continue
        needed: Resources = plan.with_shell(core, board)
        interval = plan.interval_cycles(core, board)
        clocks = {"latency_cycles": core.latency_cycles, "interval_cycles": interval}
        sizes = {kind: getattr(needed, kind) for kind in _KINDS}
        made.append({"style": style, "why": "", **sizes, **clocks})
    part = {kind: getattr(board.part, kind) for kind in _KINDS}
    return [{**row, "part": part} for row in made]


def show_rows(found: list[dict[str, Any]]) -> None:
    """Print the styles as a table."""
    from rich import box
    from rich.table import Table

    from edgekit.report.printable import printable

    names = ("LUT", "flip-flops", "block RAM", "SPRAM", "DSP")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("style", *names, "latency", "interval"):
        table.add_column(column, justify="left" if column == "style" else "right")
    for row in found:
        if row["lut"] is None:
            continue
        cells = [f"{row[kind]:,} of {row['part'][kind]:,}" for kind in _KINDS]
        clocks = [f"{row[name]:,}" for name in ("latency_cycles", "interval_cycles")]
        table.add_row(row["style"], *cells, *clocks)
    if table.row_count:
        show(table)
    for row in found:
        if row["why"]:
            say(printable(f"{row['style']}: no: {row['why']}"))
