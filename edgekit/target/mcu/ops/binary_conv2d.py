"""Convolution and fully connected layer of bits by weights of one bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.nodes import LowBitConv2D, LowBitDense
from edgekit.ir.types import DType
from edgekit.target.mcu import ctext
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.ops import binary_pack as pack
from edgekit.target.mcu.ops.binary_border import NO_BORDER, border_of
from edgekit.target.mcu.ops.binary_result import result_of
from edgekit.target.mcu.ops.window import window

Ints = NDArray[np.int64]

_VECTOR_WORDS = 4
_MOST_UNUSED = 8  # lanes: at most one of so many counts no channel


def emit_binary_conv2d(context: Context, node: LowBitConv2D | LowBitDense) -> NodeCode:
    """Return the C of `node`, whose input and weights are BINARY."""
    weight = context.graph.constants[node.weight].reshape(context.shape(node.y)[-1], -1)
    out_c, depth = weight.shape
    counted, planes = _counted_words(out_c), pack.planes_of(depth)
    border = border_of(context, node) if isinstance(node, LowBitConv2D) else NO_BORDER
    cells = weight.reshape(out_c, *border.missing.shape[1:], -1)
    biases = border.biases(cells, context.graph.constants[node.bias], node.input_zero_point)
    to_bits = context.graph.tensors[node.y].dtype is DType.BINARY
    # From two words of channels on, vectors take fewer instructions.
    group = _VECTOR_WORDS if "mve" in context.features and counted > 1 else 1
    about = f"{out_c} filters of {depth} bits, {group * pack.LANES} at a time"
    weights = Array("p", context.index, _weights(weight, group), about)
    starts = Array(
        "t",
        context.index,
        _bit_starts(context, node, biases, depth, group) if to_bits else _ints(biases - depth),
        "where counts start, for each class of pixels",
    )
    classes = Array("s", context.index, border.rows_and_columns, "classes of rows and columns")
    result, arrays = result_of(context, node)
    length, rest = -(-depth // pack.LANES), depth % pack.LANES
    listed = depth // pack.LANES + (rest + 1) // 2 + 1
    return NodeCode(
        index=context.index,
        kernel="ek_bin_conv2d" if group == 1 else "ek_bin_conv2d_mve",
        params={
            "window": _window(context, node),
            "out_c": out_c,
            "words": counted,
            "planes": planes,
            "padding": -1 if border.held > 0 else 0,
            "to_bits": int(to_bits),
            "column_classes": border.columns,
            "classes": classes.name,
            "weights": weights.name,
            "starts": starts.name,
            "result": result,
        },
        arrays=(weights, starts, classes, *arrays),
        inputs=(node.x,),
        output=node.y,
        scratch_bytes=4 * (group * (planes + listed) + 2 * length),
    )


def _window(context: Context, node: LowBitConv2D | LowBitDense) -> dict[str, ctext.Value]:
    """Return the `ek_window`; a fully connected layer has one that covers its input."""
    if isinstance(node, LowBitConv2D):
        return {**window(context, node)}
    shape = context.shape(node.x)
    in_h, in_w, in_c = (1,) * (3 - len(shape)) + shape
    ones = ("out_h", "out_w", "stride_h", "stride_w", "dilation_h", "dilation_w")
    return {
        **{"in_h": in_h, "in_w": in_w, "in_c": in_c, "kernel_h": in_h, "kernel_w": in_w},
        **dict.fromkeys(ones, 1),
        **{"pad_top": 0, "pad_left": 0},
    }


def _counted_words(channels: int) -> int:
    """Return how many words of channels are counted: also a last one where few lanes are unused."""
    words = -(-channels // pack.LANES)
    unused = words * pack.LANES - channels
    return words - int(unused * _MOST_UNUSED > words * pack.LANES)


def _groups(channels: int, group: int) -> list[slice]:
    """Return the lanes that are counted together: `group` words, fewer at the end."""
    counted = _counted_words(channels) * pack.LANES
    firsts = range(0, counted, group * pack.LANES)
    return [slice(first, min(first + group * pack.LANES, counted)) for first in firsts]


def _with_unused(values: Ints, groups: list[slice], value: int) -> Ints:
    """Return (C, ...) with `value` for lanes that have no channel."""
    unused = max(groups[-1].stop - len(values), 0) if groups else 0
    around = [(0, unused)] + [(0, 0)] * (values.ndim - 1)
    return np.pad(values, around, constant_values=value)


def _unread(channels: int, group: int) -> tuple[int, ...]:
    """Return what a vector reads behind the last group that does not fill it."""
    return (0,) * (-_counted_words(channels) % group)


def _weights(weight: Ints, group: int) -> tuple[int, ...]:
    """Return (C_out, depth) weights: words of counted channels as parities, then other rows."""
    groups = _groups(len(weight), group)
    padded = _with_unused(weight, groups, 1)
    counted = [v for channels in groups for v in _ints(pack.parities(padded[channels]))]
    rows = pack.words(weight[groups[-1].stop if groups else 0 :] < 0)
    return (*counted, *_ints(rows), *_unread(len(weight), group))


def _bit_starts(
    context: Context, node: LowBitConv2D | LowBitDense, biases: Ints, depth: int, group: int
) -> tuple[int, ...]:
    """Return the starts for outputs of one bit, of all classes; biases is (classes, C_out)."""
    assert node.thresholds is not None
    thresholds = context.graph.constants[node.thresholds][:, 0]
    planes = pack.planes_of(depth)
    groups = _groups(len(thresholds), group)
    found: list[int] = []
    for row in pack.equal_bits_wanted(thresholds, biases, depth):
        padded = _with_unused(row, groups, depth + 1)
        for lanes in groups:
            found += _ints(pack.start_planes(padded[lanes], planes))
        found += _ints(-2 * row[groups[-1].stop if groups else 0 :])
    return (*found, *_unread(len(thresholds), group))


def _ints(values: Ints) -> tuple[int, ...]:
    return tuple(values.ravel().tolist())
