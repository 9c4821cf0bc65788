"""Convolution and fully connected layer of -1, 0 and +1 by weights of -1, 0 and +1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.nodes import LowBitConv2D, LowBitDense
from edgekit.ir.types import DType
from edgekit.target.mcu import codes
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.ops import binary_pack as pack
from edgekit.target.mcu.ops.binary_ternary import lanes_of, words_of
from edgekit.target.mcu.ops.codes import low_parts, window_of

Ints = NDArray[np.int64]


def emit_trit_ternary(context: Context, node: LowBitConv2D | LowBitDense) -> NodeCode | None:
    """Return the C of `node`, or None where its types or few channels are not the kernel's."""
    weight = context.graph.constants[node.weight]
    words = words_of(weight)
    if context.graph.tensors[node.x].dtype is not DType.TERNARY or words is None:
        return None
    rows = weight.reshape(len(weight), -1)
    depth = rows.shape[1]
    planes = pack.planes_of(2 * depth)
    parts = low_parts(context, node, codes.Values(0, 0))
    own, *others = parts.arrays
    # The kernel counts the sum of x * w and one for each position.
    bases = np.array(own.values, np.int64) - depth
    if parts.fields["to_bits"]:
        never = 1 << (planes - 1)
        bases = pack.start_words(np.clip(-bases, 0, never)[np.newaxis], planes, never)
    about = f"{len(weight)} filters of {depth} trits, 32 at a time"
    stored = Array("p", context.index, tuple(lanes_of(rows, 1).ravel().tolist()), about)
    starts = Array("b", context.index, tuple(bases.ravel().tolist()), "where counts start")
    return NodeCode(
        index=context.index,
        kernel="ek_trit_ternary",
        params={
            "window": {**window_of(context, node)},
            "out_c": len(weight),
            "words": words,
            "planes": planes,
            "outside": parts.outside,
            **{**parts.fields, "starts": starts.name},
            "weights": stored.name,
        },
        arrays=(stored, starts, *others),
        inputs=(node.x,),
        output=node.y,
        scratch_bytes=4 * planes + 8 * -(-depth // pack.LANES),
    )
