"""Networks whose cells are estimated and then counted: some to fit the estimate, ten to test it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from writers.random_binary import BinaryBuilder

from edgekit.frontend import load
from edgekit.ir.graph import Graph
from edgekit.ir.lowbit import GroupCount, LowBitDense, LutLayer
from edgekit.ir.types import DType, Padding
from edgekit.passes import optimize
from edgekit.target.fpga import folded, hardwired
from edgekit.target.fpga.core import Core, Resources

UP5K = Resources(lut=5280, ff=5280, carry=5280, bram=30, spram=4, dsp=8)
DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "fpga"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BESIDE_INPUTS = Resources(lut=4110, ff=4660, carry=4110, bram=17, spram=2, dsp=8)  # on a UP5K


class SparseBuilder(BinaryBuilder):
    """Grows graphs of ternary weights of which `zeros` are 0; dense ones are binary."""

    zeros = 0.8
    samples_shown = 8
    weight_type: DType | None = None  # of all values alike, in place of pruned ones

    def _bits_and_bias(self, shape: tuple[int, ...], channels: int) -> tuple[str, str]:
        kind = self.weight_type
        if kind is not None:
            drawn = self.rng.integers(kind.low, kind.high + 1, shape)
            bias = self.constant("bias", self.rng.integers(-9, 10, channels), DType.INT32)
            return self.constant("weight", drawn, kind), bias
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


def levels(seed: int, shape: tuple[int, ...], channels: int, weight: DType, out: DType) -> Graph:
    """Bytes in two convolutions of weights and activations of any type, then a dense layer."""
    builder = SparseBuilder(seed, samples=32)
    builder.weight_type, builder.never_changing = weight, 0.0
    kernel = (min(shape[0], 3), 3)
    x = builder.binary_conv(builder.bytes(*shape), channels, kernel, result=out)
    x = builder.binary_conv(x, channels, kernel, stride=(1, 2), result=out)
    x = builder.reshape(x, builder.tensors[x].size)
    return builder.graph(builder.binary_dense(x, 10, DType.INT16))


def example(name: str) -> Graph:
    """A trained network of the examples."""
    return optimize(load(EXAMPLES / f"{name}.safetensors"))


@dataclass(frozen=True)
class Case:
    """A network in one style; `use` says whether the estimate was fitted on it."""

    name: str
    use: Literal["fit", "test"]
    style: Literal["hardwired", "folded"]
    graph: Callable[[], Graph]
    stages: int | None = None
    rate_hz: float = 10_000.0
    clock_hz: float = 12e6
    room: Resources = UP5K

    def core(self) -> Core:
        """Return its RTL."""
        if self.style == "hardwired":
            return hardwired.generate(self.graph(), stages=self.stages)
        return folded.generate(
            self.graph(), self.room, rate_hz=self.rate_hz, clock_hz=self.clock_hz
        )


def hard(name: str, use: Literal["fit", "test"], graph: Callable[[], Graph], **kw: int) -> Case:
    return Case(name, use, "hardwired", graph, **kw)


def fold(
    name: str,
    use: Literal["fit", "test"],
    graph: Callable[[], Graph],
    hz: float,
    room: Resources = UP5K,
    clock_hz: float = 12e6,
) -> Case:
    return Case(name, use, "folded", graph, rate_hz=hz, room=room, clock_hz=clock_hz)


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
    fold("mlp 64-64-10, 10 kHz", "fit", lambda: mlp(21, (64, 64, 10), 0.0), 10e3),
    fold("mlp 128-64-10, 100 kHz", "fit", lambda: mlp(22, (128, 64, 10), 0.0), 100e3),
    fold("coded 36x3-32-10, 20 kHz", "fit", lambda: coded(23, 36, 3, 32, 0.0), 20e3),
    fold("conv 12x12, 8 channels, 2 kHz", "fit", lambda: convolution(24, 12, 8, 0.0), 2e3),
    fold("conv 10x10, 4 channels, 20 kHz", "fit", lambda: convolution(25, 10, 4, 0.0), 20e3),
    fold("mlp 96-96-32-8, 40 kHz", "fit", lambda: mlp(26, (96, 96, 32, 8), 0.0), 40e3),
    fold("mlp 80-40-10, 30 kHz", "fit", lambda: mlp(31, (80, 40, 10), 0.0), 30e3),
    fold("mlp 256-64-64-10, 5 kHz", "fit", lambda: mlp(32, (256, 64, 64, 10), 0.0), 5e3),
    fold("coded 25x4-48-10, 50 kHz", "fit", lambda: coded(33, 25, 4, 48, 0.0), 50e3),
    fold("conv 14x14, 6 channels, 5 kHz", "fit", lambda: convolution(34, 14, 6, 0.0), 5e3),
    fold("mlp 64-128-10, ternary, 20 kHz", "fit", lambda: mlp(35, (64, 128, 10), 0.6), 20e3),
    fold("mlp 72-56-12, 50 kHz", "fit", lambda: mlp(36, (72, 56, 12), 0.0), 50e3),
    fold("mlp 48-80-8, ternary, 15 kHz", "fit", lambda: mlp(37, (48, 80, 8), 0.6), 15e3),
    fold("conv 16x16, 5 channels, 3 kHz", "fit", lambda: convolution(38, 16, 5, 0.0), 3e3),
    fold("coded 30x2-24-10, 8 kHz", "fit", lambda: coded(39, 30, 2, 24, 0.0), 8e3),
    fold(
        "levels 8x8x1, int4",
        "fit",
        lambda: levels(41, (8, 8, 1), 6, DType.INT4, DType.INT4),
        2e3,
    ),
    fold(
        "levels 9x9x2, ternary",
        "fit",
        lambda: levels(42, (9, 9, 2), 4, DType.TERNARY, DType.INT2),
        1e3,
    ),
    fold(
        "signal 1x40x6, int2",
        "fit",
        lambda: levels(43, (1, 40, 6), 8, DType.INT2, DType.BINARY),
        4e3,
    ),
    fold("mlp 300-64-10, 80 % zeros", "fit", lambda: mlp(44, (300, 64, 10), 0.8), 1e3),
    fold(
        "signal 1x60x8, int4, shared",
        "fit",
        lambda: levels(45, (1, 60, 8), 24, DType.INT4, DType.INT4),
        100.0,
        replace(BESIDE_INPUTS, bram=9),
    ),
    fold(
        "MNIST, two convolutions, 1 kHz",
        "test",
        lambda: example("mnist/convolutional"),
        1e3,
        BESIDE_INPUTS,
        24e6,
    ),
    fold("MNIST, one convolution, 1 kHz", "test", lambda: example("mnist/small"), 1e3),
    fold(
        "spoken digits, int4, 20 Hz",
        "test",
        lambda: example("keywords/fpga"),
        20.0,
        BESIDE_INPUTS,
    ),
    fold("digits, 5 kHz", "test", lambda: example("digits_binary/digits_binary"), 5e3),
    fold("mlp 100-64-32-10, 20 kHz", "test", lambda: mlp(141, (100, 64, 32, 10), 0.0), 20e3),
    fold("mlp 96-72-12, ternary, 10 kHz", "test", lambda: mlp(142, (96, 72, 12), 0.6), 10e3),
    fold("mlp 400-48-10, 85 % zeros, 2 kHz", "test", lambda: mlp(143, (400, 48, 10), 0.85), 2e3),
    fold("coded 49x2-40-10, 15 kHz", "test", lambda: coded(144, 49, 2, 40, 0.0), 15e3),
    fold("conv 14x14, 8 channels, 1 kHz", "test", lambda: convolution(145, 14, 8, 0.0), 1e3),
    fold("conv 11x11, 6 channels, ternary", "test", lambda: convolution(146, 11, 6, 0.6), 8e3),
    fold(
        "levels 7x7x2, int4, 3 kHz",
        "test",
        lambda: levels(147, (7, 7, 2), 5, DType.INT4, DType.INT4),
        3e3,
    ),
    fold(
        "levels 10x10x1, ternary, 2 kHz",
        "test",
        lambda: levels(148, (10, 10, 1), 6, DType.TERNARY, DType.INT2),
        2e3,
    ),
    fold(
        "signal 1x32x8, int2, 3 kHz",
        "test",
        lambda: levels(149, (1, 32, 8), 8, DType.INT2, DType.BINARY),
        3e3,
    ),
)
