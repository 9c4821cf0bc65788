"""The kernels with proven scales, DSP and RV32, beyond equality: that they are chosen, and when."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_cases import build, compare, features_of
from writers.random_graphs import GraphBuilder

from edgekit.ir.arithmetic import requantize
from edgekit.ir.interp import run
from edgekit.ir.types import Padding, Requant, Rounding
from edgekit.target.mcu import direct
from edgekit.target.mcu.code import Context, NodeCode
from edgekit.target.mcu.ops import emit_node

KERNELS = ("ek_conv2d_dsp", "ek_depthwise_dsp", "ek_conv2d_rv32", "ek_depthwise_rv32")


def code_of(builder: GraphBuilder, kernel: str) -> NodeCode:
    graph = builder.graph(builder.nodes[-1].y)
    code = emit_node(Context(graph, 0, features_of(kernel)), graph.nodes[0])
    assert code is not None
    return code


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("rounding", list(Rounding))
def test_cases_reach_the_kernel(kernel, rounding):
    """Most of the cases of test_kernels are served, in both forms where there are two."""
    codes = [code_of(build(kernel, rounding, seed), kernel) for seed in range(60)]
    served = [code for code in codes if code.kernel == kernel]
    assert len(served) >= 10
    scales = [code.params["scale"] for code in served]
    forms = {scale["away"] for scale in scales if isinstance(scale, dict)}
    both = rounding is Rounding.DOUBLE and "conv2d" in kernel
    assert forms == ({0, 1} if both else {0})


def test_a_form_that_differs_once_is_refused():
    """A tie at a negative sum: away from zero is not what the short form computes."""
    weights = np.array([[1]])
    for zero_point, low, served in ((-128, -128, True), (0, -128, False), (0, 0, True)):
        requant = Requant((1 << 30,), (-3,), zero_point, low, 127, Rounding.DOUBLE)
        channels = direct.Channels(requant, weights, np.array([0]), 0)
        assert (direct.choose(channels, 0, away=False) is not None) is served
        assert direct.choose(channels, 0, away=True) is not None


def test_a_channel_that_never_changes_keeps_no_weights(kernels):
    """Its bias is far outside 24 bits, its output any integer."""
    for seed in range(40):
        for kernel in KERNELS:
            builder = build_fixed(seed, depthwise="depthwise" in kernel)
            code = code_of(builder, kernel)
            assert code.kernel == kernel
            assert compare(kernels, builder, kernel) == 0


def test_two_weights_of_minus_128_are_refused(kernels):
    """Their products with the lowest inputs leave 16 bits: another kernel takes the node."""
    for at, name in (((0, 0, 0, 2), "ek_conv2d_s8"), ((0, 0, 0, 1), "ek_conv2d_rv32")):
        builder = GraphBuilder(4, Rounding.TIES_UP, samples=2)
        builder.conv(builder.input(3, 3, 4), 3, (1, 1))
        node = builder.nodes[-1]
        weight = builder.constants[node.weight].copy()
        weight[:] = 0
        weight[at] = weight[0, 0, 0, 3] = -128
        builder.constants[node.weight] = weight
        x = np.full((2, 3, 3, 4), -128)
        graph = builder.graph(node.y)
        code = emit_node(Context(graph, 0, features_of("ek_conv2d_rv32")), graph.nodes[0])
        assert code.kernel == name
        wanted = run(graph, {node.x: x})[node.y][0].ravel()
        np.testing.assert_array_equal(kernels.run(code, [x[0].ravel()], wanted.size), wanted)


def build_fixed(seed: int, *, depthwise: bool) -> GraphBuilder:
    """Return a node whose every second channel has a scale near zero and a huge bias."""
    builder = FixedBuilder(seed, Rounding.DOUBLE if seed % 2 else Rounding.SINGLE, samples=2)
    x = builder.input(4, 5, 6)
    if depthwise:
        builder.conv(x, 1, (3, 3), padding=Padding(1, 1, 1, 1), depthwise=True)
    else:
        builder.conv(x, 7, (1, 1))
    return builder


class FixedBuilder(GraphBuilder):
    """Makes every second channel constant."""

    def _weights(self, shape, channels):
        weight, bias = super()._weights(shape, channels)
        values = self.constants[bias].copy()
        values[::2] = self.rng.integers(-(1 << 29), 1 << 29, values[::2].shape)
        values.setflags(write=False)
        self.constants[bias] = values
        return weight, bias

    def requant(self, acc, channels):
        drawn = super().requant(acc, channels)
        pairs = list(zip(drawn.multiplier, drawn.shift, strict=True))
        if len(pairs) == 1:
            pairs *= channels
        pairs[::2] = [(1 << 30, -27)] * len(pairs[::2])
        multiplier, shift = zip(*pairs, strict=True)
        return Requant(multiplier, shift, -100, -100, 127, drawn.rounding)


@pytest.mark.parametrize("shift", [-13, -14, -15, -16])
def test_small_scales_are_fitted(shift):
    """A large bias and a small scale: few outputs, whose steps are met exactly."""
    rng = np.random.default_rng(-shift)
    found = 0
    for _ in range(40):
        multiplier = int(rng.integers(1 << 30, 1 << 31))
        requant = Requant((multiplier,), (shift,), -128, -128, 127, Rounding.DOUBLE)
        bias = np.array([int(rng.integers(300_000, 900_000))])
        weights = rng.integers(-127, 128, (1, 9))
        channels = direct.Channels(requant, weights, bias, -128)
        form = direct.choose(channels, 0, away=False)
        if form is None:
            continue
        found += 1
        low, high = (int(limit[0]) for limit in channels.limits())
        acc = np.arange(low, high + 1)
        factor, start, shift, addend, half = (
            int(form.arrays[0].values[0]),
            int(form.arrays[1].values[0]),
            *(form.fields[name] for name in ("shift", "addend", "half")),
        )
        assert isinstance(shift, int)
        assert isinstance(addend, int)
        assert isinstance(half, int)
        if form.channels.weights.any():
            sums = acc - int(bias[0]) + start
            value = (
                (((sums << shift) * factor) >> 32) + addend + (half >> (32 - factor.bit_length()))
            )
            np.testing.assert_array_equal(np.clip(value >> 14, -128, 127), requantize(acc, requant))
    assert found >= 36
