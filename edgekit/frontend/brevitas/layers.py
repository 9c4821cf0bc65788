"""From one called module to layers of the shared lowering: one function for each kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from brevitas import nn as qnn
from numpy.typing import NDArray
from torch import nn

from edgekit.errors import UnsupportedError
from edgekit.frontend import lowering
from edgekit.frontend.brevitas.trace import Call
from edgekit.frontend.lowering.layers import Ints, Real
from edgekit.ir.types import DType, Padding

Layers: TypeAlias = list[lowering.Layer]
_TYPES = (DType.TERNARY, DType.INT2, DType.INT4, DType.INT8)
_HINT = "use layers of brevitas.nn, batch norm, pools and flatten"


def layers_of(call: Call) -> Layers:
    """Return what a module computes in eval mode.

    Raises:
        UnsupportedError: the class or a setting has no exact integer meaning; names the module.
    """
    if call.module is None:
        return [lowering.Flatten(call.label, channels_first=True)]
    for kinds, build in _BUILD:
        if isinstance(call.module, kinds):
            return build(call)
    raise _refuse(call, "a layer of this class is not supported", _HINT)


def _refuse(call: Call, problem: str, hint: str = "") -> UnsupportedError:
    return UnsupportedError(f"{call.label}: {problem}", hint=hint)


def _array(tensor: Any) -> NDArray[Any]:  # noqa: ANN401
    plain = tensor.value if hasattr(tensor, "value") else tensor
    return np.asarray(plain.detach().cpu().numpy())


def _nothing(_: Call) -> Layers:
    return []


def _function(call: Call) -> Layers:
    """A module that maps each value, or each channel, by itself."""
    module, flat = call.module, not isinstance(call.module, nn.BatchNorm2d)

    def apply(x: Real) -> Real:
        given = torch.from_numpy(np.ascontiguousarray(x, np.float32))
        with torch.no_grad():
            found = module(given if flat else given[:, :, None, None])
        return _array(found).reshape(x.shape)

    return [lowering.Elementwise(call.label, apply)]


def _batch_norm(call: Call) -> Layers:
    module = call.module
    if module.running_mean is None:
        raise _refuse(call, "it keeps no running statistics", "track_running_stats=True")
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise _refuse(call, f"{name} holds NaN or infinity", "the training diverged")
    return _function(call)


def _quantizer(call: Call) -> Layers:
    """An activation and its quantizer, as the module computes them."""
    if not call.module.act_quant.is_quant_enabled:
        return _function(call)
    return [_levels(call, call.module, call.module.act_quant)]


def _levels(call: Call, apply: Any, proxy: Any) -> lowering.Quantizer:  # noqa: ANN401
    scale, zero, bits = proxy.scale(), proxy.zero_point(), proxy.bit_width()
    if scale is None or zero is None or bits is None:
        raise _refuse(call, "its scale depends on each input", "use a scale of constants")
    if scale.numel() != 1 or zero.numel() != 1:
        raise _refuse(call, "it has a scale for each channel", "use one scale for activations")
    step, shift, width = _array(scale).reshape(-1)[0], int(zero), int(bits)
    if not (np.isfinite(step) and step > 0):
        raise _refuse(call, f"its scale is {step}", "the training diverged")
    binary = width == 1 and bool(proxy.is_signed)
    low, high = (-1, 1) if binary else _range(proxy, width)
    dtype, move = _holding(call, low, high, binary)

    def levels(x: Real) -> Ints:
        with torch.no_grad():
            found = _array(apply(torch.from_numpy(np.ascontiguousarray(x, np.float32))))
        steps = found.astype(np.float64) / float(step)
        return np.asarray(np.rint(steps), np.int64) + (shift + move)

    return lowering.Quantizer(
        label=call.label,
        levels=levels,
        dtype=dtype,
        scale=np.float32(step),
        zero_point=shift + move,
        low=low + move,
        high=high + move,
    )


def _range(proxy: Any, bits: int) -> tuple[int, int]:  # noqa: ANN401
    narrow = int(bool(proxy.is_narrow_range))
    if proxy.is_signed:
        return -(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1
    return 0, 2**bits - 1 - narrow


def _holding(call: Call, low: int, high: int, binary: bool) -> tuple[DType, int]:
    """Return the smallest type for `low` to `high`, and what moves these into it."""
    if binary:
        return DType.BINARY, 0
    for dtype in _TYPES:
        if high - low <= dtype.high - dtype.low:
            inside = dtype.low <= low and high <= dtype.high
            return dtype, 0 if inside else dtype.low - low
    raise _refuse(call, f"activations of {low} to {high} need more than 8 bits", "use 8 bits")


def _weighted(call: Call) -> Layers:
    module = call.module
    before: Layers = []
    if module.input_quant.is_quant_enabled:
        before = [_levels(call, module.input_quant, module.input_quant)]
    if not module.weight_quant.is_quant_enabled:
        raise _refuse(call, "its weights are not quantized", "give it a weight_quant")
    if not bool(torch.isfinite(module.weight).all()):
        raise _refuse(call, "its weights hold NaN or infinity", "the training diverged")
    quantized = module.quant_weight()
    scale, zero = _array(quantized.scale), _array(quantized.zero_point)
    if zero.any():
        raise _refuse(call, "its weights have a zero point", "use a symmetric weight quantizer")
    real = _array(quantized)
    integers = np.rint(real.astype(np.float64) / scale).astype(np.int64)
    channels = real.shape[0]
    if scale.size not in (1, channels):
        raise _refuse(call, f"its weights have {scale.size} scales, 1 or {channels} are wanted")
    kind, weight = _oriented(call, integers)
    layer = lowering.Weighted(
        label=call.label,
        kind=kind,
        weight=weight,
        dtype=_narrowest(call, integers),
        scale=scale.reshape(-1).astype(np.float32),
        bias=None if module.bias is None else _bias(call, channels),
        stride=_pair(call, module, "stride") if kind != "dense" else (1, 1),
        dilation=_pair(call, module, "dilation") if kind != "dense" else (1, 1),
        padding=_padding(call) if kind != "dense" else Padding(),
    )
    after: Layers = []
    if module.output_quant.is_quant_enabled:
        after = [_levels(call, module.output_quant, module.output_quant)]
    return [*before, layer, *after]


def _bias(call: Call, channels: int) -> Real:
    """Return the bias that the module adds: what it gives for an input of zeros."""
    module, given = call.module, call.given
    if not module.bias_quant.is_quant_enabled:
        bias = _array(module.bias).astype(np.float32)
    else:
        zeros = given.set(value=torch.zeros_like(given.value)) if hasattr(given, "set") else given
        with torch.no_grad():
            found = _array(module(zeros)).astype(np.float32)
        bias = np.moveaxis(found, 1, -1).reshape(-1, channels)[0]
    if not np.isfinite(bias).all():
        raise _refuse(call, "its bias holds NaN or infinity", "the training diverged")
    return bias


def _oriented(call: Call, integers: Ints) -> tuple[Any, Ints]:
    """Return the kind of layer, and its weights in the graph's layout."""
    if integers.ndim == 2:
        return "dense", integers
    module = call.module
    if integers.ndim == 3:
        integers = integers[:, :, np.newaxis, :]
    if module.padding_mode != "zeros":
        raise _refuse(call, f"padding_mode {module.padding_mode} is not supported")
    if module.groups == 1:
        return "conv2d", integers.transpose(0, 2, 3, 1)
    if module.groups == module.in_channels:
        return "depthwise", integers[:, 0].transpose(1, 2, 0)
    raise _refuse(call, f"it has {module.groups} groups", "one, or one for each channel, is read")


