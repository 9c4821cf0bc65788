"""The page: what was promised and found first, then what it rests on."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from edgekit.build.plan import FpgaSizes
from edgekit.report.console import energy_words, heading, microseconds
from edgekit.report.html import memory_map, pictures, tables
from edgekit.report.html.markup import Child, h, page
from edgekit.report.promises import (
    budget_state,
    contract_words,
    difference_words,
    interval_words,
    outcome,
)
from edgekit.report.types import Budget, Equality, Latency, Power, Report

_STYLE = Path(__file__).with_name("style.css")
# The page asks nobody for anything, even if something slipped in.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render(report: Report) -> str:
    """Return report.html: one document, no script, nothing fetched."""
    head = h(
        "head",
        h("meta", charset="utf-8"),
        h("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("title", f"edgekit: {heading(report)}"),
        _style(),
    )
    body = h(
        "body",
        h("h1", heading(report)),
        h("p", _subtitle(report), class_="sub"),
        _banner(report),
        tables.verdicts(report),
        *(h("p", note, class_="sub") for note in report.detail.notes),
        _equality(report.equality),
        _power(report),
        _latency(report),
        _memory(report),
        _layers(report),
        _ground(report),
    )
    return page(h("html", head, body, lang="en"))


def _style() -> ET.Element:
    style = ET.Element("style")
    style.text = _STYLE.read_text(encoding="utf-8")
    return style


def _section(title: str, *children: Child, class_: str | None = None) -> ET.Element:
    return h("section", h("h2", title), *children, class_=class_)


def _subtitle(report: Report) -> str:
    parts = []
    if report.operating_point is not None:
        parts.append(f"operating point {report.operating_point}")
    if report.plan is not None:
        parts.append(f"plan {report.plan}")
    return ", ".join(parts)


def _banner(report: Report) -> ET.Element:
    if report.error is not None:
        return h(
            "div",
            h("span", "ERROR", class_="word"),
            h("span", report.error.message, class_="value"),
            h("p", report.error.hint) if report.error.hint else None,
            class_="banner fail",
        )
    word, state = outcome(report)
    return h(
        "div",
        h("span", word, class_="word"),
        h("span", report.why, class_="value") if report.why else None,
        None if report.power is None else _power_line(report, report.power),
        class_=f"banner {state}",
    )


def _power_line(report: Report, power: Power) -> ET.Element:
    limit = None if report.budget is None else report.budget.limit_mw
    of_limit = "" if limit is None else f", limit {limit:g} mW"
    return h(
        "p",
        h("strong", interval_words(power)),
        f"{of_limit}. Scope: {contract_words(power)}.",
        h("span", power.source, class_=f"tag {power.source}"),
    )


def _power(report: Report) -> ET.Element | None:
    power = report.power
    if power is None:
        return None
    limit = None if report.budget is None else report.budget.limit_mw
    gauge = None if limit is None else pictures.budget(power, limit, budget_state(report))
    traces: list[ET.Element] = []
    for trace in report.detail.traces:
        if trace.mean_mw:
            traces += [h("h3", trace.title), pictures.power(trace, limit, power.mean_mw)]
    key = h(
        "p",
        h("i", style="background:#ffe9b8"),
        "inference (mark pin high)",
        h("i", style="background:#a9c8e8"),
        "lowest to highest sample",
        h("i", style="background:#2f6db3;height:3px;vertical-align:4px"),
        "mean",
        class_="key",
    )
    terms = None if power.uncertainty is None else tables.uncertainty(power.uncertainty)
    return _section(
        f"Power and energy ({power.source})",
        gauge,
        *traces,
        key if traces else None,
        h("div", h("div", tables.pairs(_power_rows(power))), h("div", terms), class_="columns"),
    )


def _power_rows(power: Power) -> dict[str, str]:
    lost = "–"
    if power.lost is not None and power.samples is not None:
        total = power.lost + power.samples
        lost = f"{power.lost:,} of {total:,}" + (f" ({power.lost / total:.3%})" if total else "")
    rows = {
        "contract": contract_words(power),
        "mean": interval_words(power),
        "energy": energy_words(power),
        "peak": _unit(power.peak_mw, "mW", 2),
        "idle": _unit(power.idle_mw, "mW", 3),
        "window": f"{_unit(power.window_s, 's', 2)}, "
        f"{_unit(power.inferences_per_window, 'inferences', 0)}",
        "samples lost": lost,
    }
    if power.meter is not None:
        m = power.meter
        state = "calibrated" if m.calibrated else "NOT calibrated"
        rows["meter"] = (
            f"{m.model} {m.serial}, {state}, {m.sample_rate_hz / 1e3:g} kS/s, "
            f"± {m.gain_percent:g} % ± {m.offset_ua:g} µA"
        )
    if power.stimuli is not None:
        rows["inputs"] = f"{power.stimuli.count} distinct, digest {power.stimuli.digest}"
    return rows


def _equality(equality: Equality | None) -> ET.Element | None:
    if equality is None:
        return None
    chain: list[Child] = []
    for i, name in enumerate(equality.chain):
        if i:
            chain.append(_sign(equality, i - 1))
        chain.append(h("span", name, class_="link"))
    right = equality.samples - equality.mismatches
    skipped = [
        (n.label, n.reason, "not known" if n.differences is None else f"{n.differences:,}")
        for n in equality.not_compared
    ]
    return _section(
        "Equality",
        h("div", *chain, class_="chain"),
        h("p", f"{right:,} of {equality.samples:,} samples gave the same integers everywhere."),
        h("p", difference_words(equality) + ".") if equality.mismatches else None,
        h("h3", "Not compared: operators that the source computes in float") if skipped else None,
        tables.table(("operator", "why", "differences counted"), skipped, numbers=(2,))
        if skipped
        else None,
    )


def _sign(equality: Equality, place: int) -> ET.Element:
    """Return the sign after link `place`: which link broke, as far as bisection could tell."""
    first, chain = equality.first_difference, equality.chain
    if not equality.mismatches:
        return h("span", "=", class_="sign")
    if first is None or not set(first.between) <= set(chain):
        return h("span", "?", class_="sign unknown")
    start, stop = chain.index(first.between[0]), chain.index(first.between[1])
    if not start <= place < stop:
        return h("span", "=", class_="sign")
    return h("span", "≠" if stop - start == 1 else "?", class_="sign fail")


def _latency(report: Report) -> ET.Element | None:
    latency = report.latency
    if latency is None:
        return None
    histogram = report.detail.latencies
    drawn = None
    if histogram is not None and histogram.counts:
        drawn = pictures.latency(histogram, latency)
    return _section(f"Latency ({latency.source})", drawn, tables.pairs(_latency_rows(latency)))


def _latency_rows(latency: Latency) -> dict[str, str]:
    rows = {"inferences": f"{latency.inferences:,}"}
    for name, value, needs in (
        ("p50", latency.p50_us, ""),
        ("p90", latency.p90_us, ""),
        ("p99", latency.p99_us, " (needs 100 inferences)"),
        ("p99.9", latency.p999_us, " (needs 1,000 inferences)"),
        ("cold start, reset to first result", latency.cold_start_us, ""),
    ):
        rows[name] = microseconds(value) + (needs if value is None else "")
    spread = "not known: cycles were replayed from one count"
    rows["coefficient of variation"] = spread if latency.cv is None else f"{latency.cv:.3%}"
    rows["instructions"] = _unit(latency.instructions, "", 0)
    if latency.cycles is not None:
        rows["cycles"] = f"{latency.cycles.lo:,} to {latency.cycles.hi:,}"
    return rows


def _memory(report: Report) -> ET.Element | None:
    sizes, detail = report.sizes, report.detail
    if sizes is None:
        return None
    if isinstance(sizes, FpgaSizes):
        return _cells(sizes)
    arena = f"{sizes.arena_bytes:,} bytes"
    if detail.arena_lower_bound_bytes is not None:
        arena += f" (lower bound {detail.arena_lower_bound_bytes:,})"
    budget = report.budget or Budget(None)
    rows = {
        "flash": _of(sizes.flash_bytes, budget.flash_bytes),
        "code of model and kernels": f"{sizes.code_bytes:,} bytes",
        "tables": f"{sizes.tables_bytes:,} bytes",
        "weights as stored": f"{sizes.weights_bytes:,} bytes",
        "RAM": _of(sizes.ram_bytes, budget.ram_bytes),
        "arena, input and output included": arena,
        "stack": _unit(sizes.stack_bytes, "bytes", 0),
    }
    drawn: tuple[Child, ...] = ()
    if detail.memory:
        drawn = (
            h("h3", "Arena over time: each rectangle is a tensor, from first to last use"),
            memory_map.draw(detail.memory, detail.nodes, sizes.arena_bytes),
            _memory_key(),
        )
    return _section("Memory", tables.pairs(rows), *drawn)


def _cells(sizes: FpgaSizes) -> ET.Element:
    rows = {
        "logic cells": _unit(sizes.lc, "", 0),
        "look-up tables": f"{sizes.lut:,}",
        "flip-flops": f"{sizes.ff:,}",
        "carry cells": f"{sizes.carry:,}",
        "block RAMs": f"{sizes.bram:,}",
        "single-port RAMs": f"{sizes.spram:,}",
        "DSPs": f"{sizes.dsp:,}",
        "highest clock": _unit(sizes.fmax_mhz, "MHz", 1),
    }
    return _section("Cells", tables.pairs(rows))


def _memory_key() -> ET.Element:
    colours = (
        ("input", "#8ccbb0"),
        ("activation", "#8fb6de"),
        ("output", "#f0b27f"),
        ("scratch", "#c9ced6"),
    )
    parts: list[Child] = []
    for name, colour in colours:
        parts += [h("i", style=f"background:{colour}"), name]
    return h("p", *parts, class_="key")


def _layers(report: Report) -> ET.Element | None:
    if not report.detail.layers:
        return None
    return _section("Layers", tables.layers(report.detail.layers), class_="long")


def _ground(report: Report) -> ET.Element:
    rows = {"plan": report.plan or "–", "model hash": report.detail.model_hash or "–"}
    rows.update(report.tools)
    return _section(
        "What it rests on",
        tables.facts(report.detail.facts) if report.detail.facts else None,
        h("h3", "Build and tools"),
        tables.pairs(rows),
    )


def _unit(value: float | None, unit: str, digits: int) -> str:
    return "not known" if value is None else f"{value:,.{digits}f} {unit}".rstrip()


def _of(used: int, available: int | None) -> str:
    if available is None:
        return f"{used:,} bytes"
    return f"{used:,} of {available:,} bytes ({used / available:.1%})"
