"""Networks whose cells are estimated and then counted: some to fit the estimate, ten to test it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from writers.random_binary import BinaryBuilder

from edgekit.ir.graph import Graph
from edgekit.ir.lowbit import GroupCount, LowBitDense, LutLayer
from edgekit.ir.types import DType, Padding
from edgekit.target.fpga import folded, hardwired
from edgekit.target.fpga.core import Core, Resources

UP5K = Resources(lut=5280, ff=5280, carry=5280, bram=30, spram=4, dsp=8)
DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "fpga"


class SparseBuilder(BinaryBuilder):
    """Grows graphs of ternary weights of which `zeros` are 0; dense ones are binary."""

    zeros = 0.8
    samples_shown = 8

    def _bits_and_bias(self, shape: tuple[int, ...], channels: int) -> tuple[str, str]:
        if self.zeros == 0:
            return super()._bits_and_bias(shape, channels)
        values = self.rng.choice([-1, 1], shape) * (self.rng.random(shape) >= self.zeros)
        weight = self.constant("weight", values, DType.TERNARY)
        bias = self.constant("bias", np.zeros(channels, np.int64), DType.INT32)
        return weight, bias


def mlp(seed: int, widths: tuple[int, ...], zeros: float) -> Graph:
    """A perceptron of bits with sums at its end."""
    builder = SparseBuilder(seed, samples=64)
    builder.zeros, builder.never_changing = zeros, 0.0
    x = builder.bits(widths[0])
    for width in widths[1:-1]:
        x = builder.binary_dense(x, width)
    return builder.graph(builder.binary_dense(x, widths[-1], DType.INT16))


def coded(seed: int, pixels: int, levels: int, hidden: int, zeros: float) -> Graph:
    """Bytes in a thermometer code, then a perceptron."""
    builder = SparseBuilder(seed, samples=64)
    builder.zeros, builder.never_changing = zeros, 0.0
    x = builder.thermometer(builder.bytes(pixels), levels, shared=True)
    x = builder.binary_dense(x, hidden)
    return builder.graph(builder.binary_dense(x, 10, DType.INT16))


def convolution(seed: int, size: int, channels: int, zeros: float) -> Graph:
    """A convolution, a pool and a dense layer."""
    builder = SparseBuilder(seed, samples=32)
    builder.zeros, builder.never_changing = zeros, 0.0
    x = builder.binary_conv(builder.bits(size, size, 1), channels, (3, 3))
    x = builder.max_of_bits(x, (2, 2), (2, 2), Padding())
    x = builder.reshape(x, builder.tensors[x].size)
    return builder.graph(builder.binary_dense(x, 10, DType.INT16))


def tables(seed: int, inputs: int, nodes: int, groups: int, fan_in: int = 4) -> Graph:
    """Two layers of look-up tables and a count for each class."""
    builder = SparseBuilder(seed, samples=32)
    x = builder.bits(inputs)
    for count in (nodes, nodes // 2 // groups * groups):
        connections = builder.rng.integers(0, inputs, (count, fan_in))
        table = builder.rng.choice([-1, 1], (count, 1 << fan_in))
        y = builder._tensor("nodes", (count,), DType.BINARY)
        named = (
            builder.constant("connections", connections, DType.INT16),
            builder.constant("tables", table, DType.BINARY),
        )
        x, inputs = builder.append(LutLayer(f"NODES {y}", x, y, *named)), count
    y = builder._tensor("count", (groups,), DType.INT16)
    return builder.graph(builder.append(GroupCount(f"COUNT {y}", x, y)))


def trained(name: str) -> Graph:
    """One of the fixed digits networks of the data folder."""
    data = np.load(DATA / f"digits_{name}.npz")
    builder = BinaryBuilder(0, samples=8)
    x = builder.bits(data["W1"].shape[1])
    for weight, bias, thresholds in (
        (data["W1"], np.zeros(64, np.int64), data["t1"].astype(np.int64)[:, None]),
        (data["W2"], data["b2"].astype(np.int64), None),
    ):
        out = len(weight)
        y = builder._tensor("y", (out,), DType.INT16 if thresholds is None else DType.BINARY)
        named = (
            builder.constant("weight", weight.astype(np.int64), DType.TERNARY),
            builder.constant("bias", bias, DType.INT32),
        )
        limits = None
        if thresholds is not None:
            limits = builder.constant("thresholds", thresholds, DType.INT32)
        low = 0 if thresholds is None else -1
        x = builder.append(LowBitDense(f"DENSE {y}", x, y, *named, 0, limits, low))
    return builder.graph(x)


@dataclass(frozen=True)
class Case:
    """A network in one style; `use` says whether the estimate was fitted on it."""

    name: str
    use: Literal["fit", "test"]
    style: Literal["hardwired", "folded"]
    graph: Callable[[], Graph]
    stages: int | None = None
    rate_hz: float = 10_000.0

    def core(self) -> Core:
        """Return its RTL."""
        if self.style == "hardwired":
            return hardwired.generate(self.graph(), stages=self.stages)
        return folded.generate(self.graph(), UP5K, rate_hz=self.rate_hz, clock_hz=12e6)


def hard(name: str, use: Literal["fit", "test"], graph: Callable[[], Graph], **kw: int) -> Case:
    return Case(name, use, "hardwired", graph, **kw)


def fold(name: str, use: Literal["test", "test"], graph: Callable[[], Graph], hz: float) -> Case:
    return Case(name, use, "folded", graph, rate_hz=hz)


CASES: tuple[Case, ...] = (
    hard("mlp 32-16-4, 50 % zeros", "fit", lambda: mlp(1, (32, 16, 4), 0.5)),
    hard("mlp 64-32-10, 80 % zeros", "fit", lambda: mlp(2, (64, 32, 10), 0.8)),
    hard("mlp 48-24-6, dense", "fit", lambda: mlp(3, (48, 24, 6), 0.0)),
    hard("mlp 64-64-10, 90 % zeros, 6 stages", "fit", lambda: mlp(4, (64, 64, 10), 0.9), stages=6),
    hard("coded 16x3-32-10, 85 % zeros", "fit", lambda: coded(5, 16, 3, 32, 0.85)),
    hard("conv 8x8, 4 channels", "fit", lambda: convolution(6, 8, 4, 0.5)),
    hard("tables 60, 100-50", "fit", lambda: tables(7, 60, 100, 10)),
    hard("trained bin p90", "fit", lambda: trained("bin_64-64-10_p90")),
    hard("mlp 40-20-20-5, 70 % zeros", "test", lambda: mlp(11, (40, 20, 20, 5), 0.7)),
    hard(
        "mlp 64-48-10, 85 % zeros, 4 stages", "test", lambda: mlp(12, (64, 48, 10), 0.85), stages=4
    ),
    hard("mlp 24-24-8, dense", "test", lambda: mlp(13, (24, 24, 8), 0.0)),
    hard("coded 12x2-20-10, 70 % zeros", "test", lambda: coded(14, 12, 2, 20, 0.7)),
    hard("conv 6x6, 6 channels, dense", "test", lambda: convolution(15, 6, 6, 0.0)),
    hard("tables 90, 160-80", "test", lambda: tables(16, 90, 160, 10)),
    hard("trained bin p80", "test", lambda: trained("bin_64-64-10_p80")),
    hard("trained therm3 p90", "test", lambda: trained("therm3_192-64-10_p90")),
    fold("mlp 64-64-10, 10 kHz", "test", lambda: mlp(21, (64, 64, 10), 0.0), 10e3),
    fold("mlp 128-64-10, 100 kHz", "fit", lambda: mlp(22, (128, 64, 10), 0.0), 100e3),
    fold("coded 36x3-32-10, 20 kHz", "test", lambda: coded(23, 36, 3, 32, 0.0), 20e3),
    fold("conv 12x12, 8 channels, 2 kHz", "test", lambda: convolution(24, 12, 8, 0.0), 2e3),
    fold("conv 10x10, 4 channels, 20 kHz", "test", lambda: convolution(25, 10, 4, 0.0), 20e3),
    fold("mlp 96-96-32-8, 40 kHz", "test", lambda: mlp(26, (96, 96, 32, 8), 0.0), 40e3),
    fold("mlp 80-40-10, 30 kHz", "test", lambda: mlp(31, (80, 40, 10), 0.0), 30e3),
    fold("mlp 256-64-64-10, 5 kHz", "test", lambda: mlp(32, (256, 64, 64, 10), 0.0), 5e3),
    fold("coded 25x4-48-10, 50 kHz", "test", lambda: coded(33, 25, 4, 48, 0.0), 50e3),
    fold("conv 14x14, 6 channels, 5 kHz", "test", lambda: convolution(34, 14, 6, 0.0), 5e3),
    fold("mlp 64-128-10, ternary, 20 kHz", "test", lambda: mlp(35, (64, 128, 10), 0.6), 20e3),
    fold("mlp 72-56-12, 50 kHz", "test", lambda: mlp(36, (72, 56, 12), 0.0), 50e3),
    fold("mlp 48-80-8, ternary, 15 kHz", "test", lambda: mlp(37, (48, 80, 8), 0.6), 15e3),
    fold("conv 16x16, 5 channels, 3 kHz", "test", lambda: convolution(38, 16, 5, 0.0), 3e3),
    fold("coded 30x2-24-10, 8 kHz", "test", lambda: coded(39, 30, 2, 24, 0.0), 8e3),
)
