"""A bug planted in a layer or in what is generated for it turns the comparison red."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hls_check import answers
from writers.random_lowbit import random_chain

from edgekit._data import data_dir
from edgekit.errors import ToolError

pytestmark = [pytest.mark.cc, pytest.mark.nightly]

PROJECT = "edgekit.target.fpga.hls.project"
LAYERS = "edgekit.target.fpga.hls.layers"
# (header, text, what stands there instead, chains that may see it)
PLANTED = (
    ("ek_sum.hpp", "2 * matches - LANES)", "2 * matches - LANES + 2)", (1, 0)),
    ("ek_sum.hpp", "- ZERO_POINT * (2 * ones", "+ ZERO_POINT * (2 * ones", (0, 8, 16, 24, 32)),
    ("ek_sum.hpp", "value(x[lane]) - ZERO_POINT", "value(x[lane])", (2, 5)),
    ("ek_sum.hpp", "passed += x >= row", "passed += x > row", (2, 5)),
    ("ek_sum.hpp", "y = x >= row", "y = x > row", (0, 1)),
    ("ek_sum.hpp", "product(weights[lane], PADDING)", "0 * value(weights[lane])", (2, 10, 18)),
    ("ek_dense.hpp", "i == 0 ?", "i != 0 ?", (1,)),
    ("ek_conv2d.hpp", "at.inside ?", "!at.inside ?", (0,)),
    ("ek_conv2d.hpp", "tap == 0 && c == 0", "c == 0", (2, 10)),
    ("ek_depthwise_conv2d.hpp", "output / MULTIPLIER", "output % N::CHANNELS", (2, 10, 18)),
    ("ek_window.hpp", "* N::DILATION_Y", "", (2, 10, 18, 26, 34)),
    ("ek_window.hpp", "x < N::WIDTH", "x <= N::WIDTH", (0, 8)),
    ("ek_max_pool.hpp", "at.inside && x > before", "x < before", (0, 8)),
    ("ek_max_pool.hpp", "at.inside && x > before", "x > before", (0, 8, 16, 24)),
    ("ek_max_pool.hpp", "tap == 0 ?", "tap != 0 ?", (0, 8)),
    ("ek_threshold.hpp", "pixel * LEVELS + level) * N::CHANNELS", "i - channel) * LEVELS", (0,)),
    ("ek_lut_layer.hpp", "to_uint() << j", "to_uint() << (N::FAN_IN - 1 - j)", (3,)),
    ("ek_group_count.hpp", "group * N::SIZE", "0 * N::SIZE", (3,)),
    ("ek_pad.hpp", "column - N::LEFT", "column", (2, 10, 18)),
    ("ek_move.hpp", "x[places[i].to_uint()]", "x[i]", (6, 14)),
    ("ek_stream.hpp", "data >> (column % 32)", "data >> (31 - column % 32)", (1,)),
    ("ek_stream.hpp", "<< (i % EACH * WIDTH)", "<< (i % EACH)", (0,)),
    ("ek_stream.hpp", "column == COLUMNS - 1, to", "column == 0, to", (7,)),
)


def differs(seed: int, work: Path) -> bool:
    """Tell whether chain `seed` shows a difference, or its program says so itself."""
    chain = random_chain(seed)
    graph = chain.graph(chain.last)
    x = chain.values[graph.inputs[0].tensor]
    try:
        found = answers(graph, x, work)
    except ToolError as error:
        if error.message.startswith("the HLS C++"):
            return True
        raise  # a mutant that does not compile proves nothing
    return not np.array_equal(found, chain.values[chain.last].reshape(len(x), -1))


@pytest.mark.parametrize("planted", range(len(PLANTED)))
def test_a_planted_bug_is_seen(planted: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    header, old, new, seeds = PLANTED[planted]
    shutil.copytree(data_dir("fpga") / "hls", tmp_path / "fpga" / "hls")
    path = tmp_path / "fpga" / "hls" / header
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    monkeypatch.setattr(f"{PROJECT}.data_dir", lambda _: tmp_path / "fpga")
    assert any(differs(seed, tmp_path) for seed in seeds)


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_a_sum_of_too_few_bits_is_seen(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from edgekit.target.fpga.hls import layers

    right = layers.bits_of
    monkeypatch.setattr(f"{LAYERS}.bits_of", lambda low, high: max(1, right(low, high) - 2))
    assert differs(seed, tmp_path)


def test_without_a_bug_nothing_differs(tmp_path: Path):
    assert not differs(0, tmp_path)
