"""Folded designs in simulation: equal to the interpreter, in exactly the clocks that were said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from folded_nets import UP5K, FoldedBuilder, answers, simulate
from random_folded import random_net

from edgekit.ir.nodes import Pad
from edgekit.ir.types import DType
from edgekit.target.fpga import folded

pytestmark = pytest.mark.iverilog


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("folded")


def check(builder: FoldedBuilder, y: str, work: Path, clocks: int = 100, stress: int = 0) -> None:
    graph = builder.graph(y)
    core = folded.generate(graph, UP5K, rate_hz=1.0, clock_hz=float(clocks))
    x = builder.values[graph.inputs[0].tensor]
    run = simulate(core, graph, x, work, stress)
    np.testing.assert_array_equal(run.outputs, answers(graph, x))
    if stress:
        return
    assert run.cycles.interval == core.interval_cycles
    # Windows in the padding alone go ahead while a core is idle; this one comes out of a reset.
    ahead = any(isinstance(node, Pad) for node in graph.nodes)
    assert 0 <= run.cycles.latency - core.latency_cycles <= (100 if ahead else 0)


def test_two_dense_layers_of_bits(work: Path) -> None:
    builder = FoldedBuilder(0, samples=12)
    hidden = builder.binary_dense(builder.bits(64), 16)
    check(builder, builder.binary_dense(hidden, 10, DType.INT16), work)


@pytest.mark.parametrize("seed", range(12))
def test_random_chains(work: Path, seed: int) -> None:
    builder, y = random_net(seed)
    check(builder, y, work, (1000, 2000, 6000)[seed % 3])


@pytest.mark.parametrize("seed", [3, 7, 9])
def test_stalls_change_no_answer(work: Path, seed: int) -> None:
    builder, y = random_net(seed)
    check(builder, y, work, 2000, stress=seed)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(20, 100))
def test_more_random_chains(work: Path, seed: int) -> None:
    builder, y = random_net(seed)
    check(builder, y, work, 20000)
    check(builder, y, work, 20000, stress=seed)
