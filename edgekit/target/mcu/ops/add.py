"""Sum of two tensors: one multiply-add where that is exact, else fixed point or float32."""

from __future__ import annotations

from edgekit.errors import UnsupportedError
from edgekit.ir.check import accumulator_range
from edgekit.ir.nodes import Add
from edgekit.ir.types import DType, Rounding
from edgekit.passes.linear_add import linear_form
from edgekit.target.mcu import ctext, scale
from edgekit.target.mcu.code import Context, NodeCode

_MAX_LEFT_SHIFT = 21  # 255 * 2**21 stays below 2**30


def emit_add(context: Context, node: Add) -> NodeCode:
    """Return the C of `node`; it needs no scratch and may write over an input."""
    if context.graph.tensors[node.y].dtype is DType.INT16:
        return emit_general_add(context, node)
    form = linear_form(node)
    if form is None:
        return emit_general_add(context, node)
    return NodeCode(
        index=context.index,
        kernel="ek_add_linear_s8",
        params={
            "size": context.size(node.y),
            "a_factor": form.a_factor,
            "b_factor": form.b_factor,
            "offset": form.offset,
            "shift": form.shift,
            "low": node.requant.low,
            "high": node.requant.high,
        },
        arrays=(),
        inputs=(node.a, node.b),
        output=node.y,
    )


def emit_general_add(context: Context, node: Add) -> NodeCode:
    """Return the C of `node` in the form that its source computes, which any `node` has."""
    params: dict[str, ctext.Value] = {
        "size": context.size(node.y),
        "a_zero_point": node.a_zero_point,
        "b_zero_point": node.b_zero_point,
    }
    if node.requant.rounding is Rounding.FLOAT32_RNE:
        return _float32_add(context, node, params)
    if node.left_shift > _MAX_LEFT_SHIFT:
        raise UnsupportedError(
            f"{node.label}: inputs are shifted left by {node.left_shift} bits; "
            f"the kernel takes at most {_MAX_LEFT_SHIFT}",
            hint="TFLite's own value for int8 is 20",
        )
    scaling = scale.choose(node.requant, context.index, *accumulator_range(context.graph, node))
    params |= {
        "b_sign": -1 if node.subtract else 1,
        "left_shift": node.left_shift,
        "a_multiplier": node.a_scale[0],
        "b_multiplier": node.b_scale[0],
        "a_shift": -node.a_scale[1],
        "b_shift": -node.b_scale[1],
        "requant": scaling.fields,
    }
    wide = context.graph.tensors[node.y].dtype is DType.INT16
    return NodeCode(
        index=context.index,
        kernel="ek_add_s16" if wide else "ek_add_s8",
        params=params,
        arrays=scaling.arrays,
        inputs=(node.a, node.b),
        output=node.y,
        roundings=(scaling.rounding,),
        wide=wide,
    )


def _float32_add(context: Context, node: Add, params: dict[str, ctext.Value]) -> NodeCode:
    params = params | {
        "zero_point": node.requant.zero_point,
        "low": node.requant.low,
        "high": node.requant.high,
        "a_scale": scale.float32_bits(*node.a_scale),
        "b_scale": scale.float32_bits(*node.b_scale),
        "addend": scale.float32_bits(node.requant.multiplier[0], node.requant.shift[0]),
    }
    return NodeCode(
        index=context.index,
        kernel="ek_add_f32_s8",
        params=params,
        arrays=(),
        inputs=(node.a, node.b),
        output=node.y,
    )
