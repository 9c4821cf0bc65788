"""Sums of two activations."""

from __future__ import annotations

from functools import partial

import numpy as np

from edgekit.frontend.onnx.builder import Builder
from edgekit.frontend.onnx.model import Operator
from edgekit.frontend.onnx.quantize import as_real
from edgekit.frontend.onnx.scales import quantization
from edgekit.frontend.onnx.values import Pending, Quant, Quantization, Real, shape_text
from edgekit.ir.arithmetic import float32_scale, fused_multiply_add
from edgekit.ir.nodes import Add
from edgekit.ir.types import Requant, Rounding


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


def _fixed(
    a: Quantization, b: Quantization, y: Quantization, ratio_a: np.float32, ratio_b: np.float32
) -> np.float32:
    """Return onnxruntime's constant part of the sum; its compiler fuses the first product."""
    inner = np.float32(ratio_b * np.float32(b.zero_point))
    zero = np.asarray([a.zero_point], dtype=np.int64)
    fused = fused_multiply_add(zero, ratio_a, np.asarray([inner]))
    return np.float32(np.float32(y.zero_point) - fused[0])
