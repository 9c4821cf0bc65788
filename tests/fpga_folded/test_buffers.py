"""Buffers: what the analysis says of a depth is what the simulation does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from folded_nets import UP5K, FoldedBuilder, answers, simulate
from random_folded import random_net

from edgekit.errors import DoesNotFitError, MismatchError
from edgekit.ir.types import DType, Padding
from edgekit.target.fpga import folded
from edgekit.target.fpga.folded import timing
from edgekit.target.fpga.folded.assemble import Ends, assemble, ends
from edgekit.target.fpga.folded.buffers import check_buffers, size_buffers
from edgekit.target.fpga.folded.fold import choose, clocks
from edgekit.target.fpga.folded.layers import Stream
from edgekit.target.fpga.folded.lower import lower
from edgekit.target.fpga.folded.units import Unit, Windows

Net = tuple[FoldedBuilder, str]


def small_image() -> Net:
    builder = FoldedBuilder(3, samples=3)
    conv = builder.binary_conv(builder.bits(6, 5, 8), 4, (3, 3), padding=Padding(1, 1, 1, 1))
    return builder, builder.binary_dense(conv, 5, DType.INT16)


def units_of(net: Net, most: int) -> tuple[list[Unit], list[int], Stream, Ends, Stream]:
    builder, y = net
    first, layers, last = lower(builder.graph(y))
    lanes, folds = choose(first, layers, UP5K, most)
    between = ends(first, lanes, last)
    needed = [clocks(layer, fold) for layer, fold in zip(layers, folds, strict=True)]
    return assemble(layers, folds, first, between), needed, first, between, last


def with_depth(units: list[Unit], depth: int) -> list[Unit]:
    """The first window with another depth."""
    place = next(k for k, unit in enumerate(units) if isinstance(unit, Windows))
    window = units[place]
    assert isinstance(window, Windows)
    return [*units[:place], replace(window, depth=depth), *units[place + 1 :]]


@pytest.mark.iverilog
def test_a_buffer_below_the_span_hangs_and_the_analysis_says_so(tmp_path: Path) -> None:
    net = small_image()
    core = folded.generate(net[0].graph(net[1]), UP5K, rate_hz=1.0, clock_hz=1500.0)
    units, _, first, between, last = units_of(net, 1500)
    sized = size_buffers(units)
    window = next(unit for unit in sized if isinstance(unit, Windows))
    beats = (first.size // between.in_lanes, last.size // between.out_lanes)
    below = 1 << (window.span.bit_length() - 1)
    assert below < window.span <= window.depth

    small = with_depth(sized, below)
    with pytest.raises(DoesNotFitError, match=f"CONV .* {below} words .* spans {window.span}"):
        check_buffers(small)
    assert timing.run(tuple(small), *beats, 1).stuck_at is not None
    source = PurePosixPath("rtl/ek_core.v")
    text = core.files[source].decode()
    changed = text.replace(f".DEPTH({window.depth})", f".DEPTH({below})", 1)
    assert changed != text
    graph = net[0].graph(net[1])
    x = net[0].values[graph.inputs[0].tensor]
    hung = replace(core, files={source: changed.encode()})
    with pytest.raises(MismatchError, match="deadlock"):
        simulate(hung, graph, x, tmp_path)
    np.testing.assert_array_equal(simulate(core, graph, x, tmp_path).outputs, answers(graph, x))


@pytest.mark.parametrize("seed", range(12))
def test_the_analysis_agrees_with_the_clocks_at_every_depth(seed: int) -> None:
    units, _, first, between, last = units_of(random_net(seed, 1), 20000)
    beats = (first.size // between.in_lanes, last.size // between.out_lanes)
    sized = size_buffers(units)
    windows = [unit for unit in sized if isinstance(unit, Windows)]
    for depth in {1 << bits for bits in range(1, 12) if windows and windows[0].depth >> bits}:
        tried = with_depth(sized, depth)
        try:
            check_buffers(tried)
        except DoesNotFitError:
            assert timing.run(tuple(tried), *beats, 2).stuck_at is not None
        else:
            assert timing.run(tuple(tried), *beats, 2).stuck_at is None


@pytest.mark.parametrize("seed", range(12))
def test_computed_depths_let_the_slowest_unit_alone_set_the_interval(seed: int) -> None:
    units, needed, first, between, last = units_of(random_net(seed, 1), 20000)
    beats = (first.size // between.in_lanes, last.size // between.out_lanes)
    sized = tuple(size_buffers(units))
    assert timing.exact(sized, *beats)[1] == max(*needed, *beats)
    marks = timing.run(sized, *beats, 4).high_water
    for unit, mark in zip(sized, marks, strict=True):
        if isinstance(unit, Windows):
            assert 0 < mark <= unit.depth
