"""The nodes once more, one value at a time, written from docs/SPEC.md alone."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np

from edgekit.ir.graph import Graph
from edgekit.ir.nodes import (
    Add,
    AveragePool,
    Clamp,
    Concat,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Lut8,
    MaxPool,
    Mul,
    Node,
    Pad,
    Requantize,
    Reshape,
    ResizeBilinear,
    ResizeNearest,
    Slice,
    Softmax,
    Transpose,
    inputs_of,
)
from edgekit.ir.types import Requant, Rounding


def f32(value: Fraction) -> Fraction:
    """Round to 24 significant bits, ties to even."""
    if value == 0:
        return value
    bits = math.frexp(float(abs(value)))[1]
    while Fraction(2) ** (bits - 1) > abs(value):
        bits -= 1
    while Fraction(2) ** bits <= abs(value):
        bits += 1
    unit = Fraction(2) ** (bits - 24)
    return round(value / unit) * unit


def away(value: int, exponent: int) -> int:
    """Divide by 2**exponent, ties away from zero."""
    quotient = (2 * abs(value) + 2**exponent) // 2 ** (exponent + 1)
    return quotient if value >= 0 else -quotient


def high(a: int, b: int) -> int:
    return (a * b + 2**30) >> 31


def scale(acc: int, m: int, e: int, rounding: Rounding) -> int:
    if rounding is Rounding.FLOAT32_RNE:
        return round(f32(f32(Fraction(acc)) * m * Fraction(2) ** e))
    if rounding is Rounding.SINGLE:
        return (acc * m + 2 ** (30 - e)) >> (31 - e)
    v, n = high(acc * 2 ** max(e, 0), m), max(-e, 0)
    if rounding is Rounding.DOUBLE:
        return away(v, n)
    return (v + 2 ** (n - 1)) >> n if n else v


def clip(value: int, low: int, high_: int) -> int:
    return min(max(value, low), high_)


def requant(acc: int, r: Requant, channel: int = 0) -> int:
    k = channel if len(r.multiplier) > 1 else 0
    return clip(scale(acc, r.multiplier[k], r.shift[k], r.rounding) + r.zero_point, r.low, r.high)


def cells(node, source, kernel, dilation, i, j):
    """Yield (row in kernel, column in kernel, row, column) of cells inside the input."""
    for u, v in itertools.product(range(kernel[0]), range(kernel[1])):
        row = i * node.stride[0] - node.padding.top + u * dilation[0]
        column = j * node.stride[1] - node.padding.left + v * dilation[1]
        if 0 <= row < source[0] and 0 <= column < source[1]:
            yield u, v, row, column


def run_node(graph: Graph, node: Node, values: dict[str, np.ndarray]) -> np.ndarray:  # noqa: C901, PLR0915
    """Return the output of one sample (no batch axis)."""
    shape = graph.tensors[node.y].shape
    y = np.zeros(shape, np.int64)
    x = values[inputs_of(node)[0]]
    if isinstance(node, Mul | Lut8 | Concat | Transpose | Slice | ResizeNearest | ResizeBilinear):
        for at in np.ndindex(*shape):
            y[at] = single(graph, node, values, at)
        return y
    if isinstance(node, Conv2D | DepthwiseConv2D):
        w, bias = graph.constants[node.weight], graph.constants[node.bias]
        deep = isinstance(node, DepthwiseConv2D)
        kernel = w.shape[:2] if deep else w.shape[1:3]
        for i, j, o in np.ndindex(*shape):
            acc = int(bias[o])
            for u, v, row, column in cells(node, x.shape, kernel, node.dilation, i, j):
                if deep:
                    c = o // (shape[2] // x.shape[2])
                    acc += (int(x[row, column, c]) - node.input_zero_point) * int(w[u, v, o])
                    continue
                for c in range(x.shape[2]):
                    acc += (int(x[row, column, c]) - node.input_zero_point) * int(w[o, u, v, c])
            y[i, j, o] = requant(acc, node.requant, o)
    elif isinstance(node, Dense):
        w, bias = graph.constants[node.weight], graph.constants[node.bias]
        flat = x.ravel().tolist()
        for o in range(shape[0]):
            acc = int(bias[o])
            for q, value in zip(flat, w[o].tolist(), strict=True):
                acc += (q - node.input_zero_point) * value
            y[o] = requant(acc, node.requant, o)
    elif isinstance(node, Add):
        b = values[node.b]
        for at in np.ndindex(*shape):
            y[at] = add(node, int(x[at]) - node.a_zero_point, int(b[at]) - node.b_zero_point)
    elif isinstance(node, AveragePool | MaxPool):
        for i, j, c in np.ndindex(*shape):
            found = [
                int(x[row, column, c])
                for _, _, row, column in cells(node, x.shape, node.kernel, (1, 1), i, j)
            ]
            y[i, j, c] = pool(node, found)
    elif isinstance(node, Pad):
        y[...] = node.value
        inner = tuple(slice(n, n + e) for n, e in zip(node.before, x.shape, strict=True))
        y[inner] = x
    elif isinstance(node, Reshape):
        y = x.reshape(shape)
    elif isinstance(node, Clamp):
        y = np.minimum(np.maximum(x, node.low), node.high)
    elif isinstance(node, Requantize):
        for at in np.ndindex(*shape):
            y[at] = requant(int(x[at]) - node.input_zero_point, node.requant, at[-1])
    elif isinstance(node, Softmax):
        table = graph.constants[node.table].tolist()
        for at in np.ndindex(*shape[:-1]):
            y[at] = softmax(x[at].tolist(), table)
    return y


def single(graph: Graph, node: Node, values: dict[str, np.ndarray], at: tuple[int, ...]) -> int:
    """Return one element of a product, a table or a node that moves values."""
    if isinstance(node, Mul):
        flat = int(np.ravel_multi_index(at, graph.tensors[node.y].shape))
        b = values[node.b].ravel().tolist()
        acc = int(values[node.a][at]) - node.a_zero_point
        acc *= b[flat % len(b)] - node.b_zero_point
        if not node.addend:
            return requant(acc, node.requant)
        (m,), (e,) = node.requant.multiplier, node.requant.shift
        real = f32(f32(Fraction(acc) * m * Fraction(2) ** e) + node.addend)
        return clip(round(real) + node.requant.zero_point, node.requant.low, node.requant.high)
    if isinstance(node, Concat):
        place = list(at)
        for name in node.xs:
            extent = graph.tensors[name].shape[node.axis]
            if place[node.axis] < extent:
                return int(values[name][tuple(place)])
            place[node.axis] -= extent
    x = values[node.x]
    if isinstance(node, Lut8):
        table = graph.constants[node.table]
        row = table[at[-1]] if table.ndim == 2 else table
        return int(row[int(x[at]) + 128])
    if isinstance(node, Transpose):
        return int(x[tuple(at[node.order.index(axis)] for axis in range(len(at)))])
    if isinstance(node, Slice):
        steps = zip(node.start, node.step, at, strict=True)
        return int(x[tuple(start + step * i for start, step, i in steps)])
    if isinstance(node, ResizeBilinear):
        return between(node, x, at)
    assert isinstance(node, ResizeNearest)
    return int(x[node.rows[at[0]], node.columns[at[1]], at[2]])


def between(node: ResizeBilinear, x: np.ndarray, at: tuple[int, ...]) -> int:
    (top, bottom, down), (left, right, across) = node.rows[at[0]], node.columns[at[1]]
    total = Fraction(0)
    for row, share in ((top, 1024 - down), (bottom, down)):
        for column, part in ((left, 1024 - across), (right, across)):
            total += Fraction(int(x[row, column, at[2]]) * share * part, 2**20)
    return int(total + Fraction(1, 2)) if total > 0 else -int(Fraction(1, 2) - total)


def add(node: Add, a: int, b: int) -> int:
    r = node.requant
    if r.rounding is Rounding.FLOAT32_RNE:
        scale_a, scale_b = (Fraction(m) * Fraction(2) ** e for m, e in (node.a_scale, node.b_scale))
        fixed = Fraction(r.multiplier[0]) * Fraction(2) ** r.shift[0]
        t = f32(a * scale_a + f32(b * scale_b + fixed))
        return clip(round(t) + r.zero_point, r.low, r.high)
    total = scale(a * 2**node.left_shift, *node.a_scale, r.rounding)
    other = scale(b * 2**node.left_shift, *node.b_scale, r.rounding)
    return requant(total - other if node.subtract else total + other, r)


def pool(node: AveragePool | MaxPool, found: list[int]) -> int:
    if isinstance(node, MaxPool):
        return clip(max(found), node.low, node.high)
    if node.requant is not None:
        return requant(sum(q - node.input_zero_point for q in found), node.requant)
    total, n = sum(found), len(found)
    mean = (total + n // 2) // n if total > 0 else -((n // 2 - total) // n)
    return clip(mean, node.low, node.high)


def softmax(row: list[int], table: list[int]) -> list[int]:
    exponentials = [table[max(row) - q] for q in row]
    total = sum(away(t, 12) for t in exponentials if t >= 0)
    zeros = 32 - total.bit_length()
    fraction = (total << zeros) - 2**31
    inverse = reciprocal(fraction)
    return [
        -128 if t < 0 else clip(away(high(inverse, t), 35 - zeros) - 128, -128, 127)
        for t in exponentials
    ]


def reciprocal(fraction: int) -> int:
    half = (fraction + 2**31 - 1 + 1) // 2
    y = 1515870810 + high(half, -1010580540)
    for _ in range(3):
        y += 4 * high(y, 2**29 - high(half, y))
    return min(2 * y, 2**31 - 1)
