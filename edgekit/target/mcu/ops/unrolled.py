"""Layers with few weights of -1 and 1 as generated code, where that is the smaller or faster form.

Which form is better is modelled, not measured: from bytes of weights or code, and from the
instructions that each kernel was counted to take.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.nodes import LowBitConv2D, LowBitDense
from edgekit.ir.types import DType
from edgekit.target.mcu import codes
from edgekit.target.mcu.code import Context, NodeCode, Unrolled
from edgekit.target.mcu.ops.codes import low_parts, plain_layer, window_of

Ints = NDArray[np.int64]

_SUMS_BYTES = 4 * 32
_LANES = 32
_CHANNEL_BYTES = 12  # of code: one sum stored


@dataclass(frozen=True, slots=True)
class Cost:
    """What one form of a layer takes."""

    weight_bytes: float  # of weights, as data or code
    instructions: float  # of one pixel

    def is_better_than(self, other: Cost) -> bool:
        """Tell whether it gains more in one respect than it loses in the other."""
        own = self.weight_bytes * self.instructions
        return own < other.weight_bytes * other.instructions


@dataclass(frozen=True, slots=True)
class _Core:
    """Instructions of the kernels' parts, as counted on one kind of core."""

    term: float  # a load and an addition
    term_bytes: float  # of their code
    bit: float  # one bit of a window made a byte
    output: float  # one sum compared or stored
    lane_word: float  # one input for 32 channels in ek_bin_ternary
    code: float  # one product in ek_low_codes, four pixels at a time or two
    single_code: float  # the same, of the only pixel


_DSP = _Core(2.0, 6.0, 3.7, 15.0, 11.7, 1.1, 2.0)
_RV32 = _Core(2.0, 6.0, 4.0, 15.0, 14.3, 2.5, 3.0)
_PORTABLE = _Core(3.5, 7.5, 4.7, 20.0, 17.9, 2.6, 4.1)


def emit_unrolled(context: Context, node: LowBitConv2D | LowBitDense, stored: NodeCode) -> NodeCode:
    """Return the C of `node` as code if that is better than `stored`, else `stored`."""
    weight = context.graph.constants[node.weight]
    source = context.graph.tensors[node.x].dtype
    rows = weight.reshape(len(weight), -1)
    if source.bits > 8 or np.abs(rows).max() > 1:
        return stored
    own, other = costs(context, node, stored)
    if not own.is_better_than(other):
        return stored
    unrolled = Unrolled(
        context.index,
        tuple((tuple(_places(row > 0)), tuple(_places(row < 0))) for row in rows),
    )
    fields = window_of(context, node)
    parts = low_parts(context, node, codes.Values(0, 0))
    layer = plain_layer(context, node, parts.outside)
    depth = fields["kernel_h"] * fields["kernel_w"] * fields["in_c"]
    return NodeCode(
        index=context.index,
        kernel="ek_unrolled",
        params={
            "low": {"codes": layer, **parts.fields},
            "sums": unrolled.name,
        },
        arrays=parts.arrays,
        inputs=(node.x,),
        output=node.y,
        scratch_bytes=_SUMS_BYTES + depth + fields["kernel_w"] * fields["in_c"],
        unrolled=unrolled,
    )


def costs(
    context: Context, node: LowBitConv2D | LowBitDense, stored: NodeCode
) -> tuple[Cost, Cost]:
    """Return what the layer takes as code, and in the form of `stored`, modelled."""
    weight = context.graph.constants[node.weight]
    channels, depth, terms = len(weight), weight[0].size, int(np.abs(weight).sum())
    pixels = context.size(node.y) // channels
    core = _core(context)
    # Values of a single pixel are read where they are, unless they are bits.
    gathered = depth * (core.bit if pixels > 1 or _is_bits(context, node) else 0.0)
    own = Cost(
        core.term_bytes * terms + _CHANNEL_BYTES * channels,
        core.term * terms + core.output * channels + gathered,
    )
    products = (core.code if pixels > 1 else core.single_code) * channels * depth + gathered
    if stored.kernel == "ek_bin_ternary":
        products = core.lane_word * -(-channels // _LANES) * depth
    other = Cost(sum(a.size_bytes for a in stored.arrays if a.is_weights), products)
    return own, other


def _core(context: Context) -> _Core:
    if "dsp" in context.features:
        return _DSP
    return _RV32 if "rv32" in context.features else _PORTABLE


def _is_bits(context: Context, node: LowBitConv2D | LowBitDense) -> bool:
    return context.graph.tensors[node.x].dtype is DType.BINARY


def _places(chosen: NDArray[np.bool_]) -> list[int]:
    found: list[int] = np.flatnonzero(chosen).tolist()
    return found
