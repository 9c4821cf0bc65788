"""The closed union of nodes. Tensors are named; constants are looked up in the graph.

`label` is the node's place in the source model (operator and index or name), for messages.
Adding a node: this file, one `interp` case, one loader entry, one kernel; mypy names the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from edgekit.ir.lowbit import (
    GroupCount,
    LowBitConv2D,
    LowBitDense,
    LowBitDepthwiseConv2D,
    LowBitNode,
    LutLayer,
    Thermometer,
    Threshold,
)
from edgekit.ir.types import Padding, Requant

__all__ = [
    "Add",
    "AveragePool",
    "Clamp",
    "Concat",
    "Conv2D",
    "Dense",
    "DepthwiseConv2D",
    "GroupCount",
    "LowBitConv2D",
    "LowBitDense",
    "LowBitDepthwiseConv2D",
    "LowBitNode",
    "Lut8",
    "LutLayer",
    "MaxPool",
    "Mul",
    "Node",
    "Pad",
    "Requantize",
    "Reshape",
    "ResizeBilinear",
    "ResizeNearest",
    "Rows",
    "Slice",
    "Softmax",
    "Stack",
    "Thermometer",
    "Threshold",
    "Transpose",
    "Weighted",
    "constants_of",
    "inputs_of",
]


@dataclass(frozen=True, slots=True)
class Conv2D:
    """Convolution; weight (C_out, kh, kw, C_in) int8, bias (C_out,) int32."""

    label: str
    x: str
    y: str
    weight: str
    bias: str
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: Padding
    input_zero_point: int
    requant: Requant


@dataclass(frozen=True, slots=True)
class DepthwiseConv2D:
    """Depthwise convolution; weight (kh, kw, C_out), C_out = multiplier * C_in, bias (C_out,)."""

    label: str
    x: str
    y: str
    weight: str
    bias: str
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: Padding
    input_zero_point: int
    requant: Requant


@dataclass(frozen=True, slots=True)
class Dense:
    """Fully connected; weight (N_out, N_in) int8, bias (N_out,) int32; x of any shape, flat."""

    label: str
    x: str
    y: str
    weight: str
    bias: str
    input_zero_point: int
    requant: Requant


@dataclass(frozen=True, slots=True)
class Add:
    """Sum, or with `subtract` the difference, of two tensors of equal shape.

    Fixed-point roundings (SPEC 4.6): each `(q - zero_point) << left_shift` is scaled by its
    own multiplier, summed, and scaled by `requant`. FLOAT32_RNE: SPEC 4.6 gives the float32 form,
    `a_scale` and `b_scale` are then (mantissa, exponent) of the float32 scale ratios, `requant`
    holds the float32 addend, and the zero points are all 0 (int8 source) or all -128 (uint8).
    """

    label: str
    a: str
    b: str
    y: str
    a_zero_point: int
    b_zero_point: int
    left_shift: int
    a_scale: tuple[int, int]  # (multiplier, shift) as in Requant
    b_scale: tuple[int, int]
    requant: Requant
    subtract: bool = False  # a - b; fixed-point roundings only


@dataclass(frozen=True, slots=True)
class Mul:
    """Product of two tensors; `b` has the shape of `a`, or of its last axes and is repeated.

    FLOAT32_RNE: `addend` is added to the scaled product in float32, before the result is rounded
    to an integer (SPEC 4.11).
    """

    label: str
    a: str
    b: str
    y: str
    a_zero_point: int
    b_zero_point: int
    requant: Requant  # one scale
    addend: int = 0  # -255 to 255; 0 for fixed-point roundings


@dataclass(frozen=True, slots=True)
class AveragePool:
    """Mean over valid cells. `requant` None: TFLite's integer rounding at equal scales.

    With `requant` the sum of `q - input_zero_point` is scaled by scale / n (SPEC 4.4), so it is
    only allowed where every window has the same number of valid cells. This is TFLite's MEAN and
    onnxruntime's global average pool.
    """

    label: str
    x: str
    y: str
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: Padding
    input_zero_point: int
    low: int
    high: int
    requant: Requant | None


@dataclass(frozen=True, slots=True)
class MaxPool:
    """Maximum over valid cells, clamped."""

    label: str
    x: str
    y: str
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: Padding
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Pad:
    """Add cells holding `value`; `before` and `after` are per axis of the unbatched shape."""

    label: str
    x: str
    y: str
    before: tuple[int, ...]
    after: tuple[int, ...]
    value: int


@dataclass(frozen=True, slots=True)
class Reshape:
    """The same elements in the same order under another shape."""

    label: str
    x: str
    y: str


@dataclass(frozen=True, slots=True)
class Clamp:
    """`min(max(x, low), high)`: a ReLU or ReLU6 that was not fused into its producer."""

    label: str
    x: str
    y: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Requantize:
    """Move between scales: `requant(x - input_zero_point)`.

    `negative`, for 16-bit activations only, is the (multiplier, shift) of values below 0: a leaky
    ReLU, which is a `Lut8` where there are 256 values.
    """

    label: str
    x: str
    y: str
    input_zero_point: int
    requant: Requant
    negative: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Softmax:
    """Softmax over the last axis, in fixed point (SPEC 4.9); output scale 1/256, zero -128.

    `table` names a constant (256,) int32: exp in Q0.31 of `d = q - max`, entry `-d`, and -1
    where d is below the reference's `diff_min` (no share of the sum, output -128).
    """

    label: str
    x: str
    y: str
    table: str


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of x from `first` on, as many as y has: the same bytes under another name."""

    label: str
    x: str
    y: str
    first: int


