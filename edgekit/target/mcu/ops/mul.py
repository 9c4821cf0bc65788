"""Product of two tensors."""

from __future__ import annotations

from edgekit.ir.check import accumulator_range
from edgekit.ir.nodes import Mul
from edgekit.target.mcu import ctext, scale
from edgekit.target.mcu.code import Context, NodeCode


def emit_mul(context: Context, node: Mul) -> NodeCode:
    """Return the C of `node`, which may write over an input of its output's size."""
    low, high = accumulator_range(context.graph, node)
    scaling = scale.choose(node.requant, context.index, low, high)
    inner = context.size(node.b)
    params: dict[str, ctext.Value] = {
        "outer": context.size(node.y) // inner,
        "inner": inner,
        "a_zero_point": node.a_zero_point,
        "b_zero_point": node.b_zero_point,
        "requant": scaling.fields,
    }
    return NodeCode(
        index=context.index,
        kernel="ek_mul_s8",
        params=params,
        arrays=scaling.arrays,
        inputs=(node.a, node.b),
        output=node.y,
        roundings=(scaling.rounding,),
    )
