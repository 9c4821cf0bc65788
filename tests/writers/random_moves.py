"""What GraphBuilder draws beyond layers: products, tables, and nodes that move values."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.arithmetic import float32_scale, quantize_multiplier
from edgekit.ir.nodes import (
    AveragePool,
    Concat,
    Lut8,
    Mul,
    Node,
    ResizeBilinear,
    ResizeNearest,
    Slice,
    Transpose,
)
from edgekit.ir.types import DType, Padding, Requant, Rounding, Tensor

Ints = NDArray[np.int64]


class Moves:
    """Methods of GraphBuilder; each appends one node and returns its tensor."""

    if TYPE_CHECKING:
        seed: int
        rng: np.random.Generator
        rounding: Rounding
        tensors: dict[str, Tensor]
        values: dict[str, Ints]

        def append(self, node: Node) -> str: ...
        def constant(self, name: str, value: Ints, dtype: DType) -> str: ...
        def requant(self, acc: Ints, channels: int) -> Requant: ...
        def zero(self) -> int: ...
        def _limits(self) -> tuple[int, int]: ...
        def _tensor(self, stem: str, shape: tuple[int, ...]) -> str: ...

    def move(self, x: str, same: str) -> str:
        """Append one of the nodes below at random; `same` has the shape of x."""
        match int(self.rng.integers(0, 6)):
            case 0:
                return self.mul(x, same)
            case 1:
                return self.lut(x)
            case 2:
                joined = self.concat(int(self.rng.integers(0, 3)), x, same)
                return self.slice(joined)
            case 3:
                return self.transpose(x, *(int(v) for v in self.rng.permutation(3)))
            case 4:
                resize = self.resize_nearest if self.rng.random() < 0.5 else self.resize_bilinear
                return resize(x, *(int(v) for v in self.rng.integers(1, 12, 2)))
            case _:
                return self.mean(x, (1, self.tensors[x].shape[1]))

    def mul(self, a: str, b: str) -> str:
        y = self._tensor("mul", self.tensors[a].shape)
        zeros = self.zero(), self.zero()
        factor = (self.values[b] - zeros[1]).reshape(len(self.values[b]), 1, -1)
        centred = (self.values[a] - zeros[0]).reshape(len(factor), -1, factor.shape[2])
        requant, addend = self.requant(centred * factor, 1), 0
        if self.rounding is Rounding.FLOAT32_RNE and self.seed % 2:
            # A uint8 source: its zero point is added in float32.
            requant, addend = replace(requant, zero_point=-128), requant.zero_point + 128
        return self.append(Mul(f"MUL {y}", a, b, y, *zeros, requant, addend))

    def lut(self, x: str) -> str:
        rows = self.tensors[x].shape[-1:] if self.rng.random() < 0.4 else ()
        table = self.constant("lut", self.rng.integers(-128, 128, (*rows, 256)), DType.INT8)
        y = self._tensor("lut", self.tensors[x].shape)
        return self.append(Lut8(f"LUT {y}", x, y, table))

    def concat(self, axis: int, *xs: str) -> str:
        shape = list(self.tensors[xs[0]].shape)
        shape[axis] = sum(self.tensors[x].shape[axis] for x in xs)
        y = self._tensor("concat", tuple(shape))
        return self.append(Concat(f"CONCAT {y}", xs, y, axis))

    def transpose(self, x: str, *order: int) -> str:
        shape = self.tensors[x].shape
        y = self._tensor("turned", tuple(shape[axis] for axis in order))
        return self.append(Transpose(f"TRANSPOSE {y}", x, y, order))

    def slice(self, x: str) -> str:
        """Append a random slice, backwards along some axes."""
        start, step, extent = [], [], []
        for size in self.tensors[x].shape:
            first, last = (int(v) for v in self.rng.integers(0, size, 2))
            start.append(first)
            stride = int(self.rng.integers(1, 4))
            step.append(stride if last >= first else -stride)
            extent.append(abs(last - first) // stride + 1)
        y = self._tensor("slice", tuple(extent))
        return self.append(Slice(f"SLICE {y}", x, y, tuple(start), tuple(step)))

    def resize_nearest(self, x: str, height: int, width: int) -> str:
        rows, columns, channels = self.tensors[x].shape
        places: list[Any] = [
            tuple(int(v) for v in np.sort(self.rng.integers(0, extent, count)))
            for extent, count in ((rows, height), (columns, width))
        ]
        y = self._tensor("resized", (height, width, channels))
        return self.append(ResizeNearest(f"RESIZE {y}", x, y, *places))

    def resize_bilinear(self, x: str, height: int, width: int) -> str:
        rows, columns, channels = self.tensors[x].shape
        places: list[Any] = []
        for extent, count in ((rows, height), (columns, width)):
            first = np.sort(self.rng.integers(0, extent, count))
            second = np.minimum(first + self.rng.integers(0, 2, count), extent - 1)
            share = np.where(self.rng.random(count) < 0.4, 512, self.rng.integers(0, 1025, count))
            places.append(tuple(zip(*(v.tolist() for v in (first, second, share)), strict=True)))
        y = self._tensor("resized", (height, width, channels))
        return self.append(ResizeBilinear(f"RESIZE {y}", x, y, *places))

    def mean(self, x: str, kernel: tuple[int, int]) -> str:
        """Append a mean between scales, as TFLite's MEAN: its multiplier may be below 2**30."""
        rows, columns, channels = self.tensors[x].shape
        y = self._tensor("mean", (rows // kernel[0], columns // kernel[1], channels))
        cells = math.prod(kernel)
        real = float(self.rng.uniform(0.4, 2.0))
        multiplier, shift = quantize_multiplier(real)
        bits = cells.bit_length() - 1
        scale = ((multiplier << bits) // cells, shift - bits)
        if self.rounding is Rounding.FLOAT32_RNE:
            scale = float32_scale(np.float32(real / cells))
        low, high = self._limits()
        zeros = self.zero(), self.zero()
        requant = Requant((scale[0],), (scale[1],), zeros[1], low, high, self.rounding)
        return self.append(
            AveragePool(f"MEAN {y}", x, y, kernel, kernel, Padding(), zeros[0], low, high, requant)
        )
