"""Sums of two activations."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from edgekit.frontend.onnx import layout
from edgekit.frontend.onnx.builder import Builder
from edgekit.frontend.onnx.exact import exact_sub
from edgekit.frontend.onnx.model import Operator
from edgekit.frontend.onnx.quantize import as_real
from edgekit.frontend.onnx.scales import product_scales, quantization, requant
from edgekit.frontend.onnx.values import Pending, Quant, Quantization, Real, shape_text
from edgekit.ir.arithmetic import float32_scale, fused_multiply_add
from edgekit.ir.nodes import Add, Mul
from edgekit.ir.types import Requant, Rounding

_NO_FORM = "onnxruntime rounds it in float32, and no integer form gives the same for all inputs"
_SCALES = "calibrate again; scales that are powers of two make ties, other scales seldom do"


def add(builder: Builder, operator: Operator) -> None:
    """Add between DequantizeLinear and QuantizeLinear."""
    a, b = builder.real(operator, 0), builder.real(operator, 1)
    _check(operator, a, b)
    finish = partial(_add_node, builder, operator, a, b)
    builder.define(operator, Pending(operator, a.quant.dtype, a.quant.order, finish))


def qlinear_add(builder: Builder, operator: Operator) -> None:
    """QLinearAdd of com.microsoft."""
    a = as_real(builder, operator, builder.quant(operator, 0), 1, 2)
    b = as_real(builder, operator, builder.quant(operator, 3), 4, 5)
    _check(operator, a, b)
    y = quantization(builder, operator, 6, 7)
    builder.define(operator, _add_node(builder, operator, a, b, y, -128, 127))


def sub(builder: Builder, operator: Operator) -> None:
    """Sub between DequantizeLinear and QuantizeLinear, which onnxruntime computes in float32."""
    a, b = builder.real(operator, 0), builder.real(operator, 1)
    _check(operator, a, b)
    finish = partial(_sub_node, builder, operator, a, b)
    builder.define(operator, Pending(operator, a.quant.dtype, a.quant.order, finish))


def mul(builder: Builder, operator: Operator) -> None:
    """Mul between DequantizeLinear and QuantizeLinear."""
    a, b = _factors(builder.real(operator, 0), builder.real(operator, 1))
    _check_factors(operator, a, b)
    finish = partial(_mul_node, builder, operator, a, b)
    builder.define(operator, Pending(operator, a.quant.dtype, a.quant.order, finish))


def qlinear_mul(builder: Builder, operator: Operator) -> None:
    """QLinearMul of com.microsoft."""
    first = as_real(builder, operator, builder.quant(operator, 0), 1, 2)
    second = as_real(builder, operator, builder.quant(operator, 3), 4, 5)
    a, b = _factors(first, second)
    _check_factors(operator, a, b)
    y = quantization(builder, operator, 6, 7)
    builder.define(operator, _mul_node(builder, operator, a, b, y, -128, 127))


def _check(operator: Operator, a: Real, b: Real) -> None:
    if a.quant.order.shape != b.quant.order.shape:
        raise operator.refuse(
            f"it adds {shape_text(a.quant.order)} and {shape_text(b.quant.order)}; "
            "equal shapes are wanted"
        )
    if a.quant.dtype != b.quant.dtype:
        raise operator.refuse("it adds int8 and uint8, which onnxruntime computes in float")
    if a.quant.order.size == 1:
        raise operator.refuse("it adds single elements, for which onnxruntime rounds otherwise")


def _add_node(
    builder: Builder,
    operator: Operator,
    a: Real,
    b: Real,
    y: Quantization,
    low: int,
    high: int,
) -> Quant:
    if y.dtype != a.quant.dtype:
        raise operator.refuse(f"it adds {a.quant.dtype} to {y.dtype}")
    order = builder.order(a.quant)
    shape = builder.tensors[a.quant.tensor].shape
    second = builder.arranged(operator, b.quant, order, shape)
    with np.errstate(over="ignore", under="ignore"):
        ratio_a = np.float32(a.quantization.scale / y.scale)
        ratio_b = np.float32(b.quantization.scale / y.scale)
        fixed = _fixed(a.quantization, b.quantization, y, ratio_a, ratio_b)
    if not all(2.0**-60 <= ratio < 2.0**20 for ratio in (ratio_a, ratio_b)):
        raise operator.refuse("its scales are too far apart for float32 ratios")
    mantissa, exponent = float32_scale(fixed)
    name = builder.activation(operator, shape)
    builder.nodes.append(
        Add(
            label=operator.label,
            a=a.quant.tensor,
            b=second,
            y=name,
            a_zero_point=-y.offset,
            b_zero_point=-y.offset,
            left_shift=0,
            a_scale=float32_scale(ratio_a),
            b_scale=float32_scale(ratio_b),
            requant=Requant((mantissa,), (exponent,), -y.offset, low, high, Rounding.FLOAT32_RNE),
        )
    )
    return Quant(name, operator.outputs[0], order, y.dtype, y)


def _sub_node(
    builder: Builder,
    operator: Operator,
    a: Real,
    b: Real,
    y: Quantization,
    low: int,
    high: int,
) -> Quant:
    order = builder.order(a.quant)
    shape = builder.tensors[a.quant.tensor].shape
    second = builder.arranged(operator, b.quant, order, shape)
    name = builder.activation(operator, shape)
    node = exact_sub(operator.label, a.quantization, b.quantization, y, (low, high))
    if node is None:
        raise operator.refuse(_NO_FORM, hint=_SCALES)
    builder.nodes.append(replace(node, a=a.quant.tensor, b=second, y=name))
    return Quant(name, operator.outputs[0], order, y.dtype, y)


def _factors(a: Real, b: Real) -> tuple[Real, Real]:
    """Return the factors, a gate of shape (1, C, 1, 1) last: their order changes nothing."""
    return (b, a) if a.quant.order.size < b.quant.order.size else (a, b)


def _check_factors(operator: Operator, a: Real, b: Real) -> None:
    shape, other = a.quant.order.shape, b.quant.order.shape
    gate = (*shape[:2], *(1 for _ in shape[2:]))
    if other not in (shape, gate) or a.quant.dtype != b.quant.dtype or b.quant.order.size == 1:
        raise operator.refuse(
            f"it multiplies {shape_text(a.quant.order)} of {a.quant.dtype} and "
            f"{shape_text(b.quant.order)} of {b.quant.dtype}; equal shapes, or one factor a "
            "channel, of one type are wanted"
        )


def _mul_node(
    builder: Builder,
    operator: Operator,
    a: Real,
    b: Real,
    y: Quantization,
    low: int,
    high: int,
) -> Quant:
    if y.dtype != a.quant.dtype:
        raise operator.refuse(f"it multiplies {a.quant.dtype} to {y.dtype}")
    scale = product_scales(
        operator, a.quantization.scale, np.asarray([b.quantization.scale]), y.scale
    )
    # The runtime adds the zero point in float32; here it is left to undo the source's offset.
    rule = replace(requant(scale, y, low, high), zero_point=-y.offset)
    if a.quant.order.shape == b.quant.order.shape:
        order = builder.order(a.quant)
        first, shape = a.quant.tensor, builder.tensors[a.quant.tensor].shape
        second = builder.arranged(operator, b.quant, order, shape)
    else:
        # One factor a channel: channels are the last stored axis.
        first = builder.image(operator, a.quant)
        order, shape = layout.channels_last(a.quant.order.shape), builder.tensors[first].shape
        second = builder.arranged(operator, b.quant, layout.rows(b.quant.order.shape), (shape[-1],))
    name = builder.activation(operator, shape)
    builder.nodes.append(
        Mul(
            label=operator.label,
            a=first,
            b=second,
            y=name,
            a_zero_point=a.quantization.graph_zero,
            b_zero_point=b.quantization.graph_zero,
            requant=rule,
            addend=y.zero_point,
        )
    )
    return Quant(name, operator.outputs[0], order, y.dtype, y)


def _fixed(
    a: Quantization, b: Quantization, y: Quantization, ratio_a: np.float32, ratio_b: np.float32
) -> np.float32:
    """Return onnxruntime's constant part of the sum; its compiler fuses the first product."""
    inner = np.float32(ratio_b * np.float32(b.zero_point))
    zero = np.asarray([a.zero_point], dtype=np.int64)
    fused = fused_multiply_add(zero, ratio_a, np.asarray([inner]))
    return np.float32(np.float32(y.zero_point) - fused[0])