def _narrowest(call: Call, integers: Ints) -> DType:
    if (np.abs(integers) == 1).all():
        return DType.BINARY
    low, high = int(integers.min()), int(integers.max())
    for dtype in _TYPES:
        if dtype.low <= low and high <= dtype.high:
            return dtype
    raise _refuse(call, f"its weights reach {low} to {high}", "use 8 bits or fewer")


def _pair(call: Call, module: Any, name: str) -> tuple[int, int]:  # noqa: ANN401
    value = getattr(module, name)
    listed = tuple(value) if isinstance(value, tuple | list) else (value,)
    flat = isinstance(call.module, nn.Conv1d | nn.MaxPool1d | nn.AvgPool1d)
    if flat:
        return 1, int(listed[-1])
    return int(listed[0]), int(listed[-1])


def _padding(call: Call) -> Padding:
    module = call.module
    if module.padding == "valid":
        return Padding()
    if module.padding == "same":
        kernel, spread = _pair(call, module, "kernel_size"), _pair(call, module, "dilation")
        total = [(k - 1) * d for k, d in zip(kernel, spread, strict=True)]
        top, left = total[0] // 2, total[1] // 2
        return Padding(top, left, total[0] - top, total[1] - left)
    flat = isinstance(module, nn.Conv1d | nn.MaxPool1d)
    top, left = (0, _pair(call, module, "padding")[1]) if flat else _pair(call, module, "padding")
    return Padding(top, left, top, left)


