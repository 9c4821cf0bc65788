"""Outputs written over inputs: at the distance that the emitter allows nothing is spoiled."""

from __future__ import annotations

import pytest
from kernel_cases import build, features_of
from kernel_driver import Kernels

from edgekit.ir.types import Rounding
from edgekit.target.mcu.code import Context
from edgekit.target.mcu.ops import emit_node

KERNELS = (
    *("ek_conv2d_dsp", "ek_depthwise_dsp", "ek_conv2d_s8", "ek_depthwise_s8"),
    *("ek_conv2d_rv32", "ek_depthwise_rv32", "ek_avgpool_s8", "ek_maxpool_s8"),
)
SEEDS = range(60)


def spoiled(kernels: Kernels, kernel: str, seed: int, less: int) -> int | None:
    """Run case `seed` with the output `less` bytes nearer than allowed; how many values differ."""
    builder = build(kernel, Rounding.TIES_UP, seed)
    graph = builder.graph(builder.nodes[-1].y)
    code = emit_node(Context(graph, 0, features_of(kernel)), graph.nodes[0])
    if code is None or code.overlap is None or code.kernel != kernel:
        return None
    x, wanted = (builder.values[name][0].ravel() for name in (code.inputs[0], code.output))
    behind = code.overlap.behind_bytes - less
    return int((kernels.run_overlapped(code, x, wanted.size, behind) != wanted).sum())


@pytest.mark.parametrize("kernel", KERNELS)
def test_output_over_input(kernels, kernel):
    """At the allowed distance, and a little further where any is allowed, nothing is spoiled."""
    found = [spoiled(kernels, kernel, seed, 0) for seed in SEEDS]
    assert sum(value is not None for value in found) >= 15
    assert not any(found)
    if kernel not in ("ek_depthwise_dsp", "ek_depthwise_rv32"):  # it may ask for the same place
        assert not any(spoiled(kernels, kernel, seed, -5) for seed in SEEDS)


@pytest.mark.parametrize("kernel", KERNELS)
def test_nearer_than_allowed_is_noticed(kernels, kernel):
    assert any(spoiled(kernels, kernel, seed, 8) for seed in SEEDS)
