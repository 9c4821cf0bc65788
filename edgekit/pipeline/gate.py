"""A report against limits or another report: the table that a pull request shows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from edgekit.build.plan import FpgaSizes, Sizes
from edgekit.errors import MismatchError, OverBudgetError, UnsureError
from edgekit.report.printable import printable
from edgekit.report.types import LayerRow, Power, Report

State = Literal["pass", "fail", "unsure", "info"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Absolute limits; None: not limited. Figures at the limit pass."""

    min_accuracy: float | None = None  # 0 to 1
    max_mean_mw: float | None = None
    max_energy_uj: float | None = None
    max_flash_bytes: int | None = None
    max_ram_bytes: int | None = None
    max_arena_bytes: int | None = None
    max_cycles: int | None = None
    max_instructions: int | None = None
    max_p99_us: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what it was, what it is, what it may be."""

    figure: str
    baseline: str
    now: str
    change: str
    limit: str
    state: State
    why: str = ""
    exit_code: int = OverBudgetError.exit_code  # of a failure


@dataclass(frozen=True, slots=True)
class Gate:
    """All rows, and the exit code that follows from them."""

    title: str
    rows: tuple[Row, ...]
    dearer: tuple[str, ...]  # layers that take more instructions than in the baseline
    exit_code: int


@dataclass(frozen=True, slots=True)
class _Figure:
    """A figure of a report: value, 95 % half width, limit, and how it is written."""

    name: str
    now: float | None
    baseline: float | None
    limit: float | None
    unit: str
    digits: int = 0
    half: float | None = 0.0  # None: not known
    baseline_half: float | None = 0.0
    difference_half: float | None = 0.0  # of now minus baseline: common errors cancel
    higher_is_better: bool = False
    exit_code: int = OverBudgetError.exit_code

    def words(self, value: float | None, half: float | None = 0.0) -> str:
        if value is None:
            return "not known"
        around = f" ± {half:,.{self.digits}f}" if half else ""
        return f"{value:,.{self.digits}f}{around} {self.unit}".rstrip()


def gate(
    report: Report,
    limits: Limits,
    baseline: Report | None = None,
    *,
    tolerance_percent: float = 0.0,
) -> Gate:
    """Judge `report` against `limits` and, where given, `baseline`.

    A figure may be worse than the baseline's by `tolerance_percent`. Exit code: a failed
    deployment's own, else the lowest of 7, 8, 9 that applies. Figures that are limited but not
    known, or whose interval holds the limit, are unsure.
    """
    rows = [_equality_row(report, baseline), _contract_row(report, baseline)]
    apart = None if baseline is None else _apart(report, baseline)
    for figure in _figures(report, limits, baseline):
        row = _judge(figure, tolerance_percent, compared=baseline is not None, apart=apart)
        if row is not None:
            rows.append(row)
    return Gate(
        title=printable(f"{report.model} on {report.board}"),
        rows=tuple(rows),
        dearer=() if baseline is None else _dearer(report.detail.layers, baseline.detail.layers),
        exit_code=_exit_code(report, rows),
    )


def _exit_code(report: Report, rows: list[Row]) -> int:
    if report.error is not None:
        return report.exit_code
    failed = [row.exit_code for row in rows if row.state == "fail"]
    if failed:
        return min(failed)
    return UnsureError.exit_code if any(row.state == "unsure" for row in rows) else 0


def _equality_row(report: Report, baseline: Report | None) -> Row:
    def words(one: Report | None) -> str:
        if one is None or one.equality is None:
            return "" if one is None else "not known"
        return f"{one.equality.samples - one.equality.mismatches} of {one.equality.samples}"

    state: State = "unsure"
    why = "" if report.equality is not None else "no comparison is in the report"
    if report.equality is not None and report.equality.samples:
        state = "fail" if report.equality.mismatches else "pass"
    return Row(
        "bit-equal outputs",
        words(baseline),
        words(report),
        "",
        "all",
        state,
        why,
        MismatchError.exit_code,
    )


def _contract_row(report: Report, baseline: Report | None) -> Row:
    """The report's own verdict; one that was no better in the baseline does not block."""
    now = "error" if report.error is not None else report.verdict
    before = None if baseline is None else baseline.verdict
    state: State = "unsure"
    if now in ("error", "fail"):
        state = "fail"
    elif now == "pass":
        state = "pass"
    if baseline is not None and now != "error" and now == before and now is not None:
        state = "pass"
    why = report.error.message if report.error is not None else (report.why or "")
    return Row("energy contract", before or "", now or "not known", "", "pass", state, why)


