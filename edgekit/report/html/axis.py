"""A linear axis: data to pixels, with round tick values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from edgekit.report.html.markup import line, text


@dataclass(frozen=True, slots=True)
class Axis:
    """Maps [low, high] in data to [start, stop] in pixels."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """Return the pixel of `value`, kept within the picture."""
        span = self.high - self.low
        share = 0.5 if span <= 0 else (value - self.low) / span
        return self.start + min(max(share, 0.0), 1.0) * (self.stop - self.start)

    def ticks(self, count: int = 6) -> tuple[float, ...]:
        """Return about `count` round values within the axis."""
        span = self.high - self.low
        if span <= 0 or not math.isfinite(span):
            return (self.low,)
        step = round_step(span / count)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return tuple(i * step for i in range(first, last + 1))


def round_step(rough: float) -> float:
    """Return 1, 2 or 5 times a power of ten, at least `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1, 2, 5):
        if factor * power >= rough * 0.999:
            return factor * power
    return 10 * power


def label(value: float, step: float) -> str:
    """Return `value` with as many decimals as `step` needs."""
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    return f"{value:,.{min(decimals, 6)}f}"


def labels(ticks: tuple[float, ...]) -> tuple[str, ...]:
    """Return the text of each tick."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else max(abs(ticks[0]), 1.0)
    return tuple(label(t, step) for t in ticks)


def horizontal(axis: Axis, top: float, bottom: float, title: str) -> list[ET.Element]:
    """Return ticks, labels and title of an x axis whose line is at `bottom`."""
    out = [line(axis.start, bottom, axis.stop, bottom, "axis")]
    ticks = axis.ticks(8)
    for value, words in zip(ticks, labels(ticks), strict=True):
        out.append(line(axis(value), top, axis(value), bottom, "grid"))
        out.append(text(axis(value), bottom + 14, words, class_="tick", text_anchor="middle"))
    middle = (axis.start + axis.stop) / 2
    out.append(text(middle, bottom + 30, title, class_="label", text_anchor="middle"))
    return out


def vertical(axis: Axis, left: float, right: float, title: str) -> list[ET.Element]:
    """Return ticks, labels and title of a y axis whose line is at `left`."""
    out = []
    ticks = axis.ticks(5)
    for value, words in zip(ticks, labels(ticks), strict=True):
        out.append(line(left, axis(value), right, axis(value), "grid"))
        out.append(text(left - 6, axis(value) + 4, words, class_="tick", text_anchor="end"))
    middle = (axis.start + axis.stop) / 2
    turned = f"rotate(-90 14 {middle:.1f})"
    out.append(text(14, middle, title, class_="label", text_anchor="middle", transform=turned))
    return out
