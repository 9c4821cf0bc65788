"""Builders of the kernels' cases: random single-node graphs, aimed away from saturation."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from writers.random_graphs import GraphBuilder

from edgekit.ir.arithmetic import quantize_multiplier
from edgekit.ir.nodes import Add, Pad
from edgekit.ir.types import DType, Requant, Rounding


class CaseBuilder(GraphBuilder):
    """Also draws limits on one side only, and scales that are powers of two, which make ties."""

    general = False  # additions keep the form of their source

    def _limits(self) -> tuple[int, int]:
        low, high = super()._limits()
        kind = self.rng.integers(0, 4)
        return (low if kind != 1 else -128), (high if kind != 2 else 127)

    def requant(self, acc: NDArray[np.int64], channels: int) -> Requant:
        drawn = super().requant(acc, channels)
        if self.rng.random() < 0.7:
            return drawn
        unit = 1 << (23 if self.rounding is Rounding.FLOAT32_RNE else 30)
        return dataclasses.replace(drawn, multiplier=tuple(unit for _ in drawn.multiplier))


class WideBuilder(CaseBuilder):
    """Activations of 16 bits, at zero point 0."""

    def zero(self) -> int:
        return 0

    def _tensor(self, stem: str, shape: tuple[int, ...], dtype: DType = DType.INT16) -> str:
        return super()._tensor(stem, shape, dtype)

    def requant(self, acc: NDArray[np.int64], channels: int) -> Requant:
        drawn = super().requant(acc, channels)
        low, high = drawn.low * 256, drawn.high * 256 + 255
        # 8 bits more: results spread over int16.
        shift = tuple(min(e + 8, 0) for e in drawn.shift)
        return dataclasses.replace(drawn, shift=shift, zero_point=0, low=low, high=high)

    def add(self, a: str, b: str) -> str:
        y = self._tensor("add", self.tensors[a].shape)
        scales = self.rng.uniform(0.2, 0.9, 2)
        top = 2 * float(scales.max())
        pair = [quantize_multiplier(float(scale) / top) for scale in scales]
        out = quantize_multiplier(top / 2**15 * float(self.rng.uniform(0.3, 1.0)))
        low, high = (limit * 256 for limit in self._limits())
        requant = Requant((out[0],), (out[1],), 0, low, high, self.rounding)
        minus = bool(self.rng.integers(0, 2))
        return self.append(Add(f"ADD {y}", a, b, y, 0, 0, 15, pair[0], pair[1], requant, minus))

    def pad(self, x: str, before: tuple[int, ...], after: tuple[int, ...]) -> str:
        shape = self.tensors[x].shape
        y = self._tensor(
            "pad", tuple(b + s + a for b, s, a in zip(before, shape, after, strict=True))
        )
        return self.append(Pad(f"PAD {y}", x, y, before, after, 0))


class RectifiedBuilder(CaseBuilder):
    """Clamps at the zero point, as a rectifier does, in three of four cases."""

    def _weights(self, shape: tuple[int, ...], channels: int) -> tuple[str, str]:
        """Biases beyond 16 bits in one of eight cases."""
        weight, bias = super()._weights(shape, channels)
        if self.seed % 8 == 3:
            values = self.constants[bias] + self.rng.integers(-60_000, 60_000, channels)
            values.setflags(write=False)
            self.constants[bias] = values
        return weight, bias

    def requant(self, acc: NDArray[np.int64], channels: int) -> Requant:
        drawn = super().requant(acc, channels)
        if self.rng.random() < 0.25 or drawn.zero_point >= drawn.high:
            return drawn
        return dataclasses.replace(drawn, low=max(drawn.zero_point, -128))


class FewBitsBuilder(CaseBuilder):
    """Weights of 1, 2 or 4 bits."""

    def _weights(self, shape: tuple[int, ...], channels: int) -> tuple[str, str]:
        dtype = (DType.BINARY, DType.TERNARY, DType.INT2, DType.INT4)[self.rng.integers(0, 4)]
        drawn = self.rng.integers(dtype.low, dtype.high + 1, shape)
        if dtype is DType.BINARY:
            drawn = np.where(drawn < 0, -1, 1)
        # A layer may use less than its type holds.
        drawn = drawn.clip(-1) if self.rng.random() < 0.2 else drawn
        weight = self.constant("weight", drawn, dtype)
        bias = self.constant("bias", self.rng.integers(-2000, 2000, channels), DType.INT32)
        return weight, bias
