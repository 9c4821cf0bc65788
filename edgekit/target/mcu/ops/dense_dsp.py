"""Fully connected layer by DSP instructions."""

from __future__ import annotations

from edgekit.ir.nodes import Conv2D, Dense
from edgekit.target.mcu import ctext, direct, pairs
from edgekit.target.mcu.code import Array, Context, NodeCode

_SMALL = 4096  # weights of a layer that shares the convolution's code if there is any


def emit_dense_dsp(context: Context, node: Dense) -> NodeCode | None:
    """Return the C of `node`, or None where no kernel serves it."""
    weight = context.graph.constants[node.weight]
    out_n, in_n = weight.shape
    channels = direct.Channels(
        node.requant, weight, context.graph.constants[node.bias], node.input_zero_point
    )
    shares = weight.size <= _SMALL and any(isinstance(n, Conv2D) for n in context.graph.nodes)
    scaling = direct.choose(channels, context.index, away=True, in_pairs=shares)
    packed = None
    if scaling is not None and pairs.keeps_24_bits(scaling.channels):
        rows = scaling.channels.weights.reshape(out_n, 1, in_n)
        packed = pairs.packed(rows, 2 if shares else 4)
    if scaling is None or packed is None:
        return None
    about = f"{out_n} rows of {in_n}, two at a time, depths in pairs"
    weights = (
        Array("w", context.index, packed, about)
        if shares
        else Array("p", context.index, pairs.words(packed), about)
    )
    shape: dict[str, ctext.Value] = {
        "in_n": in_n,
        "out_n": out_n,
        "zero_point": node.input_zero_point,
    }
    if shares:
        shape = {"window": _window(in_n, node.input_zero_point), "out_c": out_n}
    return NodeCode(
        index=context.index,
        kernel="ek_conv2d_dsp" if shares else "ek_dense_dsp",
        params={**shape, "weights": weights.name, "scale": scaling.fields},
        arrays=(weights, *scaling.arrays),
        inputs=(node.x,),
        output=node.y,
        scratch_bytes=16 * ((in_n + 1) // 2) if shares else 0,
    )


def _window(in_n: int, zero_point: int) -> dict[str, ctext.Value]:
    """Return the `ek_dsp_window` of one pixel."""
    ones = ("in_h", "in_w", "out_h", "out_w", "kernel_h", "kernel_w", "stride_h", "stride_w")
    return {
        **dict.fromkeys(ones, 1),
        **{"in_c": in_n, "dilation_h": 1, "dilation_w": 1, "pad_top": 0, "pad_left": 0},
        "zero_point": zero_point,
    }
