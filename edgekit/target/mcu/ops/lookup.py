"""Nodes that look something up: Lut8 a value, ResizeNearest a pixel."""

from __future__ import annotations

from edgekit.ir.nodes import Lut8, ResizeNearest
from edgekit.target.mcu.code import Array, Context, NodeCode


def emit_lut(context: Context, node: Lut8) -> NodeCode:
    """Return the C of `node`, which may write over its input."""
    values = tuple(int(v) for v in context.graph.constants[node.table])
    table = Array("l", context.index, values, "outputs of -128 to 127")
    return NodeCode(
        index=context.index,
        kernel="ek_lut_s8",
        params={"size": context.size(node.y), "table": table.name},
        arrays=(table,),
        inputs=(node.x,),
        output=node.y,
    )


def emit_resize_nearest(context: Context, node: ResizeNearest) -> NodeCode:
    """Return the C of `node`: one table of input rows, then columns."""
    _, width, channels = context.shape(node.x)
    places = Array("i", context.index, node.rows + node.columns, "input rows, then columns")
    return NodeCode(
        index=context.index,
        kernel="ek_resize_nearest_s8",
        params={
            "in_w": width,
            "out_h": len(node.rows),
            "out_w": len(node.columns),
            "channels": channels,
            "places": places.name,
        },
        arrays=(places,),
        inputs=(node.x,),
        output=node.y,
    )
