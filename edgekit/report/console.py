"""The verdict as a table in a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterator

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgekit.build.plan import FpgaSizes, Sizes
from edgekit.report.printable import printable
from edgekit.report.promises import State, outcome, promises
from edgekit.report.types import Latency, Power, Report

_MARK: dict[State, tuple[str, str]] = {
    "pass": ("pass", "bold green"),
    "fail": ("FAIL", "bold red"),
    "unsure": ("unsure", "bold yellow"),
    "unknown": ("–", "dim"),
}


def renderable(report: Report) -> RenderableType:
    """Return the verdict table, the figures behind it and the closing sentence."""
    parts: list[RenderableType] = [Text(heading(report), style="bold"), _verdicts(report)]
    rows = tuple(_figures(report))
    if rows:
        parts.append(_grid(rows))
    parts.append(_closing(report))
    return Group(*parts)


def text(report: Report, width: int = 100) -> str:
    """Return the same as plain text of `width` columns, without colour."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, color_system=None, legacy_windows=False)
    console.print(renderable(report))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def heading(report: Report) -> str:
    """Return model, board and whether the board is virtual."""
    board = report.board or "no board"
    kind = " (virtual board)" if report.virtual else ""
    return printable(f"{report.model or 'no model'} on {board}{kind}")


def _verdicts(report: Report) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    table.add_column("promise", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("found", overflow="fold")
    table.add_column("wanted", overflow="fold")
    for row in promises(report):
        word, style = _MARK[row.state]
        table.add_row(
            Text(row.title), Text(word, style=style), _plain(row.found), _plain(row.wanted)
        )
    return table


def _grid(rows: tuple[tuple[str, str], ...]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(Text(name), _plain(value))
    return grid


def _figures(report: Report) -> Iterator[tuple[str, str]]:
    if report.latency is not None:
        yield "latency", _latency(report.latency)
    if report.power is not None:
        yield "energy", _energy(report.power)
    if report.sizes is not None:
        yield _sizes(report.sizes)
    if report.operating_point is not None:
        yield "operating point", report.operating_point
    if report.power is not None and report.power.meter is not None:
        meter = report.power.meter
        state = "calibrated" if meter.calibrated else "NOT calibrated"
        yield "meter", f"{meter.model} {meter.serial}, {state}"
    if report.equality is not None:
        for item in report.equality.not_compared:
            count = _count(item.differences)
            yield "not compared", f"{item.label}: {item.reason} ({count} differences)"
    for note in report.detail.notes:
        yield "note", note


def _sizes(s: Sizes | FpgaSizes) -> tuple[str, str]:
    if isinstance(s, FpgaSizes):
        fmax = "" if s.fmax_mhz is None else f"  up to {s.fmax_mhz:.1f} MHz"
        return "cells", (
            f"logic {_count(s.lc)}  LUT {s.lut:,}  flip-flops {s.ff:,}  carry {s.carry:,}  "
            f"block RAM {s.bram:,}  single-port RAM {s.spram:,}  DSP {s.dsp:,}{fmax}"
        )
    return "bytes", (
        f"code {s.code_bytes:,}  tables {s.tables_bytes:,}  weights {s.weights_bytes:,}  "
        f"arena {s.arena_bytes:,}{_bound(s)}  stack {_count(s.stack_bytes)}"
    )


def _bound(sizes: Sizes) -> str:
    bound = sizes.arena_lower_bound_bytes
    return "" if bound is None else f" (lower bound {bound:,})"


def _latency(latency: Latency) -> str:
    parts = [f"p50 {microseconds(latency.p50_us)}", f"p99 {microseconds(latency.p99_us)}"]
    parts.append(f"cold start {microseconds(latency.cold_start_us)}")
    if latency.cycles is not None:
        lo, hi = latency.cycles.lo, latency.cycles.hi
        parts.append(f"{lo:,} cycles" if lo == hi else f"{lo:,} to {hi:,} cycles")
    if latency.instructions is not None:
        parts.append(f"{latency.instructions:,} instructions")
    return f"{', '.join(parts)} ({latency.source})"


def _energy(power: Power) -> str:
    parts = [energy_words(power)]
    if power.peak_mw is not None:
        parts.append(f"peak {power.peak_mw:.2f} mW")
    if power.idle_mw is not None:
        parts.append(f"idle {power.idle_mw:.2f} mW")
    if power.window_s is not None and power.inferences_per_window is not None:
        parts.append(f"{power.inferences_per_window} inferences in {power.window_s:.2f} s")
    return f"{', '.join(parts)} ({power.source})"


_SMALL_UJ = 0.1  # below, nJ say more


def energy_words(power: Power) -> str:
    """Return the energy of one inference with its 95 % half width, where they are known."""
    if power.energy_uj is None:
        return "not known"
    half = power.energy_plus_minus_uj
    scale, unit = (1.0, "µJ") if power.energy_uj >= _SMALL_UJ else (1e3, "nJ")
    digits = 1 if scale == 1.0 else 2
    around = "" if half is None else f" ± {scale * half:,.{digits}f}"
    return f"{scale * power.energy_uj:,.{digits}f}{around} {unit} per inference"


def microseconds(value: float | None) -> str:
    """Return a time with a unit that suits its size, or `not known`."""
    if value is None:
        return "not known"
    if value >= 1e6:
        return f"{value / 1e6:.3f} s"
    return f"{value / 1e3:.3f} ms" if value >= 1e3 else f"{value:.1f} µs"


def _closing(report: Report) -> Text:
    word, state = outcome(report)
    line = Text("verdict: ").append(word, style=_MARK[state][1])
    why = report.why if report.error is None else report.error.message
    if why:
        line.append(f": {printable(why)}")
    return line


def _count(value: int | None) -> str:
    return "not known" if value is None else f"{value:,}"


def _plain(value: str) -> Text:
    return Text(printable(value))
