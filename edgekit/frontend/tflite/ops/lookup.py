"""Functions of one value, as tables: LOGISTIC, TANH, LEAKY_RELU, HARD_SWISH, PRELU, ABS.

Each table is computed by the reference kernel's own formula, in its own arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgekit.frontend.tflite.arithmetic import requant_of
from edgekit.frontend.tflite.context import ActivationTensor, Context
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.ops.constant import channel_constant
from edgekit.frontend.tflite.schema import Options
from edgekit.ir.arithmetic import divide_by_power, quantize_multiplier, rescale
from edgekit.ir.nodes import Lut8, Node, Requantize
from edgekit.ir.types import DType, Rounding

Ints = NDArray[np.int64]
Function = Callable[[float], float]

_VALUES = np.arange(-128, 128)


def lookup(
    context: Context, op: Operator, x: ActivationTensor, y: ActivationTensor, table: Ints
) -> tuple[Node, ...]:
    """Return the table's node.

    `table` holds the outputs of -128 to 127, (256,) or (C, 256), and is clamped here.
    """
    table = table[0] if table.ndim == 2 and len(table) == 1 else table
    name = context.add_constant(f"n{op.index}_table", np.clip(table, -128, 127), DType.INT8)
    return (Lut8(label=op.label, x=x.name, y=y.name, table=name),)


def logistic(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate LOGISTIC; the reference takes an output scale of 1/256 only."""

    def sigmoid(value: float) -> float:
        power = np.float32(math.exp(-value)) if value > -100 else np.float32(np.inf)
        return float(np.float32(1) / (np.float32(1) + power))

    x, y = _ends(context, op)
    if float(y.scale) != 1 / 256:
        context.refuse(op, f"output scale {y.scale} found, 1/256 wanted", "quantize again")
    return lookup(context, op, x, y, _float_table(context, op, x, y, sigmoid))


