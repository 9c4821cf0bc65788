"""Builds small random models with 16-bit activations: TFLite's 16x8 quantization."""

from __future__ import annotations

import numpy as np
from writers.tflite_small import VALID, Small, extent, f32
from writers.tflite_writer import FLOAT32, INT16, INT32, INT64, TensorSpec, constant

_SPREAD = 9000.0  # about the standard deviation of an activation's integers


class Wide(Small):
    """A model of 16-bit activations under construction."""

    def __init__(self, seed: int, shape: tuple[int, ...]) -> None:
        scale = f32(np.random.default_rng([seed, 3]).uniform(2e-5, 2e-4))
        super().__init__(seed, shape, scale=scale, zero=0)
        self.now.type_code = INT16
        self.spread = 19000.0

    def wide(self, shape: tuple[int, ...], scale: float) -> int:
        return self.activation(shape, scale, 0, INT16)

    def conv(self, channels: int, kernel: tuple[int, int], **more: int) -> Wide:
        """Append CONV_2D; `more`: stride, dilation, padding, activation."""
        stride, dilation = more.get("stride", 1), more.get("dilation", 1)
        padding, activation = more.get("padding", VALID), more.get("activation", 0)
        batch, height, width, depth = self.now.shape
        filters = (channels, *kernel, depth)
        weights, scales = self.weights(filters, 0, True, 0.004)
        deviation = 74 * self.spread * np.sqrt(np.prod(filters[1:]))
        bias = constant(
            f"b{len(self.spec.tensors)}",
            self.rng.normal(0, deviation / 2, channels).round(),
            INT64,
            scales=[float(s) for s in np.float32(self.quant[0]) * scales],
            zero_points=[0] * channels,
        )
        size = [
            extent(n, k, stride, dilation, padding)
            for n, k in zip((height, width), kernel, strict=True)
        ]
        out = f32(self.quant[0] * float(scales.mean()) * deviation / _SPREAD)
        y = self.wide((batch, *size, channels), out)
        options = {
            "Padding": padding,
            "StrideH": stride,
            "StrideW": stride,
            "DilationHFactor": dilation,
            "DilationWFactor": dilation,
            "FusedActivationFunction": activation,
        }
        inputs = [self.at, weights, self.tensor(bias)]
        self.spread = _SPREAD
        self.op("CONV_2D", inputs, y, ("Conv2DOptions", options))
        return self

    def join(self, code: str, other: int) -> Wide:
        """Append ADD or SUB."""
        scale = float(self.spec.tensors[other].scales[0])  # type: ignore[index]
        y = self.wide(tuple(self.now.shape), f32(np.hypot(scale, self.quant[0])))
        options = (f"{code.title()}Options", {"PotScaleInt16": False})
        self.op(code, [self.at, other], y, options)
        return self

    def leaky(self, alpha: float, ratio: float) -> Wide:
        y = self.wide(tuple(self.now.shape), f32(self.quant[0] * ratio))
        self.op("LEAKY_RELU", [self.at], y, ("LeakyReluOptions", {"Alpha": alpha}))
        return self

    def rescale(self, ratio: float) -> Wide:
        y = self.wide(tuple(self.now.shape), f32(self.quant[0] * ratio))
        self.op("QUANTIZE", [self.at], y)
        return self

    def around(self, amounts: list[list[int]]) -> Wide:
        shape = [n + sum(a) for n, a in zip(self.now.shape, amounts, strict=True)]
        matrix = self.tensor(constant(f"p{self.at}", np.asarray(amounts), INT32))
        self.op(
            "PAD", [self.at, matrix], self.wide(tuple(shape), self.quant[0]), ("PadOptions", {})
        )
        return self

    def part(self, begin: list[int], size: list[int]) -> Wide:
        ends = [b + n for b, n in zip(begin, size, strict=True)]
        rows = (begin, ends, [1] * len(begin))
        inputs = [
            self.tensor(constant(f"s{self.at}_{k}", np.asarray(row), INT32))
            for k, row in enumerate(rows)
        ]
        y = self.wide(tuple(size), self.quant[0])
        self.op("STRIDED_SLICE", [self.at, *inputs], y, ("StridedSliceOptions", {}))
        return self

    def concat(self, other: int, axis: int) -> Wide:
        shape = list(self.now.shape)
        shape[axis] += self.spec.tensors[other].shape[axis]
        y = self.wide(tuple(shape), self.quant[0])
        options = ("ConcatenationOptions", {"Axis": axis})
        self.op("CONCATENATION", [self.at, other], y, options)
        return self

    def turn(self, order: list[int]) -> Wide:
        axes = self.tensor(constant(f"o{self.at}", np.asarray(order), INT32))
        y = self.wide(tuple(self.now.shape[k] for k in order), self.quant[0])
        self.op("TRANSPOSE", [self.at, axes], y, ("TransposeOptions", {}))
        return self

    def from_float(self) -> Wide:
        """Put a QUANTIZE of a float model input in front; call this first."""
        source = self.tensor(TensorSpec("source_in", list(self.now.shape), FLOAT32))
        self.spec.inputs = [source]
        self.op("QUANTIZE", [source], self.at)
        return self
