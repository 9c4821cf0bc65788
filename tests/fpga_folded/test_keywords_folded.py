"""Spoken digits on the UP5K: the network of examples/keywords with thresholds, folded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from folded_nets import BLOCKS, ICEBREAKER, answers, stored

from edgekit.audio import mfcc
from edgekit.audio import recordings as sets
from edgekit.audio.perturb import centred
from edgekit.audio.tables import WORD_8K
from edgekit.config import FpgaWish
from edgekit.frontend import load
from edgekit.ir.graph import Graph
from edgekit.passes import optimize
from edgekit.pipeline.data import MIN_STIMULI
from edgekit.target.fpga import plan
from edgekit.target.fpga.core import Core
from edgekit.train import config
from edgekit.train.config import WavData
from edgekit.virtual.fpga.bench import run_core

CLOCK_HZ = 12_000_000
RATE_HZ = 20.0


@pytest.fixture(scope="module")
def graph(root: Path) -> Graph:
    return optimize(load(root / "examples" / "keywords" / "fpga.safetensors"))


@pytest.fixture(scope="module")
def core(graph: Graph) -> Core:
    wish = FpgaWish(style="folded")
    return plan.core_of(graph, ICEBREAKER, wish, clock_hz=CLOCK_HZ, rate_hz=RATE_HZ)


def test_the_rate_is_kept_and_it_fits(core: Core) -> None:
    assert CLOCK_HZ / core.interval_cycles >= RATE_HZ
    assert plan.store_of(core, ICEBREAKER).slots >= MIN_STIMULI
    assert core.estimate.lut <= plan.room(ICEBREAKER).lut


@pytest.mark.data
@pytest.mark.nightly
@pytest.mark.yowasp
@pytest.mark.torch
@pytest.mark.cc
def test_all_official_recordings(
    root: Path, graph: Graph, core: Core, shared_data: Path, tmp_path: Path
) -> None:
    wanted = config.load(root / "examples" / "keywords" / "fpga.yaml").data
    assert isinstance(wanted, WavData)
    archive = shared_data / "datasets" / "fsdd" / "fsdd_recordings.zip"
    found = sets.read(archive, wanted.names, wanted.mfcc.rate_hz)
    official = [one for one in found if one.take in wanted.test.takes]
    clips = [centred(one.samples, WORD_8K.samples) for one in official]
    digits = np.array([int(one.label) for one in official])
    x = np.stack([mfcc.features(WORD_8K, clip) for clip in clips]).astype(np.int64)
    x = x.reshape(len(x), *graph.tensors[graph.inputs[0].tensor].shape)
    run = run_core(core, BLOCKS, stored(graph, x), "cxxrtl", tmp_path)
    np.testing.assert_array_equal(run.outputs, answers(graph, x))
    assert (run.cycles.latency, run.cycles.interval) == (core.latency_cycles, core.interval_cycles)
    edge = graph.outputs[0]
    assert edge.channel_scale is not None
    scores = run.outputs.view("<i2") * np.array(edge.channel_scale)
    assert int((scores.argmax(axis=1) == digits).sum()) >= 296
