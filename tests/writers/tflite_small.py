"""Builds small random int8 models whose outputs spread over the int8 range."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from writers.tflite_writer import (
    FLOAT32,
    INT8,
    INT32,
    UINT8,
    ModelSpec,
    OpSpec,
    TensorSpec,
    constant,
)

SAME, VALID = 0, 1
NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3

# Standard deviation of a layer's real outputs that makes each activation's bounds bite.
_REAL_SPREAD = {NONE: (0.5, 9.0), RELU: (0.5, 9.0), RELU6: (3.0, 7.0), RELU_N1_TO_1: (0.5, 1.5)}


def f32(value: float) -> float:
    """Return the nearest float32."""
    return float(np.float32(value))


class Small:
    """A model under construction; `at` is the tensor that the next layer reads."""

    def __init__(
        self,
        seed: int,
        shape: tuple[int, ...],
        *,
        scale: float | None = None,
        zero: int | None = None,
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.spec = ModelSpec()
        scale = f32(self.rng.uniform(0.002, 0.2)) if scale is None else scale
        zero = int(self.rng.integers(-128, 128)) if zero is None else zero
        self.at = self.activation((1, *shape), scale, zero)
        self.spec.inputs = [self.at]
        self.spec.outputs = [self.at]

    def tensor(self, spec: TensorSpec) -> int:
        self.spec.tensors.append(spec)
        return len(self.spec.tensors) - 1

    def activation(
        self, shape: tuple[int, ...], scale: float, zero: int, type_code: int = INT8
    ) -> int:
        name = f"layer/{len(self.spec.tensors)};act"
        return self.tensor(TensorSpec(name, list(shape), type_code, [f32(scale)], [zero]))

    @property
    def now(self) -> TensorSpec:
        return self.spec.tensors[self.at]

    @property
    def quant(self) -> tuple[float, int]:
        assert self.now.scales is not None
        assert self.now.zero_points is not None
        return self.now.scales[0], self.now.zero_points[0]

    def op(self, code: str, inputs: list[int], output: int, options: Any = None) -> Small:
        self.spec.ops.append(OpSpec(code, inputs, [output], options))
        self.at = output
        self.spec.outputs = [output]
        return self

    def weights(
        self, shape: tuple[int, ...], axis: int, per_channel: bool, scale: float
    ) -> tuple[int, NDArray[np.float32]]:
        values = self.rng.integers(-127, 128, shape)
        count = shape[axis] if per_channel else 1
        scales = (self.rng.uniform(0.5, 1.5, count) * scale).astype(np.float32)
        spec = constant(
            f"w{len(self.spec.tensors)}",
            values,
            INT8,
            scales=[float(s) for s in scales],
            zero_points=[0] * count,
            dimension=axis,
        )
        return self.tensor(spec), scales

    def bias(self, channels: int, scales: NDArray[np.float32], spread: float) -> int:
        values = self.rng.normal(0, spread / 2, channels).round()
        product = (np.float32(self.quant[0]) * scales).astype(np.float32)
        spec = constant(
            f"b{len(self.spec.tensors)}",
            values,
            INT32,
            scales=[float(s) for s in product],
            zero_points=[0] * len(scales),
        )
        return self.tensor(spec)

    def _weighted(
        self,
        code: str,
        shape: tuple[int, ...],
        axis: int,
        out: tuple[int, ...],
        depth: int,
        options: Any,
        *,
        per_channel: bool,
        activation: int,
        bias: bool,
    ) -> Small:
        scale, zero = self.quant
        channels = shape[axis]
        x = self.at
        spread = math.sqrt(depth * (74.0**2 + (zero + 0.5) ** 2)) * 73.0
        real = self.rng.uniform(*_REAL_SPREAD[activation])
        weight, scales = self.weights(shape, axis, per_channel, real / (spread * scale))
        place = self.bias(channels, scales, spread) if bias else -1
        y_scale = real * self.rng.uniform(3.0, 6.0) / 256
        y_zero = int(self.rng.integers(-128, -60 if activation else 128))
        y = self.activation((1, *out), y_scale, y_zero)
        inputs = [x, weight, place] if bias else [x, weight]
        return self.op(code, inputs, y, options)

    def conv(
        self,
        channels: int,
        kernel: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        *,
        padding: int = SAME,
        activation: int = NONE,
        per_channel: bool = True,
        bias: bool = True,
    ) -> Small:
        height, width, depth = self.now.shape[1:]
        out = (
            extent(height, kernel[0], stride[0], dilation[0], padding),
            extent(width, kernel[1], stride[1], dilation[1], padding),
            channels,
        )
        options = {
            "Padding": padding,
            "StrideH": stride[0],
            "StrideW": stride[1],
            "FusedActivationFunction": activation,
            "DilationHFactor": dilation[0],
            "DilationWFactor": dilation[1],
        }
        return self._weighted(
            "CONV_2D",
            (channels, *kernel, depth),
            0,
            out,
            kernel[0] * kernel[1] * depth,
            ("Conv2DOptions", options),
            per_channel=per_channel,
            activation=activation,
            bias=bias,
        )

    def depthwise(
        self,
        multiplier: int,
        kernel: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        *,
        padding: int = SAME,
        activation: int = NONE,
        per_channel: bool = True,
        bias: bool = True,
    ) -> Small:
        height, width, depth = self.now.shape[1:]
        channels = depth * multiplier
        out = (
            extent(height, kernel[0], stride[0], dilation[0], padding),
            extent(width, kernel[1], stride[1], dilation[1], padding),
            channels,
        )
        options = {
            "Padding": padding,
            "StrideH": stride[0],
            "StrideW": stride[1],
            "DepthMultiplier": multiplier,
            "FusedActivationFunction": activation,
            "DilationHFactor": dilation[0],
            "DilationWFactor": dilation[1],
        }
        return self._weighted(
            "DEPTHWISE_CONV_2D",
            (1, *kernel, channels),
            3,
            out,
            kernel[0] * kernel[1],
            ("DepthwiseConv2DOptions", options),
            per_channel=per_channel,
            activation=activation,
            bias=bias,
        )

    def dense(
        self,
        units: int,
        *,
        activation: int = NONE,
        per_channel: bool = False,
        bias: bool = True,
        keep: bool = False,
    ) -> Small:
        depth = math.prod(self.now.shape)
        out = (*self.now.shape[1:-1], units) if keep else (units,)
        options = {"FusedActivationFunction": activation, "KeepNumDims": keep}
        return self._weighted(
            "FULLY_CONNECTED",
            (units, depth),
            0,
            out,
            depth,
            ("FullyConnectedOptions", options),
            per_channel=per_channel,
            activation=activation,
            bias=bias,
        )

    def pool(
        self,
        code: str,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        *,
        padding: int = SAME,
        activation: int = NONE,
    ) -> Small:
        height, width, depth = self.now.shape[1:]
        out = (
            extent(height, kernel[0], stride[0], 1, padding),
            extent(width, kernel[1], stride[1], 1, padding),
            depth,
        )
        options = {
            "Padding": padding,
            "StrideH": stride[0],
            "StrideW": stride[1],
            "FilterHeight": kernel[0],
            "FilterWidth": kernel[1],
            "FusedActivationFunction": activation,
        }
        y = self.activation((1, *out), *self.quant)
        return self.op(code, [self.at], y, ("Pool2DOptions", options))

    def add(self, other: int, *, activation: int = NONE) -> Small:
        scales = [self.quant[0], (self.spec.tensors[other].scales or [1.0])[0]]
        y_scale = math.hypot(*scales) * self.rng.uniform(0.7, 1.3)
        zero = int(self.rng.integers(-128, 0 if activation else 128))
        y = self.activation(tuple(self.now.shape), y_scale, zero)
        options = ("AddOptions", {"FusedActivationFunction": activation})
        return self.op("ADD", [self.at, other], y, options)

    def pad(self, amounts: list[list[int]]) -> Small:
        matrix = self.tensor(constant(f"p{self.at}", np.asarray(amounts), INT32))
        shape = tuple(e + b + a for e, (b, a) in zip(self.now.shape, amounts, strict=True))
        y = self.activation(shape, *self.quant)
        return self.op("PAD", [self.at, matrix], y, ("PadOptions", {}))

    def reshape(self, shape: tuple[int, ...], *, by_input: bool = True) -> Small:
        y = self.activation(tuple(shape), *self.quant)
        inputs = [self.at]
        if by_input:
            inputs.append(self.tensor(constant(f"s{self.at}", np.asarray(shape), INT32)))
        return self.op("RESHAPE", inputs, y, ("ReshapeOptions", {"NewShape": list(shape)}))

    def softmax(self, beta: float = 1.0) -> Small:
        y = self.activation(tuple(self.now.shape), 1 / 256, -128)
        return self.op("SOFTMAX", [self.at], y, ("SoftmaxOptions", {"Beta": beta}))

    def unary(self, code: str, scale: float | None = None, zero: int | None = None) -> Small:
        here = self.quant
        y = self.activation(
            tuple(self.now.shape),
            here[0] if scale is None else scale,
            here[1] if zero is None else zero,
        )
        return self.op(code, [self.at], y)

    def dequantize(self) -> Small:
        y = self.tensor(TensorSpec("float_out", list(self.now.shape), FLOAT32))
        return self.op("DEQUANTIZE", [self.at], y)

    def enter(self, type_code: int) -> Small:
        """Put a QUANTIZE of a float or uint8 model input in front; call this first."""
        scale, zero = self.quant
        other = TensorSpec("source_in", list(self.now.shape), type_code)
        if type_code == UINT8:
            other.scales, other.zero_points = [scale], [zero + 128]
        source = self.tensor(other)
        self.spec.inputs = [source]
        return self.op("QUANTIZE", [source], self.at)

    def leave_uint8(self) -> Small:
        scale, zero = self.quant
        y = self.activation(tuple(self.now.shape), scale, zero + 128, UINT8)
        return self.op("QUANTIZE", [self.at], y)


def extent(size: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    """Return the output extent of a window."""
    if padding == SAME:
        return -(-size // stride)
    return (size - (kernel - 1) * dilation - 1) // stride + 1
