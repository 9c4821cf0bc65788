"""The arena over time: one rectangle per tensor, nodes to the right, offsets upwards."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from edgekit.report.html.axis import Axis, vertical
from edgekit.report.html.markup import line, picture, rect, text
from edgekit.report.types import MemoryRow

WIDTH, LEFT, RIGHT = 960.0, 72.0, 944.0
TOP, BOTTOM = 22.0, 300.0
_MAX_LABELS = 40


def draw(rows: tuple[MemoryRow, ...], nodes: tuple[str, ...], arena_bytes: int) -> ET.Element:
    """Return the map; hatched rectangles are scratch memory."""
    count = max([len(nodes), *(row.last_node + 1 for row in rows)])
    x = Axis(0.0, float(count), LEFT, RIGHT)
    y = Axis(0.0, arena_bytes * 1.06, BOTTOM, TOP)
    parts = vertical(y, LEFT, RIGHT, "offset, bytes")
    for row in rows:
        parts += _rectangle(row, x, y)
    parts.append(line(LEFT, y(arena_bytes), RIGHT, y(arena_bytes), "limit"))
    parts.append(
        text(
            RIGHT - 4,
            y(arena_bytes) - 5,
            f"arena {arena_bytes:,} bytes",
            class_="limit-label",
            text_anchor="end",
        )
    )
    parts.append(line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis"))
    height = BOTTOM + 24
    if count <= _MAX_LABELS and nodes:
        height = BOTTOM + 96
        parts += _node_labels(nodes, x)
    else:
        middle = (LEFT + RIGHT) / 2
        parts.append(
            text(middle, BOTTOM + 18, f"{count} nodes", class_="label", text_anchor="middle")
        )
    return picture(WIDTH, height, "arena: offset of each tensor over the nodes", *parts)


def _rectangle(row: MemoryRow, x: Axis, y: Axis) -> list[ET.Element]:
    left, right = x(row.first_node), x(row.last_node + 1)
    top, bottom = y(row.offset_bytes + row.size_bytes), y(row.offset_bytes)
    tip = (
        f"{row.tensor} ({row.kind}): {row.size_bytes:,} bytes at {row.offset_bytes:,}, "
        f"nodes {row.first_node} to {row.last_node}"
    )
    top = min(top, bottom - 1.0)  # a few bytes stay visible
    height = bottom - top
    out = [rect(left + 1, top, right - left - 2, height, f"tensor {row.kind}", tip)]
    room = int((right - left - 10) / 6.3)
    if height >= 13 and room >= 3:
        words = row.tensor if len(row.tensor) <= room else row.tensor[: room - 1] + "…"
        out.append(text(left + 6, (top + bottom) / 2 + 4, words, class_="tensor-label"))
    return out


def _node_labels(nodes: tuple[str, ...], x: Axis) -> list[ET.Element]:
    out = []
    for i, name in enumerate(nodes):
        middle = (x(i) + x(i + 1)) / 2
        words = name if len(name) <= 18 else name[:17] + "…"
        turned = f"rotate(-40 {middle:.1f} {BOTTOM + 12:.1f})"
        out.append(
            text(
                middle,
                BOTTOM + 12,
                words,
                class_="tick",
                text_anchor="end",
                transform=turned,
            )
        )
    return out
