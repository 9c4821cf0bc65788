"""Thresholds of values that are no sums: steps and thermometers."""

from __future__ import annotations

import numpy as np

from edgekit.ir.nodes import Thermometer, Threshold
from edgekit.ir.types import DType
from edgekit.target.mcu import ctext
from edgekit.target.mcu.code import Array, Context, NodeCode

_NEVER = 128  # no int8 reaches it


def emit_threshold(context: Context, node: Threshold | Thermometer) -> NodeCode:
    """Return the C of `node`; bytes that become bits have a kernel of their own."""
    source = context.graph.tensors[node.x]
    to_bits = context.graph.tensors[node.y].dtype is DType.BINARY
    thresholds = context.graph.constants[node.thresholds]
    rows, levels = thresholds.shape
    channels = source.shape[-1]
    sizes: dict[str, ctext.Value] = {
        "pixels": source.size // channels,
        "channels": channels,
        "levels": levels,
    }
    about = "thresholds"
    if to_bits and context.element_bytes(node.x) == 1 and source.dtype is not DType.BINARY:
        limited = np.clip(thresholds, DType.INT8.low, _NEVER).T
        array = Array("h", context.index, tuple(limited.ravel().tolist()), about)
        kernel = "ek_bin_threshold"
        params = {**sizes, "row": rows, "step": int(rows > 1)}
    else:
        array = Array("t", context.index, tuple(thresholds.ravel().tolist()), about)
        kernel = "ek_threshold"
        params = {
            **sizes,
            "bytes": 0 if source.dtype is DType.BINARY else context.element_bytes(node.x),
            "to_bits": int(to_bits),
            "low": node.low if isinstance(node, Threshold) else -1,
            "step": levels if rows > 1 else 0,
        }
    return NodeCode(
        index=context.index,
        kernel=kernel,
        params={**params, "thresholds": array.name},
        arrays=(array,),
        inputs=(node.x,),
        output=node.y,
    )