def _max_pool(call: Call) -> Layers:
    module = call.module
    if module.ceil_mode or _pair(call, module, "dilation") != (1, 1) or module.return_indices:
        raise _refuse(call, "ceil_mode, dilation and return_indices are not supported")
    kernel, stride = _pair(call, module, "kernel_size"), _pair(call, module, "stride")
    return [lowering.MaxPool(call.label, kernel, stride, _padding(call))]


def _average_pool(call: Call) -> Layers:
    module = call.module
    if module.ceil_mode or getattr(module, "divisor_override", None):
        raise _refuse(call, "ceil_mode and divisor_override are not supported")
    if _padding_sizes(module.padding):
        raise _refuse(call, "an average with padding is not supported", "pad 0")
    kernel, stride = _pair(call, module, "kernel_size"), _pair(call, module, "stride")
    return [lowering.AveragePool(call.label, kernel, stride)]


def _padding_sizes(padding: Any) -> bool:  # noqa: ANN401
    return any(padding) if isinstance(padding, tuple | list) else bool(padding)


def _global_average(call: Call) -> Layers:
    size = call.module.output_size
    if size not in (1, (1, 1), [1, 1]):
        raise _refuse(call, f"output_size {size}, 1 is wanted")
    height, width = (1, *_array(call.given).shape[2:])[-2:]
    return [lowering.AveragePool(call.label, (height, width), (1, 1))]


def _flatten(call: Call) -> Layers:
    module = call.module
    rank = _array(call.given).ndim
    if module.start_dim != 1 or module.end_dim not in (-1, rank - 1):
        raise _refuse(call, "it flattens some axes only", "start_dim 1, end_dim -1")
    return [lowering.Flatten(call.label, channels_first=True)]


def _softmax(call: Call) -> Layers:
    if call.module.dim not in (1, -1):
        raise _refuse(call, "it works along another axis than the classes")
    return [lowering.Softmax(call.label, isinstance(call.module, nn.LogSoftmax))]


_BUILD: tuple[tuple[tuple[type, ...], Callable[[Call], Layers]], ...] = (
    ((qnn.QuantLinear, qnn.QuantConv1d, qnn.QuantConv2d), _weighted),
    ((nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Identity), _nothing),
    ((qnn.QuantIdentity, qnn.QuantReLU, qnn.QuantHardTanh), _quantizer),
    ((qnn.QuantSigmoid, qnn.QuantTanh), _quantizer),
    ((nn.BatchNorm1d, nn.BatchNorm2d), _batch_norm),
    ((nn.ReLU, nn.ReLU6, nn.Hardtanh), _function),
    ((nn.MaxPool1d, nn.MaxPool2d), _max_pool),
    ((nn.AvgPool1d, nn.AvgPool2d), _average_pool),
    ((nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d), _global_average),
    ((nn.Flatten,), _flatten),
    ((nn.Softmax, nn.LogSoftmax), _softmax),
)
