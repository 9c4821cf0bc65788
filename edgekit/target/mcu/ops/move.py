"""Nodes that move or limit single values: Pad, Clamp, Requantize."""

from __future__ import annotations

from dataclasses import replace

from edgekit.ir.check import accumulator_range
from edgekit.ir.nodes import Clamp, Pad, Requantize
from edgekit.ir.types import DType
from edgekit.target.mcu import ctext, scale
from edgekit.target.mcu.code import Context, NodeCode


def emit_pad(context: Context, node: Pad) -> NodeCode:
    """Return the C of `node`; a vector is an image of one row and column."""
    missing = 3 - len(node.before)
    shape = (1,) * missing + context.shape(node.x)
    before = (0,) * missing + node.before
    after = (0,) * missing + node.after
    # The kernel moves bytes: a cell of 16 bits is two of them, and its value is 0.
    bytes_of = (1, 1, context.element_bytes(node.x))
    params: dict[str, ctext.Value] = {
        f"{field}_{axis}": extents[i] * bytes_of[i]
        for field, extents in (("in", shape), ("before", before), ("after", after))
        for i, axis in enumerate("hwc")
    }
    return NodeCode(
        index=context.index,
        kernel="ek_pad_s8",
        params={**params, "value": node.value},
        arrays=(),
        inputs=(node.x,),
        output=node.y,
    )


def emit_clamp(context: Context, node: Clamp) -> NodeCode:
    """Return the C of `node`, which may write over its input."""
    params: dict[str, ctext.Value] = {
        "size": context.size(node.y),
        "low": node.low,
        "high": node.high,
    }
    return NodeCode(
        index=context.index,
        kernel="ek_clamp_s8",
        params=params,
        arrays=(),
        inputs=(node.x,),
        output=node.y,
    )


def emit_requantize(context: Context, node: Requantize) -> NodeCode:
    """Return the C of `node`, which may write over its input."""
    low, high = accumulator_range(context.graph, node)
    if context.graph.tensors[node.x].dtype is DType.INT16:
        return _requantize_wide(context, node, low, high)
    scaling = scale.choose(node.requant, context.index, low, high)
    channels = context.shape(node.y)[-1]
    params: dict[str, ctext.Value] = {
        "pixels": context.size(node.y) // channels,
        "channels": channels,
        "input_zero_point": node.input_zero_point,
        "requant": scaling.fields,
    }
    return NodeCode(
        index=context.index,
        kernel="ek_requantize_s8",
        params=params,
        arrays=scaling.arrays,
        inputs=(node.x,),
        output=node.y,
        roundings=(scaling.rounding,),
    )


def _requantize_wide(context: Context, node: Requantize, low: int, high: int) -> NodeCode:
    """Return the C of 16-bit values; a second scale is that of negative ones."""
    requant = node.requant
    if node.negative is not None:
        multiplier, shift = node.negative
        requant = replace(
            requant,
            multiplier=(*requant.multiplier, multiplier),
            shift=(*requant.shift, shift),
        )
    scaling = scale.choose(requant, context.index, low, high)
    return NodeCode(
        index=context.index,
        kernel="ek_requantize_s16",
        params={"size": context.size(node.y), "requant": scaling.fields},
        arrays=scaling.arrays,
        inputs=(node.x,),
        output=node.y,
        roundings=(scaling.rounding,),
        wide=True,
    )
