"""Layers whose weights take few bits, in the kernels of `ek_codes.h`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.ir.lowbit import LowBitSum
from edgekit.ir.nodes import Conv2D, Dense, LowBitConv2D, LowBitDense
from edgekit.ir.ranges import channel_weights
from edgekit.ir.types import DType
from edgekit.passes.memory import Overlap, tensor_bytes
from edgekit.target.mcu import codes, ctext, pack, scale
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.ops.binary_result import result_of
from edgekit.target.mcu.ops.overlap import behind_by_pixels, ends_by_groups
from edgekit.target.mcu.ops.window import window

Weighted = Conv2D | Dense | LowBitConv2D | LowBitDense

_CHANNELS = 32  # EK_CODE_CHANNELS
_PIXELS = {False: 2, True: 4}  # EK_CODE_PIXELS, portable and DSP
_VALUE_BYTES = {False: 1, True: 2}  # of a gathered value


@dataclass(frozen=True, slots=True)
class Codes:
    """Fields of an `ek_codes`, its array, and the scratch that its kernels need."""

    fields: dict[str, ctext.Value]
    weights: Array
    scratch_bytes: int


def emit_codes(context: Context, node: Conv2D | Dense) -> NodeCode | None:
    """Return the C of a requantized layer with weights of few bits, or None for another one."""
    if context.graph.tensors[node.weight].dtype not in codes.FEW_BITS:
        return None
    if context.graph.tensors[node.x].dtype is not DType.INT8:
        return None
    found = codes_of(context, node, codes.Values(-128, 127), node.input_zero_point)
    if found is None:
        return None
    facts = pack.sums(context.graph, node)
    scaling = scale.choose(node.requant, context.index, facts.low, facts.high)
    # Sums begin at the lowest activation.
    each = context.graph.constants[node.weight].reshape(len(facts.bias), -1).sum(axis=1)
    bias = Array(
        "b",
        context.index,
        tuple((np.array(facts.bias) - 128 * each).tolist()),
        "bias, input zero point folded in",
    )
    in_pairs = "dsp" in context.features
    overlap = None
    if isinstance(node, Conv2D):
        out_h, out_w, _ = context.shape(node.y)
        ends = ends_by_groups(out_h * out_w, _PIXELS[in_pairs])
        overlap = Overlap(node.x, behind_by_pixels(context, node, ends))
    return NodeCode(
        index=context.index,
        kernel="ek_codes_dsp" if in_pairs else "ek_codes_s8",
        params={"codes": found.fields, "bias": bias.name, "requant": scaling.fields},
        arrays=(found.weights, bias, *scaling.arrays),
        inputs=(node.x,),
        output=node.y,
        roundings=(scaling.rounding,),
        scratch_bytes=found.scratch_bytes,
        overlap=overlap,
    )


@dataclass(frozen=True, slots=True)
class LowParts:
    """Fields of an `ek_low_codes_s8_params` beside the codes, and their arrays."""

    outside: int  # what cells outside the input hold
    fields: dict[str, ctext.Value]
    arrays: tuple[Array, ...]


def emit_low_codes(context: Context, node: LowBitConv2D | LowBitDense) -> NodeCode | None:
    """Return the C of a low-bit layer, or None where no kernel serves it."""
    source = context.graph.tensors[node.x].dtype
    values = codes.Values(source.low, source.high)
    parts = low_parts(context, node, values)
    found = codes_of(context, node, values, parts.outside) if source.bits <= 8 else None
    if found is None:
        return None
    return NodeCode(
        index=context.index,
        kernel="ek_low_codes_dsp" if "dsp" in context.features else "ek_low_codes_s8",
        params={"codes": found.fields, **parts.fields},
        arrays=(found.weights, *parts.arrays),
        inputs=(node.x,),
        output=node.y,
        scratch_bytes=found.scratch_bytes,
    )


def low_parts(context: Context, node: LowBitSum, values: codes.Values) -> LowParts:
    """Return what becomes of sums of (q - values.low) * w."""
    to = context.graph.tensors[node.y]
    outside = node.input_zero_point
    if not isinstance(node, LowBitDense):
        outside += node.padding_value
    to_bits = to.dtype is DType.BINARY
    starts = Array("b", context.index, _starts(context, node, values, to_bits), "where sums start")
    result, arrays = result_of(context, node)
    fields: dict[str, ctext.Value] = {
        "starts": starts.name,
        "to_bits": int(to_bits),
        "pixel_bytes": tensor_bytes(to) // (to.size // to.shape[-1]),
        "result": result,
    }
    return LowParts(outside, fields, (starts, *arrays))


def plain_layer(context: Context, node: LowBitSum, outside: int) -> dict[str, ctext.Value]:
    """Return the fields of an `ek_codes` without codes: sums of q * w."""
    return {
        "window": {**window_of(context, node)},
        "out_c": context.shape(node.y)[-1],
        "is_bits": int(context.graph.tensors[node.x].dtype is DType.BINARY),
        "base": 0,
        "outside": outside,
        **{"bits": 1, "factor": 1, "offset": 0, "parts": 1},
        **{"words": 0, "run": 0, "weights": "0"},
    }


def _starts(
    context: Context, node: LowBitSum, values: codes.Values, to_bits: bool
) -> tuple[int, ...]:
    """Return what is added to sum((q - values.low) * w); with `to_bits` less the threshold."""
    constants = context.graph.constants
    bias = constants[node.bias]
    weight = channel_weights(context.graph, node)
    starts = bias + (values.low - node.input_zero_point) * weight.sum(axis=1)
    if to_bits and node.thresholds is not None:
        # Beyond what a sum reaches all thresholds are alike.
        dtype = context.graph.tensors[node.x].dtype
        low, high = dtype.low - node.input_zero_point, dtype.high - node.input_zero_point
        ends = weight * low, weight * high
        least = bias + np.minimum(*ends).sum(axis=1)
        most = bias + np.maximum(*ends).sum(axis=1)
        starts = starts - np.clip(constants[node.thresholds][:, 0], least, most + 1)
    return tuple(starts.tolist())


def codes_of(context: Context, node: Weighted, values: codes.Values, outside: int) -> Codes | None:
    """Return the `ek_codes` of `node`, or None where its weights do not fit one.

    Args:
        context: the graph and the CPU.
        node: the layer.
        values: activations, those outside the input included.
        outside: what cells outside the input hold.
    """
    weight = context.graph.constants[node.weight]
    fields = window_of(context, node)
    rows = fields["kernel_h"], fields["kernel_w"], fields["in_c"]
    in_pairs = "dsp" in context.features
    height, run = rows[0], rows[1] * rows[2]
    found = codes.packed(weight.reshape(-1, height, run), values, in_pairs=in_pairs)
    if found is None:
        return None
    form = found.form
    size = "x".join(map(str, rows))
    about = f"{len(weight)} filters of {size}, codes of {form.bits * form.parts} bits"
    array = Array("p", context.index, found.words, about)
    pixels = fields["out_h"] * fields["out_w"]
    slots = _PIXELS[in_pairs] if not in_pairs or pixels >= _PIXELS[True] else 1
    values_bytes = slots * _VALUE_BYTES[in_pairs] * 16 // form.bits * found.per_pair
    return Codes(
        {
            "window": dict(fields),
            "out_c": len(weight),
            "is_bits": int(context.graph.tensors[node.x].dtype is DType.BINARY),
            "base": values.low,
            "outside": outside,
            "bits": form.bits,
            "factor": form.factor,
            "offset": form.offset,
            "parts": form.parts,
            "words": found.per_pair,
            "run": found.run,
            "weights": array.name,
        },
        array,
        4 * _CHANNELS * _PIXELS[in_pairs] * form.parts + values_bytes + run,
    )


def window_of(context: Context, node: Weighted | LowBitSum) -> dict[str, int]:
    """Return the fields of the `ek_window`: a fully connected layer has one that sees all."""
    if not isinstance(node, Dense | LowBitDense):
        return window(context, node)
    channels = context.shape(node.x)[-1]
    cells = context.size(node.x) // channels
    ones = ("in_h", "out_h", "out_w", "kernel_h", "stride_h", "stride_w", "dilation_h")
    return {
        **{"in_w": cells, "kernel_w": cells, "in_c": channels},
        **dict.fromkeys((*ones, "dilation_w"), 1),
        **{"pad_top": 0, "pad_left": 0},
    }