def _figures(report: Report, limits: Limits, baseline: Report | None) -> Iterator[_Figure]:
    a, b = _Values.of(report), _Values.of(baseline)
    yield _Figure(
        "accuracy",
        a.accuracy,
        b.accuracy,
        None if limits.min_accuracy is None else 100 * limits.min_accuracy,
        "%",
        2,
        higher_is_better=True,
        exit_code=MismatchError.exit_code,
    )
    yield _Figure(
        "mean power",
        a.mean_mw,
        b.mean_mw,
        limits.max_mean_mw,
        "mW",
        3,
        a.mean_half_mw,
        b.mean_half_mw,
        _difference_half(report.power, None if baseline is None else baseline.power),
    )
    yield _Figure(
        "energy per inference",
        a.energy_uj,
        b.energy_uj,
        limits.max_energy_uj,
        "µJ",
        1,
        a.energy_half_uj,
        b.energy_half_uj,
        _energy_difference_half(report.power, None if baseline is None else baseline.power),
    )
    yield _Figure("flash", a.flash, b.flash, limits.max_flash_bytes, "bytes")
    yield _Figure("RAM", a.ram, b.ram, limits.max_ram_bytes, "bytes")
    yield _Figure("arena", a.arena, b.arena, limits.max_arena_bytes, "bytes")
    yield _Figure("LUTs", a.lut, b.lut, None, "")
    yield _Figure("instructions", a.instructions, b.instructions, limits.max_instructions, "", 0)
    yield _Figure("cycles, upper end", a.cycles, b.cycles, limits.max_cycles, "")
    yield _Figure("latency p99", a.p99_us, b.p99_us, limits.max_p99_us, "µs", 1)


@dataclass(frozen=True, slots=True)
class _Values:
    """The figures of one report, None where it does not know them."""

    accuracy: float | None = None
    mean_mw: float | None = None
    mean_half_mw: float | None = None
    energy_uj: float | None = None
    energy_half_uj: float | None = None
    flash: int | None = None
    ram: int | None = None
    arena: int | None = None
    lut: int | None = None
    instructions: int | None = None
    cycles: int | None = None
    p99_us: float | None = None

    @classmethod
    def of(cls, report: Report | None) -> _Values:
        if report is None:
            return cls()
        power, latency = report.power, report.latency
        sizes = report.sizes if isinstance(report.sizes, Sizes) else None
        cells = report.sizes if isinstance(report.sizes, FpgaSizes) else None
        cycles = None if latency is None else latency.cycles
        return cls(
            accuracy=None if report.accuracy is None else 100 * report.accuracy.value,
            mean_mw=None if power is None else power.mean_mw,
            mean_half_mw=None if power is None else power.plus_minus_mw,
            energy_uj=None if power is None else power.energy_uj,
            energy_half_uj=None if power is None else _energy_half(power),
            flash=None if sizes is None else sizes.flash_bytes,
            ram=None if sizes is None else sizes.ram_bytes,
            arena=None if sizes is None else sizes.arena_bytes,
            lut=None if cells is None else cells.lut,
            instructions=None if latency is None else latency.instructions,
            cycles=None if cycles is None else cycles.hi,
            p99_us=None if latency is None else latency.p99_us,
        )


def _energy_half(power: Power) -> float | None:
    """Half width of the energy: its own, else that of the mean power in proportion."""
    if power.energy_plus_minus_uj is not None:
        return power.energy_plus_minus_uj
    if power.energy_uj is None or not power.mean_mw or power.plus_minus_mw is None:
        return None
    return power.energy_uj * power.plus_minus_mw / power.mean_mw


def _difference_half(a: Power | None, b: Power | None) -> float | None:
    """95 % half width of the difference of two means, in mW.

    With the same meter, or the same model of the board, gain, offset and coefficients are in
    error by the same share on both sides; what differs by chance is sampling and spread.
    """
    if a is None or b is None or a.plus_minus_mw is None or b.plus_minus_mw is None:
        return None
    if a.uncertainty is None or b.uncertainty is None or a.meter != b.meter:
        return math.hypot(a.plus_minus_mw, b.plus_minus_mw)
    terms = (a.uncertainty, b.uncertainty)
    return math.hypot(*(x for u in terms for x in (u.sampling_mw, u.spread_mw, u.quantization_mw)))


def _energy_difference_half(a: Power | None, b: Power | None) -> float | None:
    """The same for the energies, in proportion to the power, in µJ."""
    half = _difference_half(a, b)
    if half is None or a is None or a.energy_uj is None or not a.mean_mw:
        return None
    return half * a.energy_uj / a.mean_mw


