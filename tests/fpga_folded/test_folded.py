"""Folded designs in simulation: equal to the interpreter, in exactly the clocks that were said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from folded_nets import UP5K, FoldedBuilder, answers, simulate
from numpy.typing import NDArray
from random_folded import random_net
from writers.random_lowbit import random_chain

from edgekit.errors import DoesNotFitError, UnsupportedError
from edgekit.ir.graph import Graph
from edgekit.ir.types import DType, Padding
from edgekit.passes import optimize
from edgekit.target.fpga import folded
from edgekit.target.fpga.core import Core
from edgekit.target.fpga.folded.assemble import Fold
from edgekit.target.fpga.folded.lower import lower
from edgekit.virtual.fpga.bench import CoreRun

pytestmark = pytest.mark.iverilog


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("folded")


def check(builder: FoldedBuilder, y: str, work: Path, clocks: int = 100, stress: int = 0) -> None:
    graph = builder.graph(y)
    check_graph(graph, builder.values[graph.inputs[0].tensor], work, clocks, stress)


def check_graph(
    graph: Graph, x: NDArray[np.int64], work: Path, clocks: int, stress: int = 0
) -> Core:
    core = folded.generate(graph, UP5K, rate_hz=1.0, clock_hz=float(clocks))
    run = simulate(core, graph, x, work, stress)
    np.testing.assert_array_equal(run.outputs, answers(graph, x))
    if not stress:
        check_clocks(run, core)
    return core


def check_clocks(run: CoreRun, core: Core) -> None:
    assert (run.cycles.latency, run.cycles.interval) == (core.latency_cycles, core.interval_cycles)


def test_two_dense_layers_of_bits(work: Path) -> None:
    builder = FoldedBuilder(0, samples=12)
    hidden = builder.binary_dense(builder.bits(64), 16)
    check(builder, builder.binary_dense(hidden, 10, DType.INT16), work)


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4, 6, 7])
def test_random_chains(work: Path, seed: int) -> None:
    builder, y = random_net(seed)
    check(builder, y, work, (1000, 2000, 6000)[seed % 3])


def test_sums_are_read_by_thresholds_and_pools(work: Path) -> None:
    """They have as many bits as they reach, not as their type holds."""
    builder = FoldedBuilder(3, samples=6)
    builder.weight_type = DType.TERNARY
    sums = builder.binary_conv(builder.bytes(4, 4, 2), 3, (2, 2), result=DType.INT32)
    pooled = builder.max_of_bits(sums, (2, 2), (1, 1), Padding(1, 1, 0, 0))
    bits = builder.thermometer(pooled, 2, shared=False)
    check(builder, builder.binary_dense(bits, 4, DType.INT32), work, 2000)


def test_an_output_of_padding_alone_is_refused(work: Path) -> None:
    builder = FoldedBuilder(4, samples=2)
    builder.weight_type = DType.TERNARY
    x = builder.bytes(3, 3, 2)
    y = builder.binary_conv(x, 2, (1, 1), padding=Padding(0, 1, 0, 0), result=DType.INT32)
    with pytest.raises(UnsupportedError, match=f"CONV {y}: what comes out first .* padding alone"):
        folded.generate(builder.graph(y), UP5K, rate_hz=1.0, clock_hz=2000.0)


@pytest.mark.parametrize("seed", [3, 7, 9])
def test_stalls_change_no_answer(work: Path, seed: int) -> None:
    builder, y = random_net(seed)
    check(builder, y, work, 2000, stress=seed)


@pytest.mark.parametrize(("seed", "clocks"), [(12, 500), (12, 4000)])
def test_windows_in_the_padding_alone_are_sent_before_the_input(
    work: Path, seed: int, clocks: int
) -> None:
    """The latency is that of a core at rest, in which they wait already."""
    chain = random_chain(seed, samples=4)
    graph = chain.graph(chain.last)
    core = check_graph(graph, chain.values[graph.inputs[0].tensor], work, clocks)
    assert core.rest_cycles > 30


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(20, 100))
def test_more_random_chains(work: Path, seed: int) -> None:
    builder, y = random_net(seed)
    for graph in (builder.graph(y), optimize(builder.graph(y))):
        x = builder.values[graph.inputs[0].tensor]
        check_graph(graph, x, work, 30000)
        check_graph(graph, x, work, 30000, stress=seed)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", [0, 1, 4, 5, 7])
def test_chains_of_every_kind(work: Path, kind: int) -> None:
    served = 0
    for seed in range(8 + kind, 128, 8):
        chain = random_chain(seed, samples=6)
        for graph in (chain.graph(chain.last), optimize(chain.graph(chain.last))):
            x = chain.values[graph.inputs[0].tensor]
            try:
                for clocks in (2000, 20000):
                    check_graph(graph, x, work, clocks)
            except UnsupportedError:  # an output of padding alone, bits with a zero point
                continue
            served += 1
    assert served >= 10  # of 30


def test_what_is_too_large_is_refused_by_layer_and_by_what_is_missing() -> None:
    builder = FoldedBuilder(1, samples=1)
    hidden = builder.binary_dense(builder.bits(512), 64)
    graph = builder.graph(builder.binary_dense(hidden, 10, DType.INT16))
    small = replace(UP5K, bram=3, spram=0, lut=1000)
    with pytest.raises(DoesNotFitError, match=r"^DENSE \w+: .* (block RAMs|LUTs) of [13]"):
        folded.generate(graph, small, rate_hz=100.0, clock_hz=12e6)
    with pytest.raises(DoesNotFitError, match=r"folded takes .* \((DENSE|the input).* are wanted"):
        folded.generate(graph, UP5K, rate_hz=1.2e6, clock_hz=12e6)
    core = folded.generate(graph, replace(small, spram=2), rate_hz=100.0, clock_hz=12e6)
    assert core.weights
    assert core.estimate.bram <= 3


def test_weights_in_spram_are_loaded_first(work: Path) -> None:
    builder = FoldedBuilder(1, samples=3)
    hidden = builder.binary_dense(builder.bits(512), 64)
    graph = builder.graph(builder.binary_dense(hidden, 10, DType.INT16))
    room = replace(UP5K, bram=3, spram=2, lut=1000)
    core = folded.generate(graph, room, rate_hz=100.0, clock_hz=12e6)
    x = builder.values[graph.inputs[0].tensor]
    run = simulate(core, graph, x, work)
    np.testing.assert_array_equal(run.outputs, answers(graph, x))
    check_clocks(run, core)


def three_layers(weight_type: DType) -> tuple[FoldedBuilder, Graph]:
    builder = FoldedBuilder(5, samples=6, weight_type=weight_type)
    hidden = builder.binary_dense(builder.bits(64), 24)
    hidden = builder.binary_dense(hidden, 16)
    return builder, builder.graph(builder.binary_dense(hidden, 6, DType.INT16))


# Folds of three layers: two share an SPRAM and one has half of another; words in both memories.
SHARED = (Fold(1, 1, "pair"), Fold(2, 1, "pair"), Fold(1, 2, "pair"))
SPLIT = (Fold(3, 4, "spram", sprams=1), Fold(4, 8, "spram", sprams=3), Fold(6, 2))


@pytest.mark.parametrize("stress", [0, 3])
@pytest.mark.parametrize(
    ("folds", "weight_type", "sprams"), [(SHARED, DType.INT2, 2), (SPLIT, DType.INT4, 4)]
)
def test_layers_share_an_spram_or_take_both_memories(
    work: Path, folds: tuple[Fold, ...], weight_type: DType, sprams: int, stress: int
) -> None:
    builder, graph = three_layers(weight_type)
    first, layers, last = lower(graph)
    core = folded.build(graph, first, layers, last, 64, folds)
    assert core.estimate.spram == sprams
    x = builder.values[graph.inputs[0].tensor]
    run = simulate(core, graph, x, work, stress)
    np.testing.assert_array_equal(run.outputs, answers(graph, x))
    if not stress:
        check_clocks(run, core)


def test_narrow_words_are_packed_four_to_a_word() -> None:
    _, graph = three_layers(DType.INT4)
    room = replace(UP5K, bram=2, spram=1, lut=1100)
    core = folded.generate(graph, room, rate_hz=100.0, clock_hz=1e6)
    assert "ek_spram_pair" in core.blocks
    assert core.estimate.spram == 1
    assert len(core.weights) == (64 * 24 + 24 * 16) // 2


@pytest.mark.parametrize("kept", [0.1, 0.3])
@pytest.mark.parametrize(("spram", "clocks"), [(0, 4000), (4, 700)])
def test_pruned_layers_read_lists(work: Path, kept: float, spram: int, clocks: int) -> None:
    """Zeros are neither stored nor read: fewer words than products, and fewer clocks."""
    builder = FoldedBuilder(2, samples=4, weight_type=DType.TERNARY, kept=kept)
    hidden = builder.binary_dense(builder.bits(90), 24)
    graph = builder.graph(builder.binary_dense(hidden, 6, DType.INT16))
    first, layers, last = lower(graph)
    folds = tuple(
        Fold(lanes, 1, "spram" if spram else "bram", lists=True)
        for lanes in ((1, 1) if clocks > 1000 else (4, 2))
    )
    core = folded.build(graph, first, layers, last, 8, folds)
    x = builder.values[graph.inputs[0].tensor]
    run = simulate(core, graph, x, work)
    np.testing.assert_array_equal(run.outputs, answers(graph, x))
    check_clocks(run, core)
    assert bool(core.weights) == bool(spram)
    nonzero = max(np.count_nonzero(graph.constants[node.weight]) for node in graph.nodes)
    assert core.interval_cycles < 24 * 90
    assert core.interval_cycles <= max(nonzero + 24, 96)


def test_lists_are_chosen_where_most_weights_are_zero() -> None:
    builder = FoldedBuilder(2, samples=1, weight_type=DType.TERNARY, kept=0.05)
    graph = builder.graph(builder.binary_dense(builder.bits(400), 32, DType.INT16))
    core = folded.generate(graph, UP5K, rate_hz=1000.0, clock_hz=1e6)
    assert "ek_gather" in core.blocks
    assert "ek_sliding_window" not in core.blocks
