"""Functions of single values: a table of 256 entries each."""

from __future__ import annotations

from functools import partial

import numpy as np

from edgekit.frontend.onnx import float32
from edgekit.frontend.onnx.builder import Builder
from edgekit.frontend.onnx.float32 import Function
from edgekit.frontend.onnx.model import Operator
from edgekit.frontend.onnx.quantize import as_real, look_up
from edgekit.frontend.onnx.scales import quantization
from edgekit.frontend.onnx.values import Pending


def sigmoid(builder: Builder, operator: Operator) -> None:
    """Sigmoid between DequantizeLinear and QuantizeLinear."""
    _between(builder, operator, float32.sigmoid)


def tanh(builder: Builder, operator: Operator) -> None:
    """Tanh between DequantizeLinear and QuantizeLinear."""
    _between(builder, operator, float32.tanh)


def leaky_relu(builder: Builder, operator: Operator) -> None:
    """LeakyRelu between DequantizeLinear and QuantizeLinear."""
    _between(builder, operator, float32.leaky_relu(operator.real("alpha", 0.01)))


def hard_sigmoid(builder: Builder, operator: Operator) -> None:
    """HardSigmoid between DequantizeLinear and QuantizeLinear."""
    alpha, beta = operator.real("alpha", 0.2), operator.real("beta", 0.5)
    _between(builder, operator, float32.hard_sigmoid(alpha, beta))


def hard_swish(builder: Builder, operator: Operator) -> None:
    """HardSwish between DequantizeLinear and QuantizeLinear."""
    _between(builder, operator, float32.hard_swish)


def negative(builder: Builder, operator: Operator) -> None:
    """Neg between DequantizeLinear and QuantizeLinear."""
    _between(builder, operator, np.negative)


def absolute(builder: Builder, operator: Operator) -> None:
    """Abs between DequantizeLinear and QuantizeLinear."""
    _between(builder, operator, np.abs)


def qlinear_sigmoid(builder: Builder, operator: Operator) -> None:
    """QLinearSigmoid of com.microsoft."""
    _fused(builder, operator, float32.sigmoid)


def qlinear_leaky_relu(builder: Builder, operator: Operator) -> None:
    """QLinearLeakyRelu of com.microsoft."""
    _fused(builder, operator, float32.leaky_relu(operator.real("alpha", 0.01)))


def _between(builder: Builder, operator: Operator, function: Function) -> None:
    real = builder.real(operator, 0)
    finish = partial(look_up, builder, operator, real, function)
    builder.define(operator, Pending(operator, real.quant.dtype, real.quant.order, finish))


def _fused(builder: Builder, operator: Operator, function: Function) -> None:
    real = as_real(builder, operator, builder.quant(operator, 0), 1, 2)
    y = quantization(builder, operator, 3, 4)
    if y.dtype != real.quant.dtype:
        raise operator.refuse(f"its input is {real.quant.dtype} and its output {y.dtype}")
    builder.define(operator, look_up(builder, operator, real, function, y, -128, 127))