def _judge(f: _Figure, tolerance: float, *, compared: bool, apart: str | None) -> Row | None:
    """Return the row of a figure; None where nobody asked and nothing is known."""
    if f.limit is None and f.now is None and f.baseline is None:
        return None
    states: list[tuple[State, str]] = []
    if f.limit is not None:
        states.append(_against_limit(f, f.limit))
    if compared and f.baseline is not None:
        powered = f.name in ("mean power", "energy per inference")
        if powered and apart is not None:
            states.append(("unsure", apart))
        else:
            states.append(_against_baseline(f, f.baseline, tolerance))
    order: tuple[State, ...] = ("fail", "unsure", "pass")
    state, why = min(states, key=lambda s: order.index(s[0])) if states else ("info", "")
    change = ""
    if f.now is not None and f.baseline:
        change = f"{100 * (f.now - f.baseline) / f.baseline:+.2f} %"
    bound = "≥" if f.higher_is_better else "≤"
    return Row(
        f.name,
        f.words(f.baseline, f.baseline_half) if compared else "",
        f.words(f.now, f.half),
        change,
        "" if f.limit is None else f"{bound} {f.words(f.limit)}",
        state,
        why,
        f.exit_code,
    )


def _against_limit(f: _Figure, limit: float) -> tuple[State, str]:
    if f.now is None:
        return "unsure", f"{f.name} is limited but not in the report"
    if f.half is None:
        return "unsure", f"the uncertainty of {f.name} is not known"
    sign = -1.0 if f.higher_is_better else 1.0
    excess = sign * (f.now - limit)
    if excess + f.half <= 0:
        return "pass", ""
    words = f"{f.words(f.now, f.half)} against a limit of {f.words(limit)}"
    if excess - f.half > 0:
        return "fail", f"{f.name}: {words}"
    return "unsure", f"{f.name}: {words}: the interval holds the limit"


def _against_baseline(f: _Figure, baseline: float, tolerance: float) -> tuple[State, str]:
    if f.now is None:
        return "unsure", f"{f.name} was in the baseline but is not in the report"
    sign = -1.0 if f.higher_is_better else 1.0
    excess = sign * (f.now - baseline) - abs(baseline) * tolerance / 100
    if excess <= 0:
        return "pass", ""
    words = f"{f.name} was {f.words(baseline)}, is {f.words(f.now)}"
    if f.difference_half is None:
        return "unsure", f"{words}, with unknown uncertainty"
    if excess > f.difference_half:
        return "fail", words
    return "unsure", f"{words}: within the uncertainty of a comparison"


def _apart(report: Report, baseline: Report) -> str | None:
    """Why the power figures of the two reports cannot be compared; None if they can."""
    if report.board != baseline.board:
        return f"the baseline ran on {baseline.board}, this on {report.board}"
    if report.operating_point != baseline.operating_point:
        return f"the baseline ran at {baseline.operating_point}, this at {report.operating_point}"
    a, b = report.power, baseline.power
    if a is None or b is None:
        return None
    if a.source != b.source:
        return f"the baseline's power is {b.source}, this is {a.source}"
    if (a.scope, a.mode, a.rate_hz) != (b.scope, b.mode, b.rate_hz):
        return "scope, mode or rate differ from the baseline's"
    return None


def _dearer(now: tuple[LayerRow, ...], before: tuple[LayerRow, ...]) -> tuple[str, ...]:
    """Return the three layers whose instructions grew most."""
    known = {row.name: row.instructions for row in before}
    grown = []
    for row in now:
        old = known.get(row.name)
        if row.instructions is not None and old is not None and row.instructions > old:
            grown.append((row.instructions - old, row.name, old))
    grown.sort(key=lambda g: (-g[0], g[1]))
    return tuple(
        f"{name}: {extra:+,} instructions ({100 * extra / old:+.1f} %)" if old else name
        for extra, name, old in grown[:3]
    )


_WORD = {"pass": "pass", "fail": "**FAIL**", "unsure": "**unsure**", "info": ""}
_OUTCOME = {0: "pass", UnsureError.exit_code: "unsure"}


def markdown(found: Gate) -> str:
    """Return the table as Markdown, with a reason under it for each row that does not pass."""
    head = ("figure", "baseline", "now", "change", "limit", "verdict")
    lines = [f"### edgekit: {_cell(found.title)}: {_OUTCOME.get(found.exit_code, 'FAIL')}", ""]
    lines.append(f"| {' | '.join(head)} |")
    lines.append("|---|--:|--:|--:|--:|---|")
    for row in found.rows:
        cells = (row.figure, row.baseline, row.now, row.change, row.limit)
        lines.append(f"| {' | '.join(_cell(c) for c in cells)} | {_WORD[row.state]} |")
    notes = [row.why for row in found.rows if row.state in ("fail", "unsure") and row.why]
    notes += [f"dearer than in the baseline: {name}" for name in found.dearer]
    if notes:
        lines.append("")
        lines += [f"- {_cell(note)}" for note in notes]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Escape what Markdown or HTML would read as markup."""
    out = printable(text)
    for char in "\\`*_[]|#":
        out = out.replace(char, f"\\{char}")
    return out.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
