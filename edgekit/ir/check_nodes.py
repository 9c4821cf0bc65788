"""The checker's part for single nodes: shapes, types, constants, scales, accumulators."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.arithmetic import float32_exact, float32_value
from edgekit.ir.check_lowbit import FEW_BITS, check_low_bit
from edgekit.ir.check_moves import check_move
from edgekit.ir.check_moves import fail as _fail
from edgekit.ir.check_moves import want as _want
from edgekit.ir.check_rows import check_view
from edgekit.ir.check_windows import check_weights, check_window
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import (
    Add,
    AveragePool,
    Clamp,
    Concat,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    LowBitNode,
    Lut8,
    MaxPool,
    Mul,
    Node,
    Pad,
    Requantize,
    Reshape,
    ResizeBilinear,
    ResizeNearest,
    Rows,
    Slice,
    Softmax,
    Stack,
    Transpose,
    Weighted,
    constants_of,
    inputs_of,
)
from edgekit.ir.ranges import Ranges, accumulator_bounds, partial_sum_bound, requant_of
from edgekit.ir.types import DType, Requant, Rounding

Ints = NDArray[np.int64]
Shape = tuple[int, ...]
# Nodes that have a form for 16-bit activations.
_Wide = Conv2D | Add | Pad | Requantize | Reshape | Rows | Stack | Concat | Transpose | Slice
# Nodes that only move or compare values, of whatever type.
_Moving = MaxPool | Pad | Reshape | Rows | Stack | Concat | Transpose | Slice

_SMALLER = "quantize the model again with smaller weights or fewer inputs in this layer"
_LONGEST_SOFTMAX = 511  # the reference's sum leaves its 32-bit format beyond


def check_node(graph: Graph, node: Node, ranges: Ranges) -> None:
    """Check one node whose tensors exist; `ranges` holds the reachable values of its inputs.

    Raises:
        UnsupportedError: naming the node, what was found and what is wanted.
    """
    if isinstance(node, LowBitNode):
        check_low_bit(graph, node, ranges)
        if isinstance(node, Weighted):
            _check_partial_sums(graph, node)
        return
    dtype = _type_of(graph, node)
    _check_shapes(graph, node)
    if isinstance(node, Weighted):
        _check_partial_sums(graph, node)
    _check_zero_points(node, dtype)
    _check_clamp(node, dtype)
    requant = requant_of(node)
    if requant is None:
        return
    _check_requant(node, requant, dtype, graph.tensors[node.y].shape[-1])
    if isinstance(node, Requantize):
        _check_two_scales(node, dtype, ranges)
    if isinstance(node, Add):
        _check_add(node, requant, ranges)
        if requant.rounding is Rounding.FLOAT32_RNE:
            return  # the requant holds an addend there, not a scale
    _check_accumulators(node, requant, *accumulator_bounds(graph, node, ranges))


def _type_of(graph: Graph, node: Node) -> DType:
    """Return the one type of the node's activations: INT8, or another that it has a form for."""
    wanted, found = DType.INT8, graph.tensors[node.y].dtype
    if isinstance(node, _Wide) and found is DType.INT16:
        wanted = DType.INT16
    if isinstance(node, _Moving) and found in FEW_BITS:
        wanted = found
    if isinstance(node, MaxPool | Reshape) and found in (DType.INT16, DType.INT32):
        wanted = found
    for name in (*inputs_of(node), node.y):
        _want(node, f"type of {name}", graph.tensors[name].dtype.name, wanted.name)
    return wanted


def _check_shapes(graph: Graph, node: Node) -> None:  # noqa: C901 - the closed union
    if isinstance(node, LowBitNode):
        return  # check_low_bit
    shape = graph.tensors[node.y].shape
    match node:
        case Conv2D() | DepthwiseConv2D() | AveragePool() | MaxPool():
            check_window(graph, node)
        case Dense():
            inputs = graph.tensors[node.x].size
            check_weights(graph, node, (shape[-1], inputs), shape[-1])
            _want(node, "output shape", shape, (shape[-1],))
        case Add():
            for name in (node.a, node.b):
                _want(node, f"shape of {name}", graph.tensors[name].shape, shape)
        case Pad():
            _check_pad(graph, node)
        case Reshape():
            _want(
                node, "number of elements", graph.tensors[node.x].size, graph.tensors[node.y].size
            )
        case Softmax() | Clamp() | Requantize():
            _want(node, "shape of its input", graph.tensors[node.x].shape, shape)
            _check_softmax(graph, node)
        case Rows() | Stack():
            check_view(graph, node)
        case Mul() | Lut8() | Concat() | Transpose() | Slice() | ResizeNearest() | ResizeBilinear():
            check_move(graph, node)
        case _:
            assert_never(node)


