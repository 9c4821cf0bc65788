"""Layers whose weights take few bits, in the kernels of `ek_codes.h`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.ir.nodes import Conv2D, Dense
from edgekit.ir.types import DType
from edgekit.passes.memory import Overlap
from edgekit.target.mcu import codes, ctext, pack, scale
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.ops.overlap import behind_by_pixels, ends_by_groups
from edgekit.target.mcu.ops.window import window

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


def codes_of(
    context: Context, node: Conv2D | Dense, values: codes.Values, outside: int
) -> Codes | None:
    """Return the `ek_codes` of `node`, or None where its weights do not fit one.

    Args:
        context: the graph and the CPU.
        node: the layer.
        values: activations, those outside the input included.
        outside: what cells outside the input hold.
    """
    weight = context.graph.constants[node.weight]
    fields = _window(context, node)
    rows = fields["kernel_h"], fields["kernel_w"], fields["in_c"]
    in_pairs = "dsp" in context.features
    height, run = rows[0], rows[1] * rows[2]
    found = codes.packed(weight.reshape(-1, height, run), values, in_pairs=in_pairs)
    if found is None:
        return None
    form = found.form
    about = f"{len(weight)} filters of {'x'.join(map(str, rows))}, codes of {form.bits} bits"
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
            "words": found.per_pair,
            "run": found.run,
            "weights": array.name,
        },
        array,
        4 * _CHANNELS * _PIXELS[in_pairs] + values_bytes + run,
    )


def _window(context: Context, node: Conv2D | Dense) -> dict[str, int]:
    """Return the fields of the `ek_window`: a fully connected layer has one that sees all."""
    if isinstance(node, Conv2D):
        return window(context, node)
    channels = context.shape(node.x)[-1]
    cells = context.size(node.x) // channels
    ones = ("in_h", "out_h", "out_w", "kernel_h", "stride_h", "stride_w", "dilation_h")
    return {
        **{"in_w": cells, "kernel_w": cells, "in_c": channels},
        **dict.fromkeys((*ones, "dilation_w"), 1),
        **{"pad_top": 0, "pad_left": 0},
    }
