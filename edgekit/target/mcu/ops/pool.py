"""Average and maximum pools."""

from __future__ import annotations

import numpy as np

from edgekit.ir.check import accumulator_range
from edgekit.ir.nodes import AveragePool, MaxPool
from edgekit.ir.types import DType
from edgekit.passes.memory import Overlap
from edgekit.target.mcu import ctext, scale
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.ops.overlap import behind_by_pixels
from edgekit.target.mcu.ops.window import window


def emit_average_pool(context: Context, node: AveragePool) -> NodeCode:
    """Return the C of `node`; it needs no scratch."""
    params: dict[str, ctext.Value] = {
        "window": window(context, node),
        "low": node.low,
        "high": node.high,
        "scaled": int(node.requant is not None),
    }
    arrays: tuple[Array, ...] = ()
    roundings: tuple[str, ...] = ()
    if node.requant is not None:
        low, high = accumulator_range(context.graph, node)
        scaling = scale.choose(node.requant, context.index, low, high)
        params |= {"input_zero_point": node.input_zero_point, "requant": scaling.fields}
        arrays, roundings = scaling.arrays, (scaling.rounding,)
    return NodeCode(
        index=context.index,
        kernel="ek_avgpool_s8",
        params=params,
        arrays=arrays,
        inputs=(node.x,),
        output=node.y,
        overlap=_overlap(context, node),
        roundings=roundings,
    )


def emit_max_pool(context: Context, node: MaxPool) -> NodeCode:
    """Return the C of `node`; it needs no scratch. Sums of 16 or 32 bits have their own kernel."""
    params: dict[str, ctext.Value] = {
        "window": window(context, node),
        "low": node.low,
        "high": node.high,
    }
    dtype = context.graph.tensors[node.y].dtype
    if dtype.bits > DType.INT8.bits:
        return NodeCode(
            index=context.index,
            kernel="ek_maxpool_wide",
            params={**params, "is_long": int(dtype is DType.INT32)},
            arrays=(),
            inputs=(node.x,),
            output=node.y,
        )
    return NodeCode(
        index=context.index,
        kernel="ek_maxpool_s8",
        params=params,
        arrays=(),
        inputs=(node.x,),
        output=node.y,
        overlap=_overlap(context, node),
    )


def _overlap(context: Context, node: AveragePool | MaxPool) -> Overlap:
    """A pixel's channels are written while its window is still read."""
    out_h, out_w, _ = context.shape(node.y)
    ends = np.arange(1, out_h * out_w + 1)
    return Overlap(node.x, behind_by_pixels(context, node, ends, reread=True))
