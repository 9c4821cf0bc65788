"""Every kernel against the interpreter: thousands of random shapes and parameters."""

from __future__ import annotations

import numpy as np
import pytest
from binary_cases import BINARY_CASES
from code_cases import CODE_CASES, UNROLLED
from kernel_cases import CASES, build, compare, roundings_of
from kernel_driver import FIRMWARE
from writers.random_graphs import GraphBuilder

from edgekit.ir.types import Padding, Rounding
from edgekit.target.mcu.code import Context
from edgekit.target.mcu.ops import emit_node

PAIRS = [(kernel, rounding) for kernel in CASES for rounding in roundings_of(kernel)]


def test_every_kernel_file_has_cases():
    found = sorted(path.stem for path in (FIRMWARE / "kernels").glob("*.c"))
    assert found == sorted([*CASES, *BINARY_CASES, *CODE_CASES, UNROLLED])


@pytest.mark.parametrize(("kernel", "rounding"), PAIRS)
def test_equals_interpreter(kernels, kernel, rounding):
    for seed in range(60):
        assert compare(kernels, build(kernel, rounding, seed), kernel) == 0, f"seed {seed}"


@pytest.mark.nightly
@pytest.mark.parametrize(("kernel", "rounding"), PAIRS)
def test_equals_interpreter_many(kernels, kernel, rounding):
    for seed in range(1000, 4000):
        assert compare(kernels, build(kernel, rounding, seed), kernel) == 0, f"seed {seed}"


def test_cases_do_not_saturate():
    values = np.concatenate(
        [
            np.concatenate([builder.values[n.y].ravel() for n in builder.nodes])
            for seed in range(30)
            for builder in [build("ek_conv2d_s8", Rounding.DOUBLE, seed)]
        ]
    )
    assert np.isin(values, (-128, 127)).mean() < 0.2
    assert len(np.unique(values)) > 200


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("rounding", list(Rounding))
def test_sums_too_wide_for_two_lanes(kernels, depthwise, rounding):
    """Over 2**22 in one sum: pixels go singly."""
    for seed in range(3):
        builder = GraphBuilder(seed, rounding, samples=2)
        builder._weights = _heavy(builder)  # type: ignore[method-assign]
        if depthwise:
            x = builder.input(19, 20, 3)
            builder.conv(x, 2, (17, 17), padding=Padding(2, 1, 0, 3), depthwise=True)
        else:
            x = builder.input(3, 4, 31)
            builder.conv(x, 5, (3, 3), padding=Padding(1, 1, 1, 1))
        graph = builder.graph(builder.nodes[-1].y)
        code = emit_node(Context(graph, 0), graph.nodes[0])
        assert code is not None
        assert code.params["lanes"] == 1
        assert compare(kernels, builder) == 0


def _heavy(builder: GraphBuilder):
    """Weights of 127 and -127 in runs, so that sums go far."""
    drawn = type(builder)._weights

    def weights(shape, channels):
        weight, bias = drawn(builder, shape, channels)
        heavy = np.where(builder.rng.random(shape) < 0.5, 127, -127).astype(np.int64)
        heavy.setflags(write=False)
        builder.constants[weight] = heavy
        return weight, bias

    return weights


@pytest.mark.parametrize("kernel", ["ek_conv2d_s8", "ek_depthwise_s8"])
def test_two_lanes_are_used(kernel):
    for seed in range(20):
        builder = build(kernel, Rounding.DOUBLE, seed)
        graph = builder.graph(builder.nodes[-1].y)
        code = emit_node(Context(graph, 0), graph.nodes[0])
        assert code is not None
        assert code.params["lanes"] == 2
