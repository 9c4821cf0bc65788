"""Quantizers, dequantizers, ReLU, Clip and the float tail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.frontend.onnx.builder import INPUT, Builder, describe
from edgekit.frontend.onnx.float32 import Function
from edgekit.frontend.onnx.model import Operator
from edgekit.frontend.onnx.scales import (
    product_scales,
    quantization,
    quantize_real,
    requant,
    scale_values,
    weight,
    zero_values,
)
from edgekit.frontend.onnx.values import (
    FloatInput,
    Pending,
    Quant,
    Quantization,
    Real,
    Tail,
    Value,
    limited,
)
from edgekit.ir.arithmetic import rescale
from edgekit.ir.graph import NotCompared
from edgekit.ir.nodes import Clamp, Lut8, Requantize
from edgekit.ir.types import DType, Requant, Rounding, Tensor

_FLOAT = "onnxruntime computes it in float32 here, not in integers"


def quantize_linear(builder: Builder, operator: Operator) -> None:
    """QuantizeLinear: quantize the input, finish an operator, or move between scales."""
    value = builder.value(operator, 0)
    if isinstance(value, np.ndarray):
        builder.define(operator, _quantized_constant(builder, operator, value))
        return
    if isinstance(value, Tail):
        builder.not_compared.append(NotCompared(operator.label, "it follows a float operator"))
        builder.define(operator, value)
        return
    _refuse_variants(operator)
    q = quantization(builder, operator, 1, 2)
    if isinstance(value, FloatInput):
        builder.define(operator, _input(builder, operator, value, q))
    elif isinstance(value, Pending):
        builder.define(operator, _finish(builder, operator, value, q))
    elif isinstance(value, Real):
        builder.define(operator, move(builder, operator, value, q))
    else:
        raise operator.refuse("its input is quantized already")


def dequantize_linear(builder: Builder, operator: Operator) -> None:
    """DequantizeLinear: remember the scale; nothing is computed."""
    value = builder.value(operator, 0)
    if isinstance(value, Tail):
        builder.define(operator, value)
        return
    if isinstance(value, np.ndarray):
        axis = operator.integer("axis", 1)
        if operator.integer("block_size", 0):
            raise operator.refuse("blocked quantization is not supported")
        builder.define(operator, weight(builder, operator, value, 1, 2, axis))
        return
    _refuse_variants(operator)
    quant = builder.quant(operator, 0)
    builder.define(operator, as_real(builder, operator, quant, 1, 2))


def as_real(builder: Builder, operator: Operator, quant: Quant, scale: int, zero: int) -> Real:
    """Return an integer activation with the scale that a reader gives it."""
    q = quantization(builder, operator, scale, zero)
    if q.dtype != quant.dtype:
        raise operator.refuse(f"zero point of {q.dtype} for a tensor of {quant.dtype}")
    if quant.tensor == INPUT and builder.input_quantization is None:
        builder.input_quantization = q
    return Real(quant, q)


def relu(builder: Builder, operator: Operator) -> None:
    """Relu on a float value: a limit that the next quantizer applies."""
    builder.define(operator, _clip(builder, operator, 0.0, np.inf))


def clip(builder: Builder, operator: Operator) -> None:
    """Clip on a float value; limits are attributes (opset 6) or constants."""
    low, high = operator.real("min", -np.inf), operator.real("max", np.inf)
    if operator.input(1):
        low = _limit(builder, operator, 1)
    if operator.input(2):
        high = _limit(builder, operator, 2)
    if np.isnan(low) or np.isnan(high) or low > high:
        raise operator.refuse(f"its limits are {low} and {high}")
    value = _clip(builder, operator, low, high)
    builder.define(operator, replace(value, clipped=True) if isinstance(value, Pending) else value)


def softmax(builder: Builder, operator: Operator) -> None:
    """Softmax at the end of the model: computed on the host, in float."""
    value = builder.value(operator, 0)
    if not isinstance(value, Real) or value.limited:
        raise operator.refuse("only a softmax on the model's last int8 tensor is supported")
    _tail(builder, operator, value, operator.integer("axis", -1 if builder.model.opset > 12 else 1))


def qlinear_softmax(builder: Builder, operator: Operator) -> None:
    """QLinearSoftmax: like a float softmax, the integers before it are the last compared."""
    real = as_real(builder, operator, builder.quant(operator, 0), 1, 2)
    builder.not_compared.append(NotCompared(operator.label, "it computes exponentials in float"))
    _tail(builder, operator, real, operator.integer("axis", -1))


def move(builder: Builder, operator: Operator, real: Real, q: Quantization) -> Quant:
    """Return `real` on another scale, proven equal on all 256 integers, or refuse."""
    if real.quantization == q and not real.limited:
        kept = replace(real.quant, quantization=q, requantized=True)
        return kept.named(operator.outputs[0])
    if real.quantization != q and real.quant.requantized:
        raise operator.refuse(
            "its input was quantized with another scale, and onnxruntime merges the two quantizers",
            hint="give both quantizers one scale and zero point, or remove one",
        )
    wanted = _table(real, q)
    order = builder.order(real.quant)
    x = real.quant.tensor
    low, high = int(wanted.min()), int(wanted.max())
    same_scale = real.quantization == q
    scale = product_scales(operator, real.quantization.scale, np.ones(1, np.float32), q.scale)
    rule = requant(scale, q, low, high)
    if not same_scale and not np.array_equal(_requantized(real, rule), wanted):
        moved = look_up(builder, operator, real, np.positive, q, -128, 127)
        return replace(moved, requantized=True)
    y = builder.activation(operator, builder.tensors[x].shape)
    if same_scale:
        builder.nodes.append(Clamp(label=operator.label, x=x, y=y, low=low, high=high))
    else:
        zero = real.quantization.graph_zero
        builder.nodes.append(Requantize(operator.label, x, y, zero, rule))
    return Quant(y, operator.outputs[0], order, q.dtype, q, requantized=True)


def look_up(
    builder: Builder,
    operator: Operator,
    real: Real,
    function: Function,
    q: Quantization,
    low: int,
    high: int,
) -> Quant:
    """Return `function` of `real`, quantized and clamped, as a table of the 256 integers."""
    values = np.clip(_table(real, q, function), low, high)
    order = builder.order(real.quant)
    x = real.quant.tensor
    y = builder.activation(operator, builder.tensors[x].shape)
    table = builder.store(f"{y}_t", values, DType.INT8)
    builder.nodes.append(Lut8(label=operator.label, x=x, y=y, table=table))
    return Quant(y, operator.outputs[0], order, q.dtype, q)


def _table(real: Real, q: Quantization, function: Function = np.positive) -> NDArray[np.int64]:
    # The float32 arithmetic of DequantizeLinear, the function or Relu or Clip, and QuantizeLinear.
    graph = np.arange(-128, 128)
    low = -128 - q.graph_zero
    values = (graph - real.quantization.graph_zero).astype(np.float32) * real.quantization.scale
    values = np.clip(values, np.float32(real.low), np.float32(real.high))
    with np.errstate(over="ignore", under="ignore"):
        values = function(values)
        ratio = np.clip((values / q.scale).astype(np.float32), low, 127 - q.graph_zero)
    return np.rint(ratio).astype(np.int64) + q.graph_zero


def _requantized(real: Real, rule: Requant) -> NDArray[np.int64]:
    acc = np.arange(-128, 128, dtype=np.int64) - real.quantization.graph_zero
    multiplier, shift = np.asarray(rule.multiplier[0]), np.asarray(rule.shift[0])
    scaled = rescale(acc, multiplier, shift, Rounding.FLOAT32_RNE)
    return np.clip(scaled + rule.zero_point, rule.low, rule.high)


def _input(builder: Builder, operator: Operator, value: FloatInput, q: Quantization) -> Quant:
    if builder.input_quantization not in (None, q):
        raise operator.refuse("the input is quantized twice, with different scales")
    if builder.input_quantization is None:
        builder.input_quantization = q
        builder.tensors[INPUT] = Tensor(INPUT, builder.input_shape[1:], DType.INT8)
    return Quant(INPUT, operator.outputs[0], value.order, q.dtype, q, requantized=True)


def _finish(builder: Builder, quantizer: Operator, value: Pending, q: Quantization) -> Quant:
    operator = value.operator
    if q.dtype != value.dtype:
        raise operator.refuse(
            f"its input is {value.dtype} and its output {q.dtype}; {_FLOAT}",
            hint="quantize all activations to one type",
        )
    low, high = -128, 127
    if value.low > -np.inf or value.high < np.inf:
        low, high = quantize_real(value.low, q), quantize_real(value.high, q)
        # onnxruntime only reads scalars here, not lists of one.
        listed = value.clipped and any(
            builder.constant(quantizer, position).ndim
            for position in (1, 2)
            if quantizer.input(position)
        )
        if (low, high) != (-128, 127) or listed:
            reason = f"a Relu or Clip that its quantizer does not contain: {_FLOAT}"
            builder.not_compared.append(NotCompared(operator.label, reason))
    quant = value.finish(q, low, high)
    return replace(quant, requantized=True).named(quantizer.outputs[0])


def _clip(builder: Builder, operator: Operator, low: float, high: float) -> Value:
    value = builder.value(operator, 0)
    if isinstance(value, Pending):
        once(builder, value, operator.input(0))
        return limited(value, low, high)
    if isinstance(value, Real):
        return limited(value, low, high)
    if isinstance(value, Quant):
        return _clip_integers(builder, operator, value, low, high)
    raise operator.refuse(f"its input is {describe(value)}; a quantized tensor is wanted")


def _clip_integers(
    builder: Builder, operator: Operator, value: Quant, low: float, high: float
) -> Quant:
    # On an integer tensor the limits are the source's own integers.
    offset = 128 if value.dtype == "uint8" else 0
    lowest, highest = max(low - offset, -128.0), min(high - offset, 127.0)
    if lowest > highest:
        raise operator.refuse(f"its limits are {low} and {high}")
    order = builder.order(value)
    y = builder.activation(operator, builder.tensors[value.tensor].shape)
    limits = {"low": int(np.ceil(lowest)), "high": int(np.floor(highest))}
    builder.nodes.append(Clamp(label=operator.label, x=value.tensor, y=y, **limits))
    return Quant(y, operator.outputs[0], order, value.dtype, value.quantization)


def once(builder: Builder, value: Pending, name: str) -> None:
    """Refuse a float result with several readers: onnxruntime does not fuse it then."""
    if builder.uses[name] != 1:
        raise value.operator.refuse(
            f"its float output has {builder.uses[name]} readers; {_FLOAT}",
            hint="quantize its output before it is used",
        )


def _limit(builder: Builder, operator: Operator, position: int) -> float:
    values = builder.constant(operator, position)
    if values.size != 1 or values.dtype.kind not in "iuf":
        raise operator.refuse(f"limit {position} is not one number")
    return float(values.reshape(-1)[0])


def _tail(builder: Builder, operator: Operator, real: Real, axis: int) -> None:
    rank = real.quant.order.ndim
    # Before opset 13 a softmax runs over all axes from `axis`: the same where the rest is 1.
    if axis % max(rank, 1) != rank - 1:
        raise operator.refuse("a softmax over another axis than the last is not supported")
    builder.define(operator, Tail(real))


def _quantized_constant(builder: Builder, operator: Operator, value: NDArray[Any]) -> NDArray[Any]:
    if value.dtype != np.float32:
        raise operator.refuse(f"a constant of {value.dtype} cannot be quantized")
    scales, zeros = scale_values(builder, operator, 1), zero_values(builder, operator, 2)
    axis = operator.integer("axis", 1)
    if scales.size > 1:
        if not -value.ndim <= axis < value.ndim or value.shape[axis] != scales.size:
            raise operator.refuse(f"{scales.size} scales for a constant of shape {value.shape}")
        shape = [1] * value.ndim
        shape[axis] = scales.size
        scales = scales.reshape(shape)
        zeros = zeros.reshape(shape) if zeros.size > 1 else zeros.reshape(-1)[0]
    elif scales.size != zeros.size:
        raise operator.refuse("one scale with several zero points")
    else:
        scales, zeros = scales.reshape(-1)[0], zeros.reshape(-1)[0]
    if not np.all(np.isfinite(value)) or zeros.dtype.kind not in "iu":
        raise operator.refuse("a constant with infinite values cannot be quantized")
    limits = np.iinfo(zeros.dtype)
    with np.errstate(over="ignore", under="ignore"):
        ratio = np.rint(np.clip((value / scales).astype(np.float32), -(2.0**24), 2.0**24))
    wide = ratio.astype(np.int64) + zeros.astype(np.int64)
    return np.clip(wide, limits.min, limits.max).astype(zeros.dtype)


def _refuse_variants(operator: Operator) -> None:
    for name in ("block_size", "output_dtype", "precision"):
        if operator.integer(name, 0):
            raise operator.refuse(f"attribute {name} is not supported")
