"""Fully connected layer."""

from __future__ import annotations

from edgekit.ir.nodes import Dense
from edgekit.target.mcu import ctext, pack, scale
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.ops.codes import emit_codes
from edgekit.target.mcu.ops.conv2d_mve import emit_dense_mve
from edgekit.target.mcu.ops.dense_dsp import emit_dense_dsp


def emit_dense(context: Context, node: Dense) -> NodeCode:
    """Return the C of `node`; the portable kernel needs no scratch."""
    few_bits = emit_codes(context, node)
    if few_bits is not None:
        return few_bits
    for feature, emit in (("mve", emit_dense_mve), ("dsp", emit_dense_dsp)):
        special = emit(context, node) if feature in context.features else None
        if special is not None:
            return special
    weight = context.graph.constants[node.weight]
    out_n, in_n = weight.shape
    facts = pack.sums(context.graph, node)
    scaling = scale.choose(node.requant, context.index, facts.low, facts.high)
    weights = Array(
        "w", context.index, pack.groups(weight, 4), f"{out_n} rows of {in_n}, four at a time"
    )
    bias = Array("b", context.index, facts.bias, "bias, input zero point folded in")
    params: dict[str, ctext.Value] = {
        "in_n": in_n,
        "out_n": out_n,
        "weights": weights.name,
        "bias": bias.name,
        "requant": scaling.fields,
    }
    return NodeCode(
        index=context.index,
        kernel="ek_dense_s8",
        params=params,
        arrays=(weights, bias, *scaling.arrays),
        inputs=(node.x,),
        output=node.y,
        roundings=(scaling.rounding,),
    )
