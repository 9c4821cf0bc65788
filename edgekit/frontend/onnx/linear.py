"""Convolutions and matrix products, as QDQ patterns and as QLinear operators."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edgekit.frontend.onnx import layout
from edgekit.frontend.onnx.builder import Builder
from edgekit.frontend.onnx.model import Operator
from edgekit.frontend.onnx.quantize import as_real
from edgekit.frontend.onnx.scales import (
    bias_values,
    centred,
    product_scales,
    quantization,
    requant,
    weight,
)
from edgekit.frontend.onnx.values import Order, Pending, Quant, Quantization, Real, Weight
from edgekit.frontend.onnx.windows import Window, window
from edgekit.ir.nodes import Concat, Conv2D, Dense, DepthwiseConv2D
from edgekit.ir.types import DType

Ints = NDArray[np.int64]

_WIDEST = 254  # the largest sum of two int8


def conv(builder: Builder, operator: Operator) -> None:
    """Conv between DequantizeLinear and QuantizeLinear."""
    x, w = builder.real(operator, 0), builder.weight(operator, 1)
    bias = _bias(builder, operator, x, w)
    if bias is not None:
        _check_bias_scale(operator, x, w, bias)
    size, finish = _conv(builder, operator, x, w, bias)
    builder.define(operator, Pending(operator, x.quant.dtype, layout.channels_last(size), finish))


def qlinear_conv(builder: Builder, operator: Operator) -> None:
    """QLinearConv."""
    if operator.integer("channels_last", 0):
        raise operator.refuse("channels_last is not supported")
    x = as_real(builder, operator, builder.quant(operator, 0), 1, 2)
    w = weight(builder, operator, builder.constant(operator, 3), 4, 5, 0)
    _, finish = _conv(builder, operator, x, w, _plain_bias(builder, operator, 8))
    builder.define(operator, finish(quantization(builder, operator, 6, 7), -128, 127))


def gemm(builder: Builder, operator: Operator) -> None:
    """Gemm between DequantizeLinear and QuantizeLinear."""
    x, w = builder.real(operator, 0), builder.weight(operator, 1)
    bias = _bias(builder, operator, x, w)
    if operator.real("beta", 1.0) != 1.0:
        raise operator.refuse("beta is not 1")
    _pending(builder, operator, x, w, bias, _transposed(operator))


def matmul(builder: Builder, operator: Operator) -> None:
    """MatMul between DequantizeLinear and QuantizeLinear."""
    x, w = builder.real(operator, 0), builder.weight(operator, 1)
    _pending(builder, operator, x, w, None, False)


def qgemm(builder: Builder, operator: Operator) -> None:
    """QGemm of com.microsoft."""
    x = as_real(builder, operator, builder.quant(operator, 0), 1, 2)
    turned = _transposed(operator)
    w = weight(builder, operator, builder.constant(operator, 3), 4, 5, 0 if turned else 1)
    if not operator.input(7):
        raise operator.refuse("it has a float output; an output scale is wanted")
    finish = partial(_dense, builder, operator, x, w, _plain_bias(builder, operator, 6), turned)
    builder.define(operator, finish(quantization(builder, operator, 7, 8), -128, 127))


def qlinear_matmul(builder: Builder, operator: Operator) -> None:
    """QLinearMatMul."""
    x = as_real(builder, operator, builder.quant(operator, 0), 1, 2)
    w = weight(builder, operator, builder.constant(operator, 3), 4, 5, 1)
    finish = partial(_dense, builder, operator, x, w, None, False)
    builder.define(operator, finish(quantization(builder, operator, 6, 7), -128, 127))


def _pending(
    builder: Builder, operator: Operator, x: Real, w: Weight, bias: Weight | None, turned: bool
) -> None:
    if w.values.ndim != 2:
        raise operator.refuse(f"its weights have {w.values.ndim} axes; 2 are wanted")
    finish = partial(_dense, builder, operator, x, w, bias, turned)
    order = layout.rows((1, w.values.shape[0 if turned else 1]))
    builder.define(operator, Pending(operator, x.quant.dtype, order, finish))


def _bias(builder: Builder, operator: Operator, x: Real, w: Weight) -> Weight | None:
    if not operator.input(2):
        return None
    values = builder.value(operator, 2)
    if not isinstance(values, np.ndarray):
        return builder.weight(operator, 2)
    # onnxruntime quantizes a float bias with input scale times weight scale.
    scale = np.asarray(x.quantization.scale * w.scale, dtype=np.float32)
    if values.dtype != np.float32 or values.ndim != 1 or scale.size not in (1, values.size):
        raise operator.refuse(f"a bias of {values.dtype} and shape {values.shape} is not supported")
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        integers = np.rint((values / scale).astype(np.float32))
    if not np.all(np.abs(integers) < 2.0**31):  # refuses NaN too
        raise operator.refuse("its bias divided by its scales does not fit int32")
    return Weight(integers.astype(np.int32), scale, np.zeros(1, np.int64), 0)


def _plain_bias(builder: Builder, operator: Operator, position: int) -> Weight | None:
    if not operator.input(position):
        return None
    values = builder.constant(operator, position)
    return Weight(values, np.ones(1, np.float32), np.zeros(1, np.int64), 0)


def _transposed(operator: Operator) -> bool:
    if operator.integer("transA", 0) or operator.real("alpha", 1.0) != 1.0:
        raise operator.refuse("transA or an alpha other than 1 is not supported")
    return bool(operator.integer("transB", 0))


def _check_types(operator: Operator, x: Real, w: Weight) -> None:
    if x.quant.dtype == "int8" and w.values.dtype != np.int8:
        raise operator.refuse(
            f"int8 input with {w.values.dtype} weights, which onnxruntime computes in float",
            hint="quantize the weights to int8",
        )


def _check_bias_scale(operator: Operator, x: Real, w: Weight, bias: Weight) -> None:
    # onnxruntime adds the bias integers as they are if their scale is this close, else it
    # computes the convolution in float; it does not look at the bias scale of a Gemm.
    product = (x.quantization.scale * w.scale).astype(np.float64)
    if product.size > 1 and bias.scale.size not in (1, product.size):
        raise operator.refuse(f"{bias.scale.size} bias scales for {product.size} channels")
    if np.any(np.abs(product - bias.scale) >= 1e-6):
        raise operator.refuse(
            "the scale of its bias is not input scale times weight scale, so onnxruntime computes "
            "it in float",
            hint="quantize the bias with the product of the two scales",
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Conv:
    """What `_conv_node` needs to know."""

    x: Real
    weights: Ints
    scale: NDArray[np.float32]
    bias: Ints
    window: Window
    depthwise: bool

    @property
    def size(self) -> tuple[int, ...]:
        """The shape that the source gives the output: (1, C, H, W) or (1, C, W)."""
        output = self.window.output if self.x.quant.order.ndim == 4 else self.window.output[1:]
        return (1, self.weights.shape[0], *output)


def _conv(
    builder: Builder, operator: Operator, x: Real, w: Weight, bias: Weight | None
) -> tuple[tuple[int, ...], partial[Quant]]:
    shape = x.quant.order.shape
    if len(shape) not in (3, 4) or w.values.ndim != len(shape):
        raise operator.refuse(
            f"input of {len(shape)} axes and weights of {w.values.ndim}; 4 and 4, or 3 and 3, "
            "are wanted"
        )
    _check_types(operator, x, w)
    weights = centred(operator, w, 0, wide=True)
    if len(shape) == 3:
        weights = weights[:, :, np.newaxis]
    outputs, per_group, height, width = weights.shape
    channels, groups = shape[1], operator.integer("group", 1)
    depthwise = groups > 1 and groups == channels and per_group == 1 and outputs % channels == 0
    if not depthwise and (groups != 1 or per_group != channels):
        raise operator.refuse(
            f"{channels} channels in {groups} groups with weights of {per_group} channels; "
            "one group, or a depthwise convolution, is wanted",
            hint="write a grouped convolution as one group with zeros, or as several",
        )
    if weights.max() > (_WIDEST if not depthwise else 127) or (depthwise and weights.min() < -128):
        raise operator.refuse(
            f"its weights less their zero point reach {weights.min()} to {weights.max()}; "
            "int8 is wanted",
            hint="quantize weights as int8 with zero point 0",
        )
    declared = operator.integers("kernel_shape")
    if declared is not None and declared != w.values.shape[2:]:
        raise operator.refuse(f"kernel_shape {declared[:4]} with weights of {(height, width)}")
    frame = window(operator, shape, (height, width))
    bias_array = bias_values(operator, bias, outputs)
    facts = _Conv(x, weights, w.scale, bias_array, frame, depthwise)
    return facts.size, partial(_conv_node, builder, operator, facts)


def _conv_node(
    builder: Builder, operator: Operator, facts: _Conv, y: Quantization, low: int, high: int
) -> Quant:
    x, weights = builder.image(operator, facts.x.quant), facts.weights
    if weights.min() < -128 or weights.max() > 127:
        x = _twice(builder, operator, x, 2)
        weights = np.concatenate([weights // 2, weights - weights // 2], axis=1)
    scale = product_scales(operator, facts.x.quantization.scale, facts.scale, y.scale)
    scale = np.broadcast_to(scale, (facts.weights.shape[0],))
    name = builder.activation(operator, (*facts.window.output, facts.weights.shape[0]))
    weights = weights[:, 0] if facts.depthwise else weights
    axes = (1, 2, 0) if facts.depthwise else (0, 2, 3, 1)
    kind = DepthwiseConv2D if facts.depthwise else Conv2D
    node = kind(
        label=operator.label,
        x=x,
        y=name,
        weight=builder.store(f"{name}_w", weights.transpose(axes), DType.INT8),
        bias=builder.store(f"{name}_b", facts.bias, DType.INT32),
        stride=facts.window.stride,
        dilation=facts.window.dilation,
        padding=facts.window.padding,
        input_zero_point=facts.x.quantization.graph_zero,
        requant=requant(scale, y, low, high),
    )
    builder.nodes.append(node)
    order = layout.channels_last(facts.size)
    return Quant(name, operator.outputs[0], order, y.dtype, y)


def _dense(
    builder: Builder,
    operator: Operator,
    x: Real,
    w: Weight,
    bias: Weight | None,
    turned: bool,
    y: Quantization,
    low: int,
    high: int,
) -> Quant:
    _check_types(operator, x, w)
    if w.values.ndim != 2:
        raise operator.refuse(f"its weights have {w.values.ndim} axes; 2 are wanted")
    weights = centred(operator, w, 0 if turned else 1, wide=True)
    weights = weights if turned else weights.T
    outputs, inputs = weights.shape
    if x.quant.order.shape != (1, inputs):
        raise operator.refuse(
            f"its input has shape {x.quant.order.shape}; (1, {inputs}) is wanted",
            hint="flatten the tensor before it",
        )
    name = builder.activation(operator, (outputs,))
    scale = product_scales(operator, x.quantization.scale, w.scale, y.scale)
    columns = _stored_columns(weights, builder.order(x.quant))
    tensor = x.quant.tensor
    if columns.min() < -128 or columns.max() > 127:
        if columns.max() > _WIDEST:
            raise operator.refuse(f"its weights less their zero point reach {columns.max()}")
        flat = builder.viewed(operator, tensor, (builder.tensors[tensor].size,))
        tensor = _twice(builder, operator, flat, 0)
        columns = np.concatenate([columns // 2, columns - columns // 2], axis=1)
    node = Dense(
        label=operator.label,
        x=tensor,
        y=name,
        weight=builder.store(f"{name}_w", columns, DType.INT8),
        bias=builder.store(f"{name}_b", bias_values(operator, bias, outputs), DType.INT32),
        input_zero_point=x.quantization.graph_zero,
        requant=requant(np.broadcast_to(scale, (outputs,)), y, low, high),
    )
    builder.nodes.append(node)
    return Quant(name, operator.outputs[0], layout.rows((1, outputs)), y.dtype, y)


def _twice(builder: Builder, operator: Operator, tensor: str, axis: int) -> str:
    """Return `tensor` twice along an axis: a weight of 9 bits is a sum of two of 8."""
    shape = list(builder.tensors[tensor].shape)
    shape[axis] *= 2
    name = builder.activation(operator, tuple(shape))
    builder.nodes.append(Concat(f"{operator.label} input", (tensor, tensor), name, axis))
    return name


def _stored_columns(weights: Ints, order: Order) -> Ints:
    # The source flattens (C, H, W); the stored tensor is (H, W, C).
    columns = np.empty_like(weights)
    columns[:, order.reshape(-1)] = weights
    return columns
