"""Random single low-bit nodes whose weights are codes: every type of input, weight and result."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from binary_cases import CHANNELS, convolution, wrong_bytes
from kernel_driver import Kernels
from writers.random_binary import RESULTS, BinaryBuilder

from edgekit.ir.nodes import GroupCount, LutLayer
from edgekit.ir.types import DType, Padding

INPUTS = (DType.INT8, DType.INT4, DType.INT2, DType.TERNARY, DType.BINARY)
WEIGHTS = (DType.BINARY, DType.TERNARY, DType.INT2, DType.INT4, DType.INT8)
UNROLLED = "ek_unrolled"


class CodesBuilder(BinaryBuilder):
    """Draws weights of `weights`; inputs of bits become inputs of `inputs`."""

    inputs_of = DType.INT8
    weights_of = DType.TERNARY
    kept = 0.2  # of the weights, where some are left out

    def bits(self, *shape: int) -> str:
        if self.inputs_of is DType.BINARY:
            return super().bits(*shape)
        return super().bytes(*shape, dtype=self.inputs_of)

    def _bits_and_bias(self, shape: tuple[int, ...], channels: int) -> tuple[str, str]:
        dtype = self.weights_of
        drawn = self.rng.integers(dtype.low, dtype.high + 1, shape)
        if dtype is DType.BINARY:
            drawn = np.where(drawn < 0, -1, 1)
        elif self.rng.random() < 0.3 or self.kept < 0.2:
            drawn[self.rng.random(shape) >= self.kept] = 0
        weight = self.constant("weight", drawn, dtype)
        bias = self.constant("bias", self.rng.integers(-200, 200, channels), DType.INT32)
        return weight, bias


def build_tables(seed: int) -> BinaryBuilder:
    """Return a layer of look-up tables over bits, of any number of inputs."""
    builder, draw = BinaryBuilder(seed, samples=3), np.random.default_rng([seed, 17])
    shape = (2, 3, int(draw.integers(1, 70))) if seed % 5 == 0 else (int(draw.integers(1, 600)),)
    x = builder.bits(*shape)
    outputs, inputs = int(draw.choice(CHANNELS)), int(draw.integers(1, 7))
    size = builder.tensors[x].size
    places = builder.constant("places", draw.integers(0, size, (outputs, inputs)), DType.INT16)
    drawn = draw.choice([-1, 1], (outputs, 2**inputs))
    tables = builder.constant("tables", drawn, DType.BINARY)
    y = builder._tensor("tables", (outputs,), DType.BINARY)
    builder.append(LutLayer(f"TABLES {y}", x, y, places, tables))
    return builder


def build_counts(seed: int) -> BinaryBuilder:
    """Return counts of groups of bits."""
    builder, draw = BinaryBuilder(seed, samples=3), np.random.default_rng([seed, 19])
    groups, run = int(draw.integers(1, 12)), int(draw.integers(1, 150))
    x = builder.bits(groups * run)
    y = builder._tensor("counts", (groups,), DType.INT16)
    builder.append(GroupCount(f"COUNT {y}", x, y))
    return builder


def build_wide_max(seed: int) -> BinaryBuilder:
    """Return a maximum of sums of 16 or 32 bits."""
    builder, draw = BinaryBuilder(seed, samples=3), np.random.default_rng([seed, 37])
    kernel = (int(draw.integers(1, 4)), int(draw.integers(1, 4)))
    # Every window keeps a cell inside.
    padding = Padding(*(int(draw.integers(0, extent)) for extent in (*kernel, *kernel)))
    size = (int(draw.integers(3, 9)), int(draw.integers(3, 9)), int(draw.integers(1, 6)))
    x = builder.bytes(*size, dtype=(DType.INT16, DType.INT32)[seed % 2])
    stride = (int(draw.integers(1, 4)), int(draw.integers(1, 4)))
    builder.max_of_bits(x, kernel, stride, padding)
    return builder


def build_ternary(seed: int) -> CodesBuilder:
    """Return a layer of bits by weights of -1, 0 and +1."""
    return _trits(seed, DType.BINARY)


def _trits(seed: int, inputs: DType) -> CodesBuilder:
    """Few lanes are unused."""
    builder, draw = CodesBuilder(seed, samples=2), np.random.default_rng([seed, 23])
    builder.inputs_of, builder.weights_of = inputs, DType.TERNARY
    result = RESULTS[seed % len(RESULTS)] if draw.random() < 0.5 else DType.BINARY
    _layer(builder, draw, int(draw.choice((24, 31, 32, 64, 96, 130))), result)
    return builder


def build_trits(seed: int) -> CodesBuilder:
    """Return a layer of -1, 0 and +1 by weights of -1, 0 and +1."""
    return _trits(seed, DType.TERNARY)


def build_depthwise(seed: int) -> CodesBuilder:
    """Return a depthwise layer of values of any type by weights of any type."""
    builder, draw = CodesBuilder(seed, samples=2), np.random.default_rng([seed, 31])
    builder.inputs_of = INPUTS[seed % len(INPUTS)]
    builder.weights_of = WEIGHTS[seed // len(INPUTS) % len(WEIGHTS)]
    if builder.inputs_of is DType.INT8:
        builder.zero_point = int(draw.integers(-127, 127))
    result = (*RESULTS[:4], DType.INT32)[int(draw.integers(0, 5))]
    convolution(builder, draw, int(draw.integers(1, 3)), result, depthwise=True)
    return builder


def build_sparse(seed: int, kept: float = 0.03) -> CodesBuilder:
    """Return a layer with few weights of -1 and 1, on values of any type."""
    builder, draw = CodesBuilder(seed, samples=2), np.random.default_rng([seed, 29])
    builder.inputs_of, builder.weights_of = INPUTS[seed % len(INPUTS)], DType.TERNARY
    builder.kept = kept
    if builder.inputs_of is DType.INT8:
        builder.zero_point = int(draw.integers(-127, 127))
    result = RESULTS[seed % len(RESULTS)] if draw.random() < 0.5 else DType.BINARY
    _layer(builder, draw, int(draw.choice(CHANNELS)), result)
    return builder


def build_codes(seed: int) -> CodesBuilder:
    """Return case number `seed`: a fully connected layer or a convolution."""
    draw = np.random.default_rng([seed, 13])
    builder = CodesBuilder(seed, samples=2)
    builder.inputs_of = INPUTS[seed % len(INPUTS)]
    builder.weights_of = WEIGHTS[seed // len(INPUTS) % len(WEIGHTS)]
    result = RESULTS[int(draw.integers(0, len(RESULTS)))]
    if builder.inputs_of is DType.INT8:
        builder.zero_point = int(draw.integers(-127, 127))
    wide = builder.inputs_of is DType.INT8 and builder.weights_of in (DType.INT4, DType.INT8)
    result = DType.INT32 if wide and result is DType.INT16 else result
    _layer(builder, draw, int(draw.choice(CHANNELS)), result)
    return builder


def _layer(builder: CodesBuilder, draw: np.random.Generator, outputs: int, result: DType) -> None:
    if draw.random() < 0.4:
        shape = (int(draw.integers(1, 300)),) if draw.random() < 0.7 else (2, 3, 7)
        builder.binary_dense(builder.bits(*shape), outputs, result)
    else:
        convolution(builder, draw, outputs, result)


CODE_CASES: dict[str, Callable[[int], BinaryBuilder]] = {
    "ek_low_codes_s8": build_codes,
    "ek_low_codes_dsp": build_codes,
    "ek_low_depthwise": build_depthwise,
    "ek_bin_ternary": build_ternary,
    "ek_trit_ternary": build_trits,
    "ek_lut_layer": build_tables,
    "ek_group_count": build_counts,
    "ek_maxpool_wide": build_wide_max,
}


def wrong_codes(kernels: Kernels, kernel: str, seed: int) -> int:
    """Run case number `seed` where `kernel` serves it; return how many bytes differ."""
    return wrong_bytes(kernels, CODE_CASES[kernel](seed), kernel)
