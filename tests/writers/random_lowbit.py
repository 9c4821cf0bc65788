"""Random chains of low-bit nodes: what an FPGA computes, from the input to the scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from writers.random_binary import BinaryBuilder

from edgekit.ir.nodes import GroupCount, LutLayer, Pad, Reshape, Transpose
from edgekit.ir.ranges import value_ranges
from edgekit.ir.types import DType, Edge, Padding

_WEIGHTS = {
    DType.BINARY: (-1, 1),
    DType.TERNARY: (-1, 0, 0, 1),
    DType.INT2: (-2, -1, 0, 1),
    DType.INT4: tuple(range(-8, 8)),
    DType.INT8: tuple(range(-128, 128)),
}
_NARROW = (DType.BINARY, DType.TERNARY, DType.INT2)


class ChainBuilder(BinaryBuilder):
    """Grows a chain: each method appends one node to `last`, with sizes that fit it."""

    weights = DType.BINARY

    def start(self, *shape: int, dtype: DType) -> None:
        """Begin with an input of `dtype`."""
        binary = dtype is DType.BINARY
        self.last = self.bits(*shape) if binary else self.bytes(*shape, dtype=dtype)

    def pick(self, *values: int) -> int:
        return int(self.rng.choice(values))

    def reach(self) -> tuple[int, int]:
        """Return the lowest and highest value that `last` can have."""
        return value_ranges(self.graph(self.last))[self.last]

    def draw_sum(self, weights: DType, result: DType) -> DType:
        """Choose a zero point; a sum that 16 bits may not hold becomes one of 32."""
        self.weights = weights
        low, high = self.reach()
        self.zero_point = int(self.rng.integers(min(low, 0), max(high, 0) + 1))
        if self.tensors[self.last].dtype is DType.BINARY and self.rng.random() < 0.7:
            self.zero_point = 0
        wide = weights not in _NARROW or max(abs(low), abs(high)) > 8
        return DType.INT32 if result is DType.INT16 and wide else result

    def dense(self, outputs: int, weights: DType, result: DType) -> None:
        result = self.draw_sum(weights, result)
        self.last = self.binary_dense(self.last, outputs, result)

    def conv(
        self, channels: int, weights: DType, result: DType, *, depthwise: bool = False
    ) -> None:
        shape = self.tensors[self.last].shape
        result = self.draw_sum(weights, result)
        kernel = tuple(int(v) for v in self.rng.integers(1, 1 + np.minimum(3, shape[:2])))
        wide = all(2 * (k - 1) < extent for k, extent in zip(kernel, shape, strict=False))
        low, high = self.reach()
        cell = int(self.rng.choice([low, high])) - self.zero_point
        self.last = self.binary_conv(
            self.last,
            channels,
            (kernel[0], kernel[1]),
            stride=(self.pick(1, 2), self.pick(1, 1, 2)),
            dilation=(2, 2) if wide and self.rng.random() < 0.3 else (1, 1),
            padding=Padding(*(int(v) for v in self.rng.integers(0, 2, 4))),
            padding_value=cell if self.rng.random() < 0.6 and low <= 0 <= high else 0,
            result=result,
            depthwise=depthwise,
        )

    def pool(self) -> None:
        shape = self.tensors[self.last].shape
        kernel = (min(2, shape[0]), min(2, shape[1]))
        around = Padding(*(int(v) for v in self.rng.integers(0, kernel * 2)))
        self.last = self.max_of_bits(self.last, kernel, (1, self.pick(1, 2)), around)

    def cells(self) -> None:
        """Append a pad."""
        tensor = self.tensors[self.last]
        sides = [tuple(int(v) for v in self.rng.integers(0, 2, len(tensor.shape))) for _ in "ab"]
        shape = tuple(n + a + b for n, a, b in zip(tensor.shape, *sides, strict=True))
        y = self._tensor("pad", shape, tensor.dtype)
        value = int(self.rng.choice(self.reach()))
        self.last = self.append(Pad(f"PAD {y}", self.last, y, sides[0], sides[1], value))

    def flatten(self) -> None:
        tensor = self.tensors[self.last]
        y = self._tensor("flat", (tensor.size,), tensor.dtype)
        self.last = self.append(Reshape(f"FLAT {y}", self.last, y))

    def turn(self) -> None:
        """Append a transposition."""
        tensor = self.tensors[self.last]
        order = tuple(int(v) for v in self.rng.permutation(len(tensor.shape)))
        y = self._tensor("turn", tuple(tensor.shape[axis] for axis in order), tensor.dtype)
        self.last = self.append(Transpose(f"TURN {y}", self.last, y, order))

    def steps(self, result: DType) -> None:
        self.last = self.threshold(self.last, result, shared=self.pick(0, 1) > 0)

    def codes(self, levels: int) -> None:
        """Append a thermometer."""
        self.last = self.thermometer(self.last, levels, shared=self.pick(0, 1) > 0)

    def luts(self, outputs: int, fan_in: int) -> None:
        """Append look-up tables at random places."""
        size = self.tensors[self.last].size
        places = self.constant("places", self.rng.integers(0, size, (outputs, fan_in)), DType.INT16)
        drawn = self.rng.choice([-1, 1], (outputs, 2**fan_in))
        tables = self.constant("tables", drawn, DType.BINARY)
        y = self._tensor("tables", (outputs,))
        self.last = self.append(LutLayer(f"TABLES {y}", self.last, y, places, tables))

    def counts(self, groups: int) -> None:
        """Append a count of the bits of each group."""
        y = self._tensor("count", (groups,), DType.INT16)
        self.last = self.append(GroupCount(f"COUNT {y}", self.last, y))

    def _edge(self, name: str) -> Edge:
        found = super()._edge(name)
        return replace(found, source_dtype="int32") if found.dtype is DType.INT32 else found

    def _bits_and_bias(self, shape: tuple[int, ...], channels: int) -> tuple[str, str]:
        drawn = self.rng.choice(_WEIGHTS[self.weights], shape)
        weight = self.constant("weight", drawn, self.weights)
        bias = self.constant("bias", self.rng.integers(-9, 10, channels), DType.INT32)
        return weight, bias


def random_chain(seed: int, samples: int = 24) -> ChainBuilder:
    """Return chain number `seed`; eight in a row have every kind of node and weight."""
    chain = ChainBuilder(seed, samples=samples)
    _CHAINS[seed % len(_CHAINS)](chain)
    return chain


def _bits_of_an_image(chain: ChainBuilder) -> None:
    chain.start(6, 5, 3, dtype=DType.INT8)
    chain.codes(2)
    chain.conv(chain.pick(4, 33), DType.BINARY, DType.BINARY)
    chain.pool()
    chain.flatten()
    chain.dense(10, DType.BINARY, DType.INT16)


def _ternary_vector(chain: ChainBuilder) -> None:
    chain.start(chain.pick(31, 40), dtype=DType.BINARY)
    chain.dense(24, DType.TERNARY, DType.BINARY)
    chain.dense(12, DType.TERNARY, DType.TERNARY)
    chain.dense(5, DType.INT2, DType.INT16)


def _levels_of_an_image(chain: ChainBuilder) -> None:
    chain.start(5, 7, 2, dtype=DType.INT8)
    chain.conv(6, DType.INT4, DType.INT4)
    chain.conv(2, DType.TERNARY, DType.INT2, depthwise=True)
    chain.cells()
    chain.conv(4, DType.TERNARY, DType.INT16)
    chain.steps(DType.BINARY)


def _tables(chain: ChainBuilder) -> None:
    chain.start(chain.pick(12, 20), dtype=DType.INT8)
    chain.codes(3)
    chain.luts(48, 6)
    chain.luts(36, chain.pick(1, 2, 4))
    chain.counts(4)


def _signal(chain: ChainBuilder) -> None:
    chain.start(1, 20, 4, dtype=DType.INT8)
    chain.steps(DType.BINARY)
    chain.conv(8, DType.BINARY, DType.BINARY)
    chain.conv(1, DType.BINARY, DType.BINARY, depthwise=True)
    chain.pool()
    chain.dense(6, DType.TERNARY, DType.INT32)


def _bytes(chain: ChainBuilder) -> None:
    chain.start(chain.pick(9, 14), dtype=DType.INT8)
    chain.dense(11, DType.INT8, DType.INT8)
    chain.steps(DType.INT4)
    chain.dense(7, DType.INT8, DType.INT32)


def _sums_between(chain: ChainBuilder) -> None:
    chain.start(4, 6, 2, dtype=DType.BINARY)
    chain.turn()
    chain.cells()
    chain.conv(5, DType.TERNARY, DType.INT16)
    chain.pool()
    chain.steps(DType.INT2)
    chain.dense(5, DType.INT2, DType.BINARY)


def _wide(chain: ChainBuilder) -> None:
    chain.start(3, 4, 3, dtype=DType.INT16)
    chain.conv(1, DType.INT2, DType.INT32, depthwise=True)
    chain.codes(2)
    chain.conv(34, DType.BINARY, DType.BINARY)


_CHAINS = (
    _bits_of_an_image,
    _ternary_vector,
    _levels_of_an_image,
    _tables,
    _signal,
    _bytes,
    _sums_between,
    _wide,
)