def _check_pad(graph: Graph, node: Pad) -> None:
    source, shape = graph.tensors[node.x].shape, graph.tensors[node.y].shape
    if not len(node.before) == len(node.after) == len(source):
        _fail(node, f"padding {node.before}, {node.after}; one entry for each axis of {source}")
    if min(*node.before, *node.after) < 0:
        _fail(node, f"padding {node.before}, {node.after}; at least 0 is wanted")
    wanted = tuple(sum(axis) for axis in zip(source, node.before, node.after, strict=True))
    _want(node, "output shape", shape, wanted)


def _check_softmax(graph: Graph, node: Softmax | Clamp | Requantize) -> None:
    if not isinstance(node, Softmax):
        return
    length = graph.tensors[node.x].shape[-1]
    if length > _LONGEST_SOFTMAX:
        _fail(
            node,
            f"softmax over {length} values; at most {_LONGEST_SOFTMAX} have a defined result",
            hint="end the model before its softmax: the argmax is the same",
        )
    (name,) = constants_of(node)
    _want(node, "table shape", graph.tensors[name].shape, (256,))
    table = graph.constants[name]
    absent = table == -1
    if int(table[0]) != 2**31 - 1 or (table < -1).any() or (np.diff(absent.astype(int)) < 0).any():
        _fail(node, "the table is no softmax table: 2**31 - 1 first, -1 only at its end")


def _check_zero_points(node: Node, dtype: DType) -> None:
    if isinstance(node, LowBitNode):
        return  # check_low_bit
    match node:
        case Add() | Mul():
            points = {"a": node.a_zero_point, "b": node.b_zero_point}
        case Conv2D() | DepthwiseConv2D() | Dense() | AveragePool() | Requantize():
            points = {"input": node.input_zero_point}
        case Pad():
            points = {"padding": node.value}
        case MaxPool() | Reshape() | Clamp() | Softmax() | Rows() | Stack():
            points = {}
        case Lut8() | Concat() | Transpose() | Slice() | ResizeNearest() | ResizeBilinear():
            points = {}
        case _:
            assert_never(node)
    low, high = _zero_points(dtype)
    for what, value in points.items():
        if not low <= value <= high:
            name = "value" if what == "padding" else "zero point"
            _fail(node, f"{what} {name} is {value}; {low} to {high} is wanted")


def _zero_points(dtype: DType) -> tuple[int, int]:
    """Return the lowest and highest zero point: 16-bit activations are symmetric."""
    return (0, 0) if dtype in (DType.INT16, DType.INT32) else (dtype.low, dtype.high)


def _check_clamp(node: Node, dtype: DType) -> None:
    if isinstance(node, AveragePool | MaxPool | Clamp):
        _check_limits(node, node.low, node.high, dtype)
    binary = dtype is DType.BINARY
    if binary and isinstance(node, MaxPool) and (node.low, node.high) != (-1, 1):
        _fail(node, f"clamp is {node.low} to {node.high}; -1 to 1 is wanted for bits")
    if binary and isinstance(node, Pad) and node.value == 0:
        _fail(node, "padding value is 0; -1 or 1 is wanted for bits")


def _check_limits(node: Node, low: int, high: int, dtype: DType) -> None:
    if not dtype.low <= low <= high <= dtype.high:
        wanted = f"{dtype.low} to {dtype.high}"
        _fail(node, f"clamp is {low} to {high}; an interval within {wanted} is wanted")


def _check_requant(node: Node, requant: Requant, dtype: DType, channels: int) -> None:
    scales, shifts = len(requant.multiplier), len(requant.shift)
    allowed = (1,) if isinstance(node, Add | Mul) else (1, channels)
    if scales != shifts or scales not in allowed:
        _fail(node, f"{scales} multipliers and {shifts} shifts; 1 or {channels} of each is wanted")
    _check_limits(node, requant.low, requant.high, dtype)
    lowest, highest = _zero_points(dtype)
    if not lowest <= requant.zero_point <= highest:
        what = f"{lowest} to {highest}"
        _fail(node, f"output zero point is {requant.zero_point}; {what} is wanted")
    if dtype is DType.INT16 and requant.rounding is Rounding.FLOAT32_RNE:
        _fail(node, "float32 rounding of 16-bit activations has no meaning here")
    if isinstance(node, Add) and requant.rounding is Rounding.FLOAT32_RNE:
        return
    for multiplier, shift in zip(requant.multiplier, requant.shift, strict=True):
        _check_scale(node, multiplier, shift, requant.rounding)


