"""Convolution and fully connected layer of bits by weights of -1, 0 and +1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.nodes import LowBitConv2D, LowBitDense
from edgekit.ir.types import DType
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.ops import binary_pack as pack
from edgekit.target.mcu.ops.binary_border import NO_BORDER, border_of
from edgekit.target.mcu.ops.binary_result import result_of
from edgekit.target.mcu.ops.codes import window_of

Ints = NDArray[np.int64]

_MOST_UNUSED = 4  # lanes: at most one of so many counts no channel


def emit_binary_ternary(context: Context, node: LowBitConv2D | LowBitDense) -> NodeCode | None:
    """Return the C of `node`, or None where its types or few channels are not the kernel's."""
    weight = context.graph.constants[node.weight]
    source = context.graph.tensors[node.x].dtype
    out_c, words = len(weight), words_of(weight)
    if source is not DType.BINARY or words is None:
        return None
    border = border_of(context, node) if isinstance(node, LowBitConv2D) else NO_BORDER
    cells = weight.reshape(out_c, *border.missing.shape[1:], -1)
    rows = weight.reshape(out_c, -1)
    counted = np.abs(rows).sum(axis=1)
    planes = pack.planes_of(int(counted.max()))
    # What added to twice the count is the sum.
    bases = border.biases(cells, context.graph.constants[node.bias], node.input_zero_point)
    bases = bases - counted
    to_bits = context.graph.tensors[node.y].dtype is DType.BINARY
    starts = _bit_starts(context, node, bases, planes) if to_bits else bases
    result, arrays = result_of(context, node)
    about = f"{out_c} filters of {rows.shape[1]} trits, 32 at a time"
    stored = Array("p", context.index, _ints(lanes_of(rows, -1)), about)
    at = Array("t", context.index, _ints(starts), "where counts start, for each class of pixels")
    classes = Array("s", context.index, border.rows_and_columns, "classes of rows and columns")
    return NodeCode(
        index=context.index,
        kernel="ek_bin_ternary",
        params={
            "window": {**window_of(context, node)},
            "out_c": out_c,
            "words": words,
            "planes": planes,
            "padding": -1 if border.held > 0 else 0,
            "to_bits": int(to_bits),
            "column_classes": border.columns,
            "classes": classes.name,
            "weights": stored.name,
            "starts": at.name,
            "result": result,
        },
        arrays=(stored, at, classes, *arrays),
        inputs=(node.x,),
        output=node.y,
        scratch_bytes=4 * (planes + -(-rows.shape[1] // pack.LANES)),
    )


def _bit_starts(
    context: Context, node: LowBitConv2D | LowBitDense, bases: Ints, planes: int
) -> Ints:
    """Return the starts for outputs of one bit; bases is (classes, C_out)."""
    assert node.thresholds is not None
    never = 1 << (planes - 1)  # no channel counts as many
    thresholds = context.graph.constants[node.thresholds][:, 0]
    wanted = np.clip(-((bases - thresholds) // 2), 0, never)
    return pack.start_words(wanted, planes, never)


def words_of(weight: Ints) -> int | None:
    """Return the words of 32 channels, or None where too few are used or weights are not trits."""
    words = -(-len(weight) // pack.LANES)
    unused = words * pack.LANES - len(weight)
    if np.abs(weight).max() > 1 or unused * _MOST_UNUSED > words * pack.LANES:
        return None
    return words


def lanes_of(rows: Ints, sign: int) -> Ints:
    """Return (C_out, depth) weights as (words, depth, 2): channels of `sign`, and of not 0."""
    padded = np.pad(rows, ((0, -len(rows) % pack.LANES), (0, 0)))
    lanes = padded.reshape(-1, pack.LANES, rows.shape[1]).transpose(0, 2, 1)
    return np.stack([pack.words(lanes == sign), pack.words(lanes != 0)], axis=2)


def _ints(values: Ints) -> tuple[int, ...]:
    return tuple(values.ravel().tolist())