@dataclass(frozen=True, slots=True)
class Stack:
    """The rows of several tensors, one tensor after the other: they are written where y is.

    Each of `parts` is what a node computes, and nothing else reads it.
    """

    label: str
    parts: tuple[str, ...]
    y: str


@dataclass(frozen=True, slots=True)
class Lut8:
    """Any function of one value: `table[q + 128]`; `table` names a constant (256,) int8.

    A table (C, 256) holds one function for each channel.
    """

    label: str
    x: str
    y: str
    table: str


@dataclass(frozen=True, slots=True)
class Concat:
    """The tensors `xs` one after the other along `axis` of the unbatched shape."""

    label: str
    xs: tuple[str, ...]
    y: str
    axis: int


@dataclass(frozen=True, slots=True)
class Transpose:
    """Axis k of the output is axis `order[k]` of the input."""

    label: str
    x: str
    y: str
    order: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """Along each axis the elements `start`, `start + step`, ...; as many as the output has."""

    label: str
    x: str
    y: str
    start: tuple[int, ...]
    step: tuple[int, ...]  # negative: backwards


@dataclass(frozen=True, slots=True)
class ResizeNearest:
    """Output pixel (i, j) is input pixel (rows[i], columns[j])."""

    label: str
    x: str
    y: str
    rows: tuple[int, ...]
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ResizeBilinear:
    """Each output pixel lies between two rows and two columns of the input.

    `rows` and `columns` hold, for each output index, (first, second, share of the second in
    1/1024).
    """

    label: str
    x: str
    y: str
    rows: tuple[tuple[int, int, int], ...]
    columns: tuple[tuple[int, int, int], ...]


Node: TypeAlias = (
    Conv2D
    | DepthwiseConv2D
    | Dense
    | Add
    | Mul
    | AveragePool
    | MaxPool
    | Pad
    | Reshape
    | Clamp
    | Requantize
    | Softmax
    | Rows
    | Stack
    | Lut8
    | Concat
    | Transpose
    | Slice
    | ResizeNearest
    | ResizeBilinear
    | LowBitConv2D
    | LowBitDepthwiseConv2D
    | LowBitDense
    | Threshold
    | Thermometer
    | LutLayer
    | GroupCount
)

# Nodes whose sums are products of inputs and weights.
Weighted: TypeAlias = (
    Conv2D | DepthwiseConv2D | Dense | LowBitConv2D | LowBitDepthwiseConv2D | LowBitDense
)


def inputs_of(node: Node) -> tuple[str, ...]:
    """Return the activation tensors that `node` reads, in order."""
    match node:
        case Add() | Mul():
            return (node.a, node.b)
        case Stack():
            return node.parts
        case Concat():
            return node.xs
        case _:
            return (node.x,)


def constants_of(node: Node) -> tuple[str, ...]:
    """Return the constants that `node` reads, in order."""
    if isinstance(node, Conv2D | DepthwiseConv2D | Dense):
        return (node.weight, node.bias)
    if isinstance(node, LowBitConv2D | LowBitDepthwiseConv2D | LowBitDense):
        compared = () if node.thresholds is None else (node.thresholds,)
        return (node.weight, node.bias, *compared)
    if isinstance(node, Threshold | Thermometer):
        return (node.thresholds,)
    if isinstance(node, LutLayer):
        return (node.connections, node.tables)
    if isinstance(node, Softmax | Lut8):
        return (node.table,)
    return ()
