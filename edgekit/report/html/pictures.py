"""The pictures of the report: budget, latency histogram, power trace."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from edgekit.report.console import microseconds
from edgekit.report.html.axis import Axis, horizontal, vertical
from edgekit.report.html.markup import h, line, number, picture, rect, text
from edgekit.report.promises import State, interval_words
from edgekit.report.types import Histogram, Latency, Power, PowerTrace

WIDTH = 960.0
LEFT, RIGHT = 64.0, 944.0
_MAX_STEPS = 300


def budget(power: Power, limit_mw: float, state: State) -> ET.Element | None:
    """Return mean, 95 % interval and limit on one scale; None where there is no mean."""
    if power.mean_mw is None:
        return None
    half = power.plus_minus_mw or 0.0
    top = max(limit_mw, power.mean_mw + half) * 1.15
    axis = Axis(0.0, top, 16.0, RIGHT)
    low, high = axis(power.mean_mw - half), axis(power.mean_mw + half)
    limit = axis(limit_mw)
    anchor = "end" if limit > WIDTH * 0.75 else "start"
    words = f"{interval_words(power)} of at most {limit_mw:g} mW"
    return picture(
        WIDTH,
        92.0,
        words,
        rect(axis.start, 30, axis(power.mean_mw) - axis.start, 20, f"bar {state}", words),
        line(low, 40, high, 40, "whisker"),
        line(low, 33, low, 47, "whisker"),
        line(high, 33, high, 47, "whisker"),
        line(limit, 18, limit, 58, "limit"),
        text(
            limit + (-5 if anchor == "end" else 5),
            16,
            f"limit {limit_mw:g} mW",
            class_="limit-label",
            text_anchor=anchor,
        ),
        *horizontal(axis, 58, 58, "mW"),
    )


def latency(histogram: Histogram, figures: Latency) -> ET.Element:
    """Return the histogram with p50, p99 and, where it is near enough, the cold start."""
    edges = histogram.edges_us
    span = edges[-1] - edges[0]
    pad = span * 0.04 or max(abs(edges[0]) * 0.001, 1.0)
    cold = figures.cold_start_us
    cold_near = cold is not None and edges[0] - 4 * pad <= cold <= edges[-1] + max(span, pad)
    high = max(edges[-1] + pad, (cold or 0) + pad if cold_near else 0)
    scale, unit = (1e3, "ms") if edges[-1] >= 1e4 else (1.0, "µs")
    x = Axis((edges[0] - pad) / scale, high / scale, LEFT, RIGHT)
    y = Axis(0.0, max(histogram.counts) * 1.08, 220.0, 34.0)
    parts = [*vertical(y, LEFT, RIGHT, "inferences"), *horizontal(x, 34, 220, f"latency, {unit}")]
    for i, count in enumerate(histogram.counts):
        a, b = x(edges[i] / scale), x(edges[i + 1] / scale)
        tip = f"{microseconds(edges[i])} to {microseconds(edges[i + 1])}: {count}"
        if count:
            parts.append(rect(a, y(count), max(b - a - 0.5, 1.5), 220 - y(count), "bar", tip))
    row = 0
    for name, value in (("p50", figures.p50_us), ("p90", figures.p90_us), ("p99", figures.p99_us)):
        if value is not None:
            parts += _mark(x(value / scale), f"{name} {microseconds(value)}", row)
            row += 1
    if cold is not None:
        words = f"cold start {microseconds(cold)}"
        if cold_near:
            parts += _mark(x(cold / scale), words, row)
        else:
            far = f"{words} (outside this scale)"
            parts.append(text(RIGHT, 250, far, class_="note", text_anchor="end"))
    return picture(WIDTH, 258.0, "histogram of latencies", *parts)


def _mark(x: float, words: str, row: int) -> list[ET.Element]:
    """Return a dashed line; labels alternate in height so that close marks stay readable."""
    y = 12.0 + 13.0 * row
    anchor, shift = ("end", -4) if x > WIDTH * 0.6 else ("start", 4)
    return [
        line(x, y - 8, x, 220, "mark"),
        text(x + shift, y, words, class_="mark-label", text_anchor=anchor),
    ]


def power(trace: PowerTrace, limit_mw: float | None, mean_mw: float | None) -> ET.Element:
    """Return one stretch of the meter: band of lowest to highest, inferences, limit, mean.

    `limit_mw` and `mean_mw` are those of the contract's whole window.
    """
    end = trace.start_s + trace.bin_s * len(trace.mean_mw)
    scale, unit = (1e3, "ms") if end - trace.start_s < 1.0 else (1.0, "s")
    origin = trace.start_s if unit == "ms" else 0.0
    x = Axis((trace.start_s - origin) * scale, (end - origin) * scale, LEFT, RIGHT)
    top = max((*trace.high_mw, limit_mw or 0.0, 1e-6)) * 1.12
    y = Axis(0.0, top, 230.0, 20.0)
    parts: list[ET.Element] = []
    for start, stop in trace.windows_s:
        a, b = x((start - origin) * scale), x((stop - origin) * scale)
        if b > a:
            tip = f"inference, {microseconds((stop - start) * 1e6)}"
            parts.append(rect(a, 20, max(b - a, 2.0), 210, "inference", tip))
    parts += vertical(y, LEFT, RIGHT, "power, mW")
    title = f"time, {unit}" if origin == 0.0 else f"time from {trace.start_s:.4g} s, {unit}"
    parts += horizontal(x, 20, 230, title)
    edges = [
        x((trace.start_s - origin + i * trace.bin_s) * scale) for i in range(len(trace.mean_mw) + 1)
    ]
    high, low = _steps(edges, trace.high_mw, y), _steps(edges, trace.low_mw, y)
    parts.append(h("polygon", points=_points([*high, *reversed(low)]), class_="band"))
    parts.append(h("polyline", points=_points(_steps(edges, trace.mean_mw, y)), class_="mean"))
    if mean_mw is not None:
        below = y(mean_mw) < 212  # else the label would cover the time axis
        parts += _level(y(mean_mw), f"mean {mean_mw:.2f} mW", "level", 13 if below else -5)
    if limit_mw is not None:
        parts += _level(y(limit_mw), f"budget for the mean: {limit_mw:g} mW", "limit", -5)
    return picture(WIDTH, 268.0, f"power over time: {trace.title}", *parts)


def _steps(edges: list[float], values: tuple[float, ...], y: Axis) -> list[tuple[float, float]]:
    """Return a curve that is level within each bin; one point a bin where they are narrow."""
    pairs = list(zip(edges, edges[1:], values, strict=False))
    if len(values) > _MAX_STEPS:
        return [((a + b) / 2, y(v)) for a, b, v in pairs]
    return [(x, y(v)) for a, b, v in pairs for x in (a, b)]


def _level(y: float, words: str, class_: str, shift: float) -> list[ET.Element]:
    label = text(RIGHT - 4, y + shift, words, class_=f"{class_}-label halo", text_anchor="end")
    return [line(LEFT, y, RIGHT, y, class_), label]


def _points(pairs: list[tuple[float, float]]) -> str:
    return " ".join(f"{number(round(a, 1))},{number(round(b, 1))}" for a, b in pairs)
