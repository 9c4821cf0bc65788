"""Float ONNX operators that compute, as layers; biases and batch norms are folded."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.compress.floatnet import (
    AveragePool,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Floats,
    MaxPool,
    Relu,
)
from edgekit.compress.onnx.chain import Chain, lay_out_images, reshape_to
from edgekit.frontend.onnx.model import Operator
from edgekit.frontend.onnx.windows import kernel_shape, window
from edgekit.ir.types import Padding


def conv(chain: Chain, operator: Operator) -> None:
    """Add a convolution of one group, or of one group a channel."""
    weight, shape = chain.real(operator, 1), chain.shape
    if weight.ndim != len(shape) or weight.ndim not in (3, 4):
        raise operator.refuse(f"weights {weight.shape} for an input of {shape}")
    if weight.ndim == 3:  # one spatial axis: the height is 1
        weight = weight[:, :, np.newaxis, :]
    groups = operator.integer("group", 1)
    outputs, depth, *kernel = weight.shape
    if depth * groups != shape[1] or outputs % groups or (groups > 1 and depth != 1):
        raise operator.refuse(f"{groups} groups of {depth} input channels; 1, or one each")
    found = window(operator, shape, (kernel[0], kernel[1]))
    lay_out_images(chain, operator)
    bias = chain.real(operator, 2) if operator.input(2) else np.zeros(outputs, np.float32)
    places = (operator.label, bias, found.stride, found.dilation, found.padding)
    label, bias, stride, dilation, padding = places
    if groups == 1:
        filters = np.ascontiguousarray(weight.transpose(0, 2, 3, 1))
        chain.layers.append(Conv2D(label, filters, bias, stride, dilation, padding))
    else:
        filters = np.ascontiguousarray(weight[:, 0].transpose(1, 2, 0))
        chain.layers.append(DepthwiseConv2D(label, filters, bias, stride, dilation, padding))
    spatial = found.output if len(shape) == 4 else found.output[1:]
    chain.shape = (1, outputs, *spatial)


def dense(chain: Chain, operator: Operator) -> None:
    """Add a fully connected layer of a Gemm or MatMul."""
    weight = chain.real(operator, 1)
    if len(chain.shape) != 2 or weight.ndim != 2 or operator.integer("transA", 0):
        raise operator.refuse(f"{weight.shape} on {chain.shape}; (1, N) by a matrix is wanted")
    if not operator.integer("transB", 0):
        weight = weight.T
    if weight.shape[1] != chain.shape[1]:
        raise operator.refuse(f"{weight.shape[1]} columns for {chain.shape[1]} inputs")
    bias = np.zeros(weight.shape[0], np.float32)
    if operator.input(2):
        offset = chain.real(operator, 2) * np.float32(operator.real("beta", 1.0))
        bias = bias + _per_channel(operator, offset, weight.shape[0], 2, 1)
    scale = np.float32(operator.real("alpha", 1.0)) if operator.kind == "Gemm" else np.float32(1)
    chain.layers.append(Dense(operator.label, np.ascontiguousarray(weight * scale), bias))
    chain.shape = (1, weight.shape[0])


def normalize(chain: Chain, operator: Operator) -> None:
    """Fold a batch norm."""
    gamma, beta, mean, variance = (chain.real(operator, k) for k in range(1, 5))
    scale = gamma.astype(np.float64) / np.sqrt(variance + operator.real("epsilon", 1e-5))
    _affine(chain, operator, scale, beta - mean * scale)


def arithmetic(chain: Chain, operator: Operator) -> None:
    """Fold a sum or product with one constant a channel."""
    first = operator.inputs[0] == chain.value
    array = chain.real(operator, 1 if first else 0)
    rank, channels = len(chain.shape), chain.shape[1]
    value = _per_channel(operator, array, channels, rank, 1).astype(np.float64)
    one, none = np.ones(channels), np.zeros(channels)
    if not first and operator.kind in ("Sub", "Div"):
        raise operator.refuse(f"a constant on the left of {operator.kind} is not taken")
    with np.errstate(divide="ignore"):
        scale, offset = {
            "Add": (one, value),
            "Sub": (one, -value),
            "Mul": (value, none),
            "Div": (1.0 / value, none),
        }[operator.kind]
    if not np.isfinite(scale).all():
        raise operator.refuse("it divides by 0")
    _affine(chain, operator, scale, offset)


def _per_channel(operator: Operator, array: Floats, channels: int, rank: int, axis: int) -> Floats:
    """Return a constant that broadcasts along all axes but the channels', as (channels,)."""
    wide = array.reshape((1,) * max(rank - array.ndim, 0) + array.shape)
    along = [1] * wide.ndim
    along[axis] = channels
    if wide.ndim != rank or any(e not in (1, a) for e, a in zip(wide.shape, along, strict=True)):
        raise operator.refuse(f"a constant of shape {array.shape}; one value a channel is wanted")
    return np.broadcast_to(wide, along).reshape(channels)


