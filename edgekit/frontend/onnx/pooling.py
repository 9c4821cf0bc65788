"""Average and maximum pools."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from edgekit.frontend.onnx import layout
from edgekit.frontend.onnx.builder import Builder
from edgekit.frontend.onnx.model import Operator
from edgekit.frontend.onnx.quantize import as_real
from edgekit.frontend.onnx.scales import quantization, requant
from edgekit.frontend.onnx.shapes import axes_of
from edgekit.frontend.onnx.values import Pending, Quant, Quantization, Real
from edgekit.frontend.onnx.windows import Window, kernel_shape, spatial, window
from edgekit.ir.graph import NotCompared
from edgekit.ir.nodes import AveragePool, MaxPool
from edgekit.ir.types import Padding

_SUM = "onnxruntime adds float32 values here, in an order of its own; a GlobalAveragePool is exact"
_FLOAT = "onnxruntime averages float32 values here, not integers, unless the window is the image"


def average_pool(builder: Builder, operator: Operator) -> None:
    """AveragePool between DequantizeLinear and QuantizeLinear."""
    x = builder.real(operator, 0)
    frame = _window(operator, x.quant)
    size = _pooled_shape(x.quant, frame)
    finish = partial(_average_node, builder, operator, x, frame)
    builder.define(operator, Pending(operator, x.quant.dtype, layout.channels_last(size), finish))


def global_average_pool(builder: Builder, operator: Operator) -> None:
    """GlobalAveragePool between DequantizeLinear and QuantizeLinear."""
    x = builder.real(operator, 0)
    frame = _whole(operator, x.quant)
    size = _pooled_shape(x.quant, frame)
    finish = partial(_average_node, builder, operator, x, frame)
    builder.define(operator, Pending(operator, x.quant.dtype, layout.channels_last(size), finish))


def reduce_mean(builder: Builder, operator: Operator) -> None:
    """ReduceMean over all spatial axes between DequantizeLinear and QuantizeLinear."""
    x = builder.real(operator, 0)
    shape = x.quant.order.shape
    frame = _whole(operator, x.quant)
    axes = axes_of(builder, operator, len(shape))
    if axes is None or sorted(axes) != list(range(2, len(shape))):
        raise operator.refuse(
            f"it averages axes {axes} of {len(shape)}; all but batch and channels are wanted"
        )
    keep = bool(operator.integer("keepdims", 1))
    builder.not_compared.append(NotCompared(operator.label, _SUM))

    def finish(y: Quantization, low: int, high: int) -> Quant:
        mean = _average_node(builder, operator, x, frame, y, low, high)
        return mean if keep else mean.relabelled(mean.order.reshape(1, shape[1]))

    size = _pooled_shape(x.quant, frame) if keep else (1, shape[1])
    builder.define(operator, Pending(operator, x.quant.dtype, layout.rows(size), finish))


def qlinear_average_pool(builder: Builder, operator: Operator) -> None:
    """QLinearAveragePool of com.microsoft."""
    x = as_real(builder, operator, builder.quant(operator, 0), 1, 2)
    _refuse_channels_last(operator)
    y = quantization(builder, operator, 3, 4)
    node = _average_node(builder, operator, x, _window(operator, x.quant), y, -128, 127)
    builder.define(operator, node)


def qlinear_global_average_pool(builder: Builder, operator: Operator) -> None:
    """QLinearGlobalAveragePool of com.microsoft."""
    x = as_real(builder, operator, builder.quant(operator, 0), 1, 2)
    _refuse_channels_last(operator)
    y = quantization(builder, operator, 3, 4)
    node = _average_node(builder, operator, x, _whole(operator, x.quant), y, -128, 127)
    builder.define(operator, node)


def max_pool(builder: Builder, operator: Operator) -> None:
    """MaxPool on integers, or on dequantized ones, whose order is the same."""
    value = builder.value(operator, 0)
    quant = value.quant if isinstance(value, Real) else builder.quant(operator, 0)
    if operator.integer("storage_order", 0):
        raise operator.refuse("storage_order is not supported")
    shape = quant.order.shape
    frame = window(operator, shape, kernel_shape(operator, shape))
    if frame.dilation != (1, 1):
        raise operator.refuse("dilated pools are not supported")
    _refuse_empty_windows(operator, frame)
    x = builder.image(operator, quant)
    channels = quant.order.shape[1]
    y = builder.activation(operator, (*frame.output, channels))
    builder.nodes.append(
        MaxPool(
            label=operator.label,
            x=x,
            y=y,
            kernel=frame.kernel,
            stride=frame.stride,
            padding=frame.padding,
            low=-128,
            high=127,
        )
    )
    order = layout.channels_last(_pooled_shape(quant, frame))
    pooled = replace(quant, tensor=y, name="", order=order, shown=None)
    if isinstance(value, Real):
        builder.define(operator, Real(pooled, value.quantization, value.low, value.high))
    else:
        builder.define(operator, pooled.named(operator.outputs[0]))


def _pooled_shape(quant: Quant, frame: Window) -> tuple[int, ...]:
    """Return the source's shape (1, C, spatial axes) of what `frame` makes of `quant`."""
    spatial_axes = frame.output if quant.order.ndim == 4 else frame.output[1:]
    return (1, quant.order.shape[1], *spatial_axes)