def tanh(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate TANH."""
    x, y = _ends(context, op)
    return lookup(context, op, x, y, _float_table(context, op, x, y, math.tanh))


def leaky_relu(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate LEAKY_RELU; both slopes are scales of their own."""
    alpha = np.float32(context.options(op, Options.LEAKY_RELU).float32(0))
    x, y = _ends(context, op)
    if not alpha >= 0:
        context.refuse(op, f"slope {alpha} found", "use a slope of at least 0")
    with np.errstate(all="ignore"):
        below = float(np.float32(np.float32(x.scale * alpha) / y.scale))
        above = float(np.float32(x.scale / y.scale))
    if x.dtype is DType.INT16:
        return _leaky_wide(op, x, y, above, below)
    centred = _VALUES - x.zero_point
    table = np.where(
        centred >= 0,
        _scaled(context, op, np.maximum(centred, 0), above),
        _scaled(context, op, np.minimum(centred, 0), below),
    )
    return lookup(context, op, x, y, table + y.zero_point)


def _leaky_wide(
    op: Operator, x: ActivationTensor, y: ActivationTensor, above: float, below: float
) -> tuple[Node, ...]:
    node = Requantize(
        label=op.label,
        x=x.name,
        y=y.name,
        input_zero_point=0,
        requant=requant_of(np.asarray([above]), 0, y.dtype.low, y.dtype.high),
        negative=quantize_multiplier(below),
    )
    return (node,)


def prelu(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate PRELU with one slope for all values, or one for each channel."""
    context.operands(op, 2, 2)
    x = context.activation(op, 0)
    slope = channel_constant(context, op, 1, x.shape)
    context.check_shape(op, x.shape)
    y = context.result(op)
    above = float(x.scale) / float(y.scale)
    below = float(x.scale) * float(slope.scale) / float(y.scale)
    centred = _VALUES - x.zero_point
    factor = slope.values[:, np.newaxis] - slope.zero_point
    table = np.where(
        centred >= 0,
        _scaled(context, op, np.maximum(centred, 0), above),
        _scaled(context, op, np.minimum(centred, 0) * factor, below),
    )
    return lookup(context, op, x, y, table + y.zero_point)


def hard_swish(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate HARD_SWISH, which the reference computes in 16-bit fixed point."""
    x, y = _ends(context, op)
    with np.errstate(all="ignore"):
        fine = np.float32(np.float32(1 / 128) * x.scale)
        out = float(np.float32(fine / y.scale))
        unit = float(np.float32(fine / np.float32(np.float32(3) / np.float32(32768))))
    out_multiplier, out_shift = _narrow(*quantize_multiplier(out))
    multiplier, shift = _narrow(*quantize_multiplier(unit))
    # Beyond these the reference leaves its 16 bits.
    if not -15 <= out_shift <= 0 or shift < -15:
        context.refuse(
            op, f"output scale {y.scale} does not suit input scale {x.scale}", "quantize again"
        )
    value = (_VALUES - x.zero_point) << 7
    # The share of the input that passes: 0 from -3 down, 1 from 3 up, in Q0.15.
    share = _saturated(value << max(shift - 1, 0))
    share = _high_product16(share, multiplier)
    share = _saturated(share << 1) if shift > 0 else divide_by_power(share, max(-shift, 0))
    share = (share + (1 << 15)) >> 1
    product = share * _high_product16(value, out_multiplier)
    table = np.sign(product) * (np.abs(product) >> 15)
    return lookup(context, op, x, y, divide_by_power(table, -out_shift) + y.zero_point)


def absolute(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate ABS."""
    x, y = _ends(context, op)
    centred = np.abs(_VALUES - x.zero_point)
    if x.scale != y.scale:
        with np.errstate(all="ignore"):
            centred = _scaled(context, op, centred, float(np.float32(x.scale / y.scale)))
    return lookup(context, op, x, y, centred + y.zero_point)


def _ends(context: Context, op: Operator) -> tuple[ActivationTensor, ActivationTensor]:
    context.operands(op, 1, 1)
    x = context.activation(op, 0)
    context.check_shape(op, x.shape)
    return x, context.result(op)


def _float_table(
    context: Context, op: Operator, x: ActivationTensor, y: ActivationTensor, function: Function
) -> Ints:
    """Return the table of a float32 function: each step is rounded to float32."""
    with np.errstate(over="ignore"):
        inverse = np.float32(1) / y.scale
        real = (x.scale * (_VALUES - x.zero_point).astype(np.float32)).astype(np.float32)
        steps = np.array([np.float32(function(float(v))) for v in real], np.float32) * inverse
    if not (np.abs(steps) < 2.0**30).all():
        context.refuse(op, f"output scale {y.scale} is too fine for it", "quantize again")
    rounded = np.trunc(steps) + np.where(
        np.abs(steps - np.trunc(steps)) >= 0.5, np.copysign(np.float32(1), steps), np.float32(0)
    )
    moved = np.clip(rounded.astype(np.float64) + y.zero_point, -128, 127)
    return np.asarray(moved).astype(np.int64)


def _scaled(context: Context, op: Operator, values: Ints, real: float) -> Ints:
    multiplier, shift = quantize_multiplier(real)
    check_reach(context, op, values, shift)
    scale = np.asarray([multiplier], np.int64), np.asarray([shift], np.int64)
    return rescale(values, *scale, Rounding.DOUBLE)


def check_reach(context: Context, op: Operator, values: Ints, shift: int) -> None:
    """Refuse values that leave 32 bits before they are scaled: the reference wraps there."""
    reach = int(np.abs(values).max()) << max(shift, 0)
    if reach >= 1 << 31:
        context.refuse(
            op, f"values reach {reach} before they are scaled", "quantize the model again"
        )


def _narrow(multiplier: int, shift: int) -> tuple[int, int]:
    """Return a multiplier in 16 bits, nearest, at most 32767."""
    return min((multiplier + (1 << 15)) >> 16, 32767), shift


def _saturated(values: Ints) -> Ints:
    return np.clip(values, -32768, 32767)


def _high_product16(a: Ints, b: int) -> Ints:
    """Return a * b / 2**15, nearest, halves up."""
    return np.asarray((a * b + (1 << 14)) >> 15)
