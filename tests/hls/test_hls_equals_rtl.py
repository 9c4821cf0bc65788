"""The same graph as HLS C++, as hard-wired and as folded RTL: equal answers, byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from writers.random_binary import BinaryBuilder
from writers.random_lowbit import random_chain

from edgekit._data import data_dir
from edgekit.ir import edges
from edgekit.ir.graph import Graph
from edgekit.target.fpga import Core, Resources, folded, hardwired
from edgekit.target.fpga.hls import csim
from edgekit.virtual.fpga.bench import run_core

pytestmark = [pytest.mark.cc, pytest.mark.iverilog]

ROOM = Resources(lut=50_000, ff=50_000, carry=50_000, bram=400, spram=4, dsp=0)
# Kinds of chains that a style serves; hard-wired products of bytes take minutes to plan.
HARDWIRED, FOLDED = (0, 1, 2, 3, 4, 6, 7), (0, 1, 4, 5)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rtl")


def built(graph: Graph, style: str, seed: int) -> Core:
    if style == "hardwired":
        return hardwired.generate(graph, stages=(None, 1, 5)[seed % 3])
    return folded.generate(graph, ROOM, rate_hz=(300.0, 3000.0)[seed % 2], clock_hz=12e6)


def equal(seed: int, style: str, work: Path) -> None:
    chain = random_chain(seed)
    graph = chain.graph(chain.last)
    source = graph.inputs[0].tensor
    stored = edges.to_bytes(graph.tensors[source], chain.values[source])
    core = built(graph, style, seed)
    inputs = stored.view(np.uint8)
    run = run_core(core, data_dir("fpga") / "rtl", inputs, "iverilog", work, stress=seed)
    meant = csim(graph, stored, work).view(np.uint8)
    np.testing.assert_array_equal(run.outputs, meant)


@pytest.mark.parametrize(("style", "seed"), [("hardwired", 6), ("folded", 5)])
def test_rtl(style: str, seed: int, work: Path):
    equal(seed, style, work)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", [8 * n + kind for n in range(1, 9) for kind in HARDWIRED])
def test_hardwired(seed: int, work: Path):
    equal(seed, "hardwired", work)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", [8 * n + kind for n in range(1, 9) for kind in FOLDED])
def test_folded(seed: int, work: Path):
    equal(seed, "folded", work)


@pytest.mark.nightly
def test_a_slice_is_wiring(work: Path):
    builder = BinaryBuilder(3, samples=20)
    x = builder.bits(4, 5, 3)
    y = builder.binary_dense(builder.slice(x), 5)
    graph = builder.graph(y)
    stored = edges.to_bytes(graph.tensors[x], builder.values[x])
    core = hardwired.generate(graph)
    run = run_core(core, data_dir("fpga") / "rtl", stored.view(np.uint8), "iverilog", work)
    wanted = edges.to_bytes(graph.tensors[y], builder.values[y])
    np.testing.assert_array_equal(run.outputs.view(np.int8), wanted)