def _affine(chain: Chain, operator: Operator, scale: NDArray[Any], offset: NDArray[Any]) -> None:
    """Fold `x * scale + offset`, per channel, into the layer before; or add a 1x1 depthwise."""
    last = chain.layers[-1] if chain.layers else None
    if isinstance(last, Dense | Conv2D | DepthwiseConv2D):
        along = (
            scale
            if isinstance(last, DepthwiseConv2D)
            else scale.reshape(-1, *(1,) * (last.weight.ndim - 1))
        )
        weight = (last.weight * along).astype(np.float32)
        bias = (last.bias * scale + offset).astype(np.float32)
        chain.layers[-1] = replace(last, weight=weight, bias=bias)
        return
    if len(chain.shape) != 4:
        raise operator.refuse(
            "no layer with weights is before it", hint="fold it into the layer behind it"
        )
    lay_out_images(chain, operator)
    weight = scale.astype(np.float32).reshape(1, 1, -1)
    chain.layers.append(DepthwiseConv2D(operator.label, weight, offset.astype(np.float32)))


def relu(chain: Chain, operator: Operator) -> None:
    """Add a ReLU."""
    chain.layers.append(Relu(operator.label))


def clip(chain: Chain, operator: Operator) -> None:
    """Add a ReLU with an upper limit."""
    if "min" in operator.attributes or "max" in operator.attributes:
        low, high = operator.real("min", -math.inf), operator.real("max", math.inf)
    else:
        low, high = (
            float(chain.real(operator, k).item()) if operator.input(k) else limit
            for k, limit in ((1, -math.inf), (2, math.inf))
        )
    if low != 0 or not high > 0:
        raise operator.refuse(f"limits {low:g} and {high:g}; 0 and a positive number are wanted")
    chain.layers.append(Relu(operator.label, None if math.isinf(high) else high))


def max_pool(chain: Chain, operator: Operator) -> None:
    """Add a maximum pool."""
    _pool(chain, operator, MaxPool)


def average_pool(chain: Chain, operator: Operator) -> None:
    """Add an average pool."""
    _pool(chain, operator, AveragePool)


def _pool(chain: Chain, operator: Operator, kind: type[MaxPool | AveragePool]) -> None:
    found = window(operator, chain.shape, kernel_shape(operator, chain.shape))
    if found.dilation != (1, 1) or len(chain.shape) != 4:
        raise operator.refuse("a pool over (1, C, H, W) without dilation is wanted")
    lay_out_images(chain, operator)
    if kind is MaxPool:
        chain.layers.append(MaxPool(operator.label, found.kernel, found.stride, found.padding))
    elif found.padding != Padding():
        raise operator.refuse("padding of an average pool is not taken", hint="pad explicitly")
    else:
        chain.layers.append(AveragePool(operator.label, found.kernel, found.stride))
    chain.shape = (*chain.shape[:2], *found.output)


def global_pool(chain: Chain, operator: Operator) -> None:
    """Add a mean over height and width."""
    if operator.kind == "ReduceMean":
        axes = operator.integers("axes") or tuple(
            int(a) for a in (chain.constant(operator, 1) if operator.input(1) else ())
        )
        if sorted(axis % len(chain.shape) for axis in axes) != [2, 3]:
            raise operator.refuse(f"a mean along axes {axes}; height and width are wanted")
    if len(chain.shape) != 4:
        raise operator.refuse(f"a mean of {chain.shape}; (1, C, H, W) is wanted")
    lay_out_images(chain, operator)
    size = (chain.shape[2], chain.shape[3])
    chain.layers.append(AveragePool(operator.label, size, size))
    chain.shape = (*chain.shape[:2], 1, 1)
    if not operator.integer("keepdims", 1):
        reshape_to(chain, operator, chain.shape[:2])
