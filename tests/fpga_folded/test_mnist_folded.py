"""MNIST on the UP5K: the network of examples/mnist, folded, at 1,000 inferences a second."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from folded_nets import BLOCKS, ICEBREAKER, answers, stored
from numpy.typing import NDArray

from edgekit.config import FpgaWish
from edgekit.frontend import load
from edgekit.ir.graph import Graph
from edgekit.passes import optimize
from edgekit.pipeline.data import MIN_STIMULI
from edgekit.target.fpga import folded, plan
from edgekit.target.fpga.core import Core
from edgekit.virtual.fpga.bench import run_core

CLOCK_HZ = 24_000_000
RATE_HZ = 1000.0


@pytest.fixture(scope="module")
def graph(root: Path) -> Graph:
    return optimize(load(root / "examples" / "mnist" / "convolutional.safetensors"))


@pytest.fixture(scope="module")
def core(graph: Graph) -> Core:
    wish = FpgaWish(style="folded")
    return plan.core_of(graph, ICEBREAKER, wish, clock_hz=CLOCK_HZ, rate_hz=RATE_HZ)


def images(shared_data: Path, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    folder = shared_data / "datasets" / "mnist"
    pixels = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    x = np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28, 1)[:count].astype(np.int64) - 128
    return x, np.frombuffer(labels, np.uint8)[:count].astype(np.int64)


def test_the_rate_is_kept(core: Core) -> None:
    assert CLOCK_HZ / core.interval_cycles >= RATE_HZ
    assert plan.store_of(core, ICEBREAKER).slots >= MIN_STIMULI
    assert core.estimate.lut <= plan.room(ICEBREAKER).lut


@pytest.mark.parametrize(("bram", "spram"), [(14, 1), (11, 2)])
def test_words_lie_in_both_memories_where_block_ram_is_short(
    graph: Graph, bram: int, spram: int
) -> None:
    room = replace(plan.room(ICEBREAKER), bram=bram, spram=spram)
    core = folded.generate(graph, room, rate_hz=RATE_HZ, clock_hz=CLOCK_HZ)
    assert CLOCK_HZ / core.interval_cycles >= RATE_HZ
    assert (core.estimate.bram, core.estimate.spram) == (bram, spram)
    assert "u_layer2_weight_high" in core.files[PurePosixPath("rtl/ek_core.v")].decode()


@pytest.mark.data
@pytest.mark.iverilog
def test_an_image(core: Core, graph: Graph, shared_data: Path, tmp_path: Path) -> None:
    x, _ = images(shared_data, 1)
    run = run_core(core, BLOCKS, stored(graph, x), "iverilog", tmp_path)
    np.testing.assert_array_equal(run.outputs, answers(graph, x))
    assert run.cycles.latency == core.latency_cycles


@pytest.mark.data
@pytest.mark.nightly
@pytest.mark.yowasp
@pytest.mark.cc
def test_all_10000_images(core: Core, graph: Graph, shared_data: Path, tmp_path: Path) -> None:
    x, labels = images(shared_data, 10000)
    run = run_core(core, BLOCKS, stored(graph, x), "cxxrtl", tmp_path)
    np.testing.assert_array_equal(run.outputs, answers(graph, x))
    assert (run.cycles.latency, run.cycles.interval) == (core.latency_cycles, core.interval_cycles)
    scores = run.outputs.view("<i2").astype(np.int64)
    assert (scores.argmax(axis=1) == labels).mean() >= 0.978
