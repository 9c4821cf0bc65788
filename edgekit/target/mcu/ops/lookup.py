"""Nodes that look something up: Lut8 a value, ResizeNearest and ResizeBilinear pixels."""

from __future__ import annotations

from edgekit.ir.nodes import Lut8, ResizeBilinear, ResizeNearest
from edgekit.target.mcu.code import Array, Context, NodeCode


def emit_lut(context: Context, node: Lut8) -> NodeCode:
    """Return the C of `node`, which may write over its input."""
    stored = context.graph.constants[node.table]
    table = Array("l", context.index, tuple(stored.ravel().tolist()), "outputs of -128 to 127")
    channels = context.shape(node.y)[-1] if stored.ndim == 2 else context.size(node.y)
    return NodeCode(
        index=context.index,
        kernel="ek_lut_s8",
        params={
            "pixels": context.size(node.y) // channels,
            "channels": channels,
            "step": 256 if stored.ndim == 2 else 0,
            "table": table.name,
        },
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


def emit_resize_bilinear(context: Context, node: ResizeBilinear) -> NodeCode:
    """Return the C of `node`: one table of rows and shares, then columns and shares."""
    _, width, channels = context.shape(node.x)
    values = tuple(v for place in (*node.rows, *node.columns) for v in place)
    places = Array("i", context.index, values, "first, second, share: of rows, then columns")
    return NodeCode(
        index=context.index,
        kernel="ek_resize_bilinear_s8",
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
