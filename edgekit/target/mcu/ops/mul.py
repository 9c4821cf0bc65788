"""Product of two tensors: in fixed point where that is exact, else in float32."""

from __future__ import annotations

from edgekit.ir.check import accumulator_range
from edgekit.ir.nodes import Mul
from edgekit.passes.linear_mul import fixed_form
from edgekit.target.mcu import ctext, scale
from edgekit.target.mcu.code import Context, NodeCode


def emit_mul(context: Context, node: Mul) -> NodeCode:
    """Return the C of `node`, which may write over an input of its output's size."""
    low, high = accumulator_range(context.graph, node)
    if node.addend:
        fixed = fixed_form(node, low, high)
        if fixed is None:
            return emit_float_mul(context, node)
        node = fixed
    scaling = scale.choose(node.requant, context.index, low, high)
    params: dict[str, ctext.Value] = {**_shape(context, node), "requant": scaling.fields}
    return NodeCode(
        index=context.index,
        kernel="ek_mul_s8",
        params=params,
        arrays=scaling.arrays,
        inputs=(node.a, node.b),
        output=node.y,
        roundings=(scaling.rounding,),
    )


def emit_float_mul(context: Context, node: Mul) -> NodeCode:
    """Return the C of a float32 `node` as its source computes it."""
    requant = node.requant
    params: dict[str, ctext.Value] = {
        **_shape(context, node),
        "scale": scale.float32_bits(requant.multiplier[0], requant.shift[0]),
        "addend": node.addend,
        "zero_point": requant.zero_point,
        "low": requant.low,
        "high": requant.high,
    }
    return NodeCode(
        index=context.index,
        kernel="ek_mul_f32_s8",
        params=params,
        arrays=(),
        inputs=(node.a, node.b),
        output=node.y,
    )


def _shape(context: Context, node: Mul) -> dict[str, ctext.Value]:
    inner = context.size(node.b)
    return {
        "outer": context.size(node.y) // inner,
        "inner": inner,
        "a_zero_point": node.a_zero_point,
        "b_zero_point": node.b_zero_point,
    }
