"""What becomes of low-bit sums that are not compared once: `ek_bin_result` of `edgekit.h`."""

from __future__ import annotations

from edgekit.ir.lowbit import LowBitSum
from edgekit.ir.types import DType
from edgekit.target.mcu import ctext
from edgekit.target.mcu.code import Array, Context


def result_of(
    context: Context, node: LowBitSum
) -> tuple[dict[str, ctext.Value], tuple[Array, ...]]:
    """Return the fields, and the array of thresholds if sums are compared with several."""
    dtype = context.graph.tensors[node.y].dtype
    if node.thresholds is None or dtype is DType.BINARY:
        size = dtype.bits // 8 if node.thresholds is None else 0
        return {"levels": 0, "low": 0, "bytes": size, "thresholds": "0"}, ()
    thresholds = context.graph.constants[node.thresholds]
    values = tuple(thresholds.ravel().tolist())
    array = Array("m", context.index, values, f"{thresholds.shape[1]} thresholds of each channel")
    fields: dict[str, ctext.Value] = {
        "levels": thresholds.shape[1],
        "low": node.low,
        "bytes": 0,
        "thresholds": array.name,
    }
    return fields, (array,)
