"""Elements of HTML and SVG. Text and attributes are escaped by construction, everywhere."""

from __future__ import annotations

from typing import TypeAlias
from xml.etree import ElementTree as ET

from edgekit.report.printable import printable

Child: TypeAlias = "ET.Element | str | None"


def h(tag: str, *children: Child, **attributes: str | float | None) -> ET.Element:
    """Return an element; `class_` is class, `stroke_width` is stroke-width; None is left out."""
    element = ET.Element(tag)
    for name, value in attributes.items():
        if value is not None:
            key = name.rstrip("_").replace("_", "-")
            element.set(key, printable(value) if isinstance(value, str) else number(value))
    last: ET.Element | None = None
    for child in children:
        if child is None:
            continue
        if isinstance(child, str):
            if last is None:
                element.text = (element.text or "") + printable(child)
            else:
                last.tail = (last.tail or "") + printable(child)
        else:
            element.append(child)
            last = child
    return element


def number(value: float) -> str:
    """Return a coordinate with at most two decimals and no trailing zeros."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def picture(width: float, height: float, label: str, *children: Child) -> ET.Element:
    """Return an SVG that scales with the page and reads as `label` to a screen reader."""
    return h(
        "svg",
        *children,
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_label=label,
    )


def text(x: float, y: float, words: str, **attributes: str | float | None) -> ET.Element:
    """Return SVG text at (x, y)."""
    return h("text", words, x=x, y=y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> ET.Element:
    """Return an SVG line."""
    return h("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def rect(
    x: float, y: float, width: float, height: float, class_: str, tip: str | None = None
) -> ET.Element:
    """Return an SVG rectangle with an optional tool tip."""
    title = None if tip is None else h("title", tip)
    return h("rect", title, x=x, y=y, width=width, height=height, class_=class_)


def page(element: ET.Element) -> str:
    """Return the document of `element`."""
    return "<!doctype html>\n" + ET.tostring(element, encoding="unicode", method="html") + "\n"
