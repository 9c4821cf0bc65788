"""Random nodes on bits: sums compared with thresholds near their middle, so that outputs vary."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from writers.random_graphs import GraphBuilder

from edgekit.ir.geometry import window_shape
from edgekit.ir.interp.lowbit import low_bit_accumulators
from edgekit.ir.lowbit import LowBitSum
from edgekit.ir.nodes import (
    LowBitConv2D,
    LowBitDense,
    LowBitDepthwiseConv2D,
    MaxPool,
    Thermometer,
    Threshold,
)
from edgekit.ir.types import DType, Padding

Ints = NDArray[np.int64]
# What a sum may become: bits, a few levels, the sum itself.
RESULTS = (DType.BINARY, DType.TERNARY, DType.INT4, DType.INT8, DType.INT16, DType.INT32)


class BinaryBuilder(GraphBuilder):
    """Grows graphs of low-bit nodes; what moves values moves bits."""

    never_changing = 0.125  # share of channels whose thresholds no or every sum passes

    def _tensor(self, stem: str, shape: tuple[int, ...], dtype: DType = DType.BINARY) -> str:
        return super()._tensor(stem, shape, dtype)

    zero_point = 0

    def bits(self, *shape: int) -> str:
        """Append an input of bits."""
        name = self._tensor("bits", shape, DType.BINARY)
        self.inputs.append(self._edge(name))
        self.values[name] = self.rng.choice([-1, 1], (self.samples, *shape))
        return name

    def bytes(self, *shape: int, dtype: DType = DType.INT8) -> str:
        """Append an input of `dtype`, small values as likely as large ones."""
        name = self._tensor("bytes", shape, dtype)
        self.inputs.append(self._edge(name))
        spread = np.clip(
            self.rng.normal(0, dtype.high / 2, (self.samples, *shape)), dtype.low, None
        )
        self.values[name] = np.minimum(spread, dtype.high).astype(np.int64)
        return name

    def binary_dense(self, x: str, outputs: int, result: DType = DType.BINARY) -> str:
        shape = (outputs, self.tensors[x].size)
        weight, bias = self._bits_and_bias(shape, outputs)
        y = self._tensor("dense", (outputs,), result)
        draft = LowBitDense(f"DENSE {y}", x, y, weight, bias, self.zero_point, None, 0)
        thresholds, low = self._thresholds(draft, outputs, result)
        placed = (weight, bias, self.zero_point)
        return self.append(LowBitDense(f"DENSE {y}", x, y, *placed, thresholds, low))

    def binary_conv(
        self,
        x: str,
        channels: int,
        kernel: tuple[int, int] = (3, 3),
        *,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        padding: Padding | None = None,
        padding_value: int = 0,
        result: DType = DType.BINARY,
        depthwise: bool = False,
    ) -> str:
        """Append a convolution; `channels` is the multiplier of a depthwise one."""
        source = self.tensors[x].shape
        padding = padding if padding is not None else Padding()
        channels *= source[2] if depthwise else 1
        shape = (*kernel, channels) if depthwise else (channels, *kernel, source[2])
        weight, bias = self._bits_and_bias(shape, channels)
        size = window_shape((source[0], source[1]), kernel, stride, dilation, padding)
        y = self._tensor("conv", (*size, channels), result)
        kind = LowBitDepthwiseConv2D if depthwise else LowBitConv2D
        placed = (stride, dilation, padding, padding_value, self.zero_point)
        draft = kind(f"CONV {y}", x, y, weight, bias, *placed, None, 0)
        thresholds, low = self._thresholds(draft, channels, result)
        return self.append(kind(f"CONV {y}", x, y, weight, bias, *placed, thresholds, low))

    def threshold(self, x: str, result: DType, *, shared: bool) -> str:
        channels = 1 if shared else self.tensors[x].shape[-1]
        values = self._rising(self.values[x], channels, self._levels(result))
        name = self.constant("thresholds", values, DType.INT32)
        y = self._tensor("step", self.tensors[x].shape, result)
        low = -1 if result is DType.BINARY else int(self.rng.integers(result.low, 0))
        low = min(low, result.high - values.shape[1]) if result is not DType.BINARY else low
        return self.append(Threshold(f"STEP {y}", x, y, name, low))

    def thermometer(self, x: str, levels: int, *, shared: bool) -> str:
        shape = self.tensors[x].shape
        values = self._rising(self.values[x], 1 if shared else shape[-1], levels)
        name = self.constant("thresholds", values, DType.INT32)
        y = self._tensor("code", (*shape[:-1], shape[-1] * levels), DType.BINARY)
        return self.append(Thermometer(f"CODE {y}", x, y, name))

    def max_of_bits(
        self, x: str, kernel: tuple[int, int], stride: tuple[int, int], padding: Padding
    ) -> str:
        source = self.tensors[x]
        size = window_shape((source.shape[0], source.shape[1]), kernel, stride, (1, 1), padding)
        y = self._tensor("max", (*size, source.shape[2]), source.dtype)
        limits = (source.dtype.low, source.dtype.high)
        return self.append(MaxPool(f"MAX {y}", x, y, kernel, stride, padding, *limits))

    def _bits_and_bias(self, shape: tuple[int, ...], channels: int) -> tuple[str, str]:
        weight = self.constant("weight", self.rng.choice([-1, 1], shape), DType.BINARY)
        bias = self.constant("bias", self.rng.integers(-9, 10, channels), DType.INT32)
        return weight, bias

    def _thresholds(self, draft: LowBitSum, channels: int, result: DType) -> tuple[str | None, int]:
        if result in (DType.INT16, DType.INT32):
            return None, 0
        arrays = self.values[draft.x], self.constants[draft.weight], self.constants[draft.bias]
        values = self._rising(low_bit_accumulators(draft, *arrays), channels, self._levels(result))
        low = -1 if result is DType.BINARY else result.high - values.shape[1]
        return self.constant("thresholds", values, DType.INT32), low

    def _levels(self, result: DType) -> int:
        if result is DType.BINARY:
            return 1
        return int(self.rng.integers(1, min(result.high - result.low, 9) + 1))

    def _rising(self, values: Ints, channels: int, levels: int) -> Ints:
        """Draw thresholds among values; some rows are never or always passed."""
        drawn = self.rng.choice(values.ravel(), (channels, levels))
        drawn += self.rng.integers(0, 2, drawn.shape)
        far = self.rng.random(channels) < self.never_changing
        drawn[far] = self.rng.choice([-(1 << 20), 1 << 20], (int(far.sum()), 1))
        return np.sort(np.minimum(drawn, DType.INT32.high), axis=1)
