"""The `ek_window` of convolutions and pools, and the `ek_dsp_window`."""

from __future__ import annotations

from edgekit.ir.geometry import Windowed, kernel_of
from edgekit.ir.nodes import AveragePool, Conv2D, DepthwiseConv2D, MaxPool
from edgekit.target.mcu import ctext
from edgekit.target.mcu.code import Context


def window(context: Context, node: Windowed) -> dict[str, int]:
    """Return the fields of the node's `ek_window`."""
    in_h, in_w, in_c = context.shape(node.x)
    out_h, out_w, _ = context.shape(node.y)
    kernel_h, kernel_w = kernel_of(context.graph, node)
    dilation = (1, 1) if isinstance(node, AveragePool | MaxPool) else node.dilation
    return {
        "in_h": in_h,
        "in_w": in_w,
        "in_c": in_c,
        "out_h": out_h,
        "out_w": out_w,
        "kernel_h": kernel_h,
        "kernel_w": kernel_w,
        "stride_h": node.stride[0],
        "stride_w": node.stride[1],
        "dilation_h": dilation[0],
        "dilation_w": dilation[1],
        "pad_top": node.padding.top,
        "pad_left": node.padding.left,
    }


_LIMITS = {"in": 15, "out": 15}  # bits of a size; 7 of everything else


def mve_window(
    context: Context, node: Conv2D | DepthwiseConv2D, way: int
) -> dict[str, ctext.Value] | None:
    """Return the fields of the node's `ek_mve_window`, or None where there is none."""
    fields = dsp_window(context, node)
    if fields is None or node.dilation != (1, 1) or context.shape(node.y)[2] >= 1 << 15:
        return None
    kept = {name: value for name, value in fields.items() if not name.startswith("dilation")}
    return {**kept, "out_c": context.shape(node.y)[2], "way": way}


def dsp_window(context: Context, node: Conv2D | DepthwiseConv2D) -> dict[str, ctext.Value] | None:
    """Return the fields of the node's `ek_dsp_window`, or None where one does not fit its type."""
    fields = {**window(context, node), "zero_point": node.input_zero_point}
    fits = all(
        -(1 << bits) <= value < 1 << bits
        for name, value in fields.items()
        for bits in [_LIMITS.get(name.split("_")[0], 7)]
    )
    return {**fields} if fits else None
