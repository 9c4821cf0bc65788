"""Softmax over the last axis."""

from __future__ import annotations

from edgekit.ir.nodes import Softmax
from edgekit.target.mcu import ctext
from edgekit.target.mcu.code import Array, Context, NodeCode


def emit_softmax(context: Context, node: Softmax) -> NodeCode:
    """Return the C of `node`; its exponentials are a table of 256 words."""
    values = tuple(int(v) for v in context.graph.constants[node.table])
    table = Array("t", context.index, values, "exp(-i * scale) in Q0.31, -1 for no share")
    depth = context.shape(node.y)[-1]
    params: dict[str, ctext.Value] = {
        "rows": context.size(node.y) // depth,
        "depth": depth,
        "table": table.name,
    }
    return NodeCode(
        index=context.index,
        kernel="ek_softmax_s8",
        params=params,
        arrays=(table,),
        inputs=(node.x,),
        output=node.y,
    )