def _window(operator: Operator, quant: Quant) -> Window:
    shape = quant.order.shape
    frame = window(operator, shape, kernel_shape(operator, shape))
    if frame.dilation != (1, 1):
        raise operator.refuse("dilated pools are not supported")
    if frame.padding != Padding():
        raise operator.refuse(
            "an average over padded windows is not supported",
            hint="pad with a Pad operator before the pool, or average without padding",
        )
    return frame


def _whole(operator: Operator, quant: Quant) -> Window:
    size = spatial(operator, quant.order.shape)
    return Window(size, (1, 1), (1, 1), Padding(), (1, 1))


def _refuse_channels_last(operator: Operator) -> None:
    if operator.integer("channels_last", 0):
        raise operator.refuse("channels_last is not supported")


def _refuse_empty_windows(operator: Operator, frame: Window) -> None:
    sides = (
        (frame.kernel[0], max(frame.padding.top, frame.padding.bottom)),
        (frame.kernel[1], max(frame.padding.left, frame.padding.right)),
    )
    if any(pad >= kernel for kernel, pad in sides):
        raise operator.refuse("a padding as large as the kernel leaves windows with no cell")


def _average_node(
    builder: Builder,
    operator: Operator,
    x: Real,
    frame: Window,
    y: Quantization,
    low: int,
    high: int,
) -> Quant:
    if frame.kernel != spatial(operator, x.quant.order.shape):
        builder.not_compared.append(NotCompared(operator.label, _FLOAT))
    cells = np.float32(frame.kernel[0] * frame.kernel[1])
    with np.errstate(over="ignore", under="ignore"):
        scale = np.float32(x.quantization.scale / np.float32(y.scale * cells))
    if not 2.0**-32 <= scale < 256:
        raise operator.refuse(f"its scale {scale} is outside what onnxruntime computes")
    stored = builder.image(operator, x.quant)
    channels = x.quant.order.shape[1]
    name = builder.activation(operator, (*frame.output, channels))
    rule = requant(np.asarray([scale], np.float32), y, low, high)
    builder.nodes.append(
        AveragePool(
            label=operator.label,
            x=stored,
            y=name,
            kernel=frame.kernel,
            stride=frame.stride,
            padding=Padding(),
            input_zero_point=x.quantization.graph_zero,
            low=low,
            high=high,
            requant=rule,
        )
    )
    order = layout.channels_last(_pooled_shape(x.quant, frame))
    return Quant(name, operator.outputs[0], order, y.dtype, y)
