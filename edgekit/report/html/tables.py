"""The tables of the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.etree import ElementTree as ET

from edgekit.measure.types import Uncertainty
from edgekit.report.html.markup import h
from edgekit.report.promises import promises
from edgekit.report.types import FactRow, LayerRow, Report

_MARK = {"pass": "pass", "fail": "FAIL", "unsure": "unsure", "unknown": "–"}


def table(
    head: tuple[str, ...],
    rows: Iterable[tuple[ET.Element | str, ...]],
    *,
    numbers: tuple[int, ...] = (),
    foot: tuple[str, ...] | None = None,
) -> ET.Element:
    """Return a table; columns named in `numbers` are aligned right."""

    def kind(column: int) -> str | None:
        return "n" if column in numbers else None

    def row(cells: tuple[ET.Element | str, ...]) -> ET.Element:
        return h(
            "tr",
            *(
                cell if isinstance(cell, ET.Element) else h("td", cell, class_=kind(i))
                for i, cell in enumerate(cells)
            ),
        )

    header = h("tr", *(h("th", name, class_=kind(i)) for i, name in enumerate(head)))
    return h(
        "div",
        h(
            "table",
            h("thead", header),
            h("tbody", *(row(cells) for cells in rows)),
            None if foot is None else h("tfoot", row(foot)),
        ),
        class_="wide",
    )


def verdicts(report: Report) -> ET.Element:
    """Return one row per promise."""
    rows = [
        (
            row.title,
            h("td", _MARK[row.state], class_=f"state {row.state}"),
            row.found,
            row.wanted,
        )
        for row in promises(report)
    ]
    return table(("promise", "verdict", "found", "wanted"), rows)


def pairs(rows: Mapping[str, str]) -> ET.Element:
    """Return names and values."""
    body = h("tbody", *(h("tr", h("td", k, class_="sub"), h("td", v)) for k, v in rows.items()))
    return h("table", body, class_="pairs")


def layers(rows: tuple[LayerRow, ...]) -> ET.Element:
    """Return operator, shape, work and memory traffic of each layer, with its share."""
    total = sum(row.instructions or 0 for row in rows)
    most = max(row.instructions or 0 for row in rows)
    kernels = any(row.kernel for row in rows)
    head = (
        "layer",
        "operator",
        "output",
        "MACs",
        "instructions",
        "share",
        "per MAC",
        "bytes moved",
    )
    body = [(*_layer(row, total, most), *_kernel(row, kernels)) for row in rows]
    macs = sum(row.macs for row in rows)
    moved = [row.bytes_moved for row in rows if row.bytes_moved is not None]
    foot = (
        "all layers",
        "",
        "",
        f"{macs:,}",
        _count(total or None),
        "",
        f"{total / macs:.2f}" if macs and total else "",
        _count(sum(moved) if moved else None),
        *([""] if kernels else []),
    )
    return table(
        (*head, *(["kernel"] if kernels else [])), body, numbers=(3, 4, 5, 6, 7), foot=foot
    )


def _kernel(row: LayerRow, shown: bool) -> tuple[ET.Element, ...]:
    return (h("td", h("code", row.kernel), class_="whole"),) if shown else ()


def _layer(row: LayerRow, total: int, most: int) -> tuple[ET.Element | str, ...]:
    share: ET.Element | str = "–"
    if row.instructions is not None and total:
        bar = h("span", class_="meter", style=f"width:{100 * row.instructions / most:.1f}%")
        share = h("td", f"{row.instructions / total:.1%}", bar, class_="n share")
    per_mac = "–"
    if row.instructions is not None and row.macs:
        per_mac = f"{row.instructions / row.macs:.2f}"
    return (
        row.name,
        h("td", row.op, class_="whole"),
        h("td", "×".join(str(n) for n in row.shape), class_="whole"),
        f"{row.macs:,}",
        _count(row.instructions),
        share,
        per_mac,
        _count(row.bytes_moved),
    )


def uncertainty(terms: Uncertainty) -> ET.Element:
    """Return the terms of the power's uncertainty and their root sum of squares."""
    names = (
        ("meter gain", terms.gain_mw),
        ("meter offset", terms.offset_mw),
        ("quantization", terms.quantization_mw),
        ("sampling", terms.sampling_mw),
        ("spread between periods", terms.spread_mw),
        ("model (coefficients, cycles)", terms.model_mw),
    )
    rows = [(name, f"{value:.4f}") for name, value in names]
    head = ("term, 95 % half width", "mW")
    return table(head, rows, numbers=(1,), foot=("in quadrature", f"{terms.total_mw():.4f}"))


def facts(rows: tuple[FactRow, ...]) -> ET.Element:
    """Return the figures that the result rests on."""
    body = [(r.name, r.value, r.source, "yes" if r.verified else "no") for r in rows]
    return table(("figure", "value", "source", "verified"), body)


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"