def _check_scale(node: Node, multiplier: int, shift: int, rounding: Rounding) -> None:
    if (multiplier, shift) == (0, 0):
        return
    if rounding is Rounding.FLOAT32_RNE:
        exact = multiplier > 0 and float32_exact(multiplier, shift)
        if not exact or not 2.0**-60 <= float(float32_value(multiplier, shift)) < 2.0**20:
            _fail(
                node,
                f"scale {multiplier} * 2**{shift}; a float32 number from 2**-60 to 2**20 is wanted",
            )
        return
    # A mean's multiplier is divided by its number of values (SPEC 4.4).
    bits = 29 if isinstance(node, AveragePool) else 30
    if not (2**bits <= multiplier < 2**31 and -31 <= shift <= 30):
        _fail(
            node,
            f"multiplier {multiplier} and shift {shift}; "
            f"2**{bits} to 2**31 and -31 to 30 are wanted",
        )


def _check_partial_sums(graph: Graph, node: Weighted) -> None:
    bound = partial_sum_bound(graph, node)
    if bound.max() >= 2**31:
        channel = int(bound.argmax())
        _fail(
            node,
            f"partial sums of channel {channel} reach {int(bound[channel])}; "
            f"less than {2**31} is wanted",
            hint=_SMALLER,
        )


def _check_two_scales(node: Requantize, dtype: DType, ranges: Ranges) -> None:
    if dtype is DType.INT16:
        _want(node, "number of scales", len(node.requant.multiplier), 1)
    if node.negative is None:
        return
    _want(node, "type of an input with two scales", dtype.name, DType.INT16.name)
    _check_scale(node, *node.negative, node.requant.rounding)
    below = replace(node.requant, multiplier=node.negative[:1], shift=node.negative[1:])
    _check_accumulators(node, below, *(np.array([v]) for v in ranges[node.x]))


def _check_add(node: Add, requant: Requant, ranges: Ranges) -> None:
    if requant.rounding is Rounding.FLOAT32_RNE:
        scales = (node.a_scale, node.b_scale)
        addend = (requant.multiplier[0], requant.shift[0])
        for multiplier, shift in scales:
            if multiplier <= 0:
                _fail(node, f"input scale {multiplier} * 2**{shift}; a positive number is wanted")
            _check_scale(node, multiplier, shift, requant.rounding)
        size = abs(float(float32_value(*addend))) if float32_exact(*addend) else math.inf
        if size and not 2.0**-60 <= size < 2.0**31:
            _fail(
                node,
                f"addend {addend[0]} * 2**{addend[1]}; 0 or a float32 number of 2**-60 to 2**31 "
                "is wanted",
            )
        _want(node, "left shift", node.left_shift, 0)
        _want(node, "subtraction", node.subtract, False)
        return
    if not 0 <= node.left_shift <= 30:
        _fail(node, f"left shift is {node.left_shift}; 0 to 30 is wanted")
    operands = (
        (node.a, node.a_zero_point, node.a_scale),
        (node.b, node.b_zero_point, node.b_scale),
    )
    for name, zero_point, (multiplier, shift) in operands:
        _check_scale(node, multiplier, shift, requant.rounding)
        if shift > 0:
            _fail(node, f"scale of {name} has shift {shift}; at most 0 is wanted")
        reach = max(abs(value - zero_point) for value in ranges[name]) << node.left_shift
        if reach >= 2**31:
            _fail(node, f"{name} reaches {reach} after its left shift; less than {2**31} is wanted")


def _check_accumulators(node: Node, requant: Requant, low: Ints, high: Ints) -> None:
    reach = np.maximum(np.abs(low), np.abs(high))
    if requant.rounding in (Rounding.DOUBLE, Rounding.TIES_UP):
        reach = reach << np.maximum(np.asarray(requant.shift, np.int64), 0)
    if reach.max() >= 2**31:
        _fail(
            node,
            f"accumulators reach {int(reach.max())} before they are scaled; "
            f"less than {2**31} is wanted",
            hint=_SMALLER,
        )
