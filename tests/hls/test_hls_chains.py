"""HLS C++ of random chains and of the fixed digits networks equals the interpreter."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hls_check import answers, meant
from writers import fixed_digits
from writers.random_lowbit import random_chain

from edgekit.build import tools
from edgekit.ir import check, edges
from edgekit.target.fpga.hls import csim, generate
from edgekit.target.fpga.hls.fold import Folding, fold
from edgekit.target.fpga.hls.simulate import FLAGS

INTERVALS = (64, 1_000_000, 300)  # everything at once, one product at a time, between
STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hls")


def equals_interp(seed: int, work: Path) -> None:
    chain = random_chain(seed)
    graph = chain.graph(chain.last)
    check.verify(graph)
    x = chain.values[graph.inputs[0].tensor]
    found = answers(graph, x, work, interval_cycles=INTERVALS[seed % len(INTERVALS)])
    np.testing.assert_array_equal(found, chain.values[chain.last].reshape(len(x), -1))


@pytest.mark.cc
@pytest.mark.parametrize("seed", range(8))
def test_random_chains(seed: int, work: Path):
    equals_interp(seed, work)


@pytest.mark.cc
def test_a_work_directory_named_from_where_one_is(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    equals_interp(0, Path())


@pytest.mark.nightly
@pytest.mark.cc
@pytest.mark.parametrize("seed", range(8, 136))
def test_many_random_chains(seed: int, work: Path):
    equals_interp(seed, work)


@pytest.mark.cc
@pytest.mark.data
@pytest.mark.parametrize("name", fixed_digits.NAMES)
def test_fixed_digits_on_the_whole_test_set(name: str, shared_data: Path, work: Path):
    net = fixed_digits.load(shared_data, name)
    np.testing.assert_array_equal(meant(net.graph, net.x), net.scores)
    np.testing.assert_array_equal(answers(net.graph, net.x, work), net.scores)


@pytest.mark.nightly
@pytest.mark.clang
@pytest.mark.zig
def test_other_compilers_agree(work: Path):
    chain = random_chain(2)
    graph = chain.graph(chain.last)
    x = edges.to_bytes(graph.tensors[graph.inputs[0].tensor], chain.values[graph.inputs[0].tensor])
    expected = csim(graph, x, work)
    for prefix in ((shutil.which("clang++") or "clang++",), (*tools.require("zig"), "c++")):
        np.testing.assert_array_equal(csim(graph, x, work, prefix=prefix), expected)


@pytest.mark.strict
@pytest.mark.cc
@pytest.mark.clang
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("seed", range(8))
def test_no_warning(seed: int, compiler: str, tmp_path: Path):
    chain = random_chain(seed)
    for name, data in generate(chain.graph(chain.last)).items():
        (tmp_path / name).write_bytes(data)
    sources = ("model.cpp", "testbench.cpp")
    argv = (compiler, *STRICT, "-Werror", *FLAGS, "-fsyntax-only", *sources)
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_same_graph_gives_the_same_bytes():
    first, second = (random_chain(0) for _ in range(2))
    files = generate(first.graph(first.last))
    assert files == generate(second.graph(second.last))
    assert all(data.endswith(b"\n") and b"\t" not in data for data in files.values())


def test_folding_is_the_smallest_that_is_fast_enough():
    assert fold(10, 64, 1, 1_000_000) == Folding(1, 1)
    assert fold(64, 784, 1, 4096) == Folding(1, 14)
    assert fold(64, 64, 1, 64) == Folding(1, 64)
    assert fold(64, 64, 1, 32) == Folding(2, 64)
    assert fold(4, 8, 100, 1) == Folding(4, 8)


AXI_WORD = """#ifndef AP_AXI_SDATA_H
#define AP_AXI_SDATA_H
#include <ap_int.h>
template <int D, int U, int TI, int TD> struct ap_axiu {
    ap_uint<D> data;
    ap_uint<D / 8> keep;
    ap_uint<D / 8> strb;
    ap_uint<1> last;
};
#endif
"""


@pytest.mark.nightly
@pytest.mark.cc
@pytest.mark.hls4ml
@pytest.mark.parametrize("seed", range(8))
def test_the_vendors_integers_give_the_same(seed: int, tmp_path: Path):
    """With ap_int and hls::stream as published; hls4ml brings a copy of them."""
    found = importlib.util.find_spec("hls4ml")
    assert found is not None
    assert found.origin is not None
    types = Path(found.origin).parent / "templates" / "vivado" / "ap_types"
    (tmp_path / "ap_axi_sdata.h").write_text(AXI_WORD, encoding="ascii")
    chain = random_chain(seed)
    graph = chain.graph(chain.last)
    x = edges.to_bytes(graph.tensors[graph.inputs[0].tensor], chain.values[graph.inputs[0].tensor])
    vendor = ("-DEK_VENDOR_TYPES", f"-I{types}", f"-I{tmp_path}", "-w")
    found_bytes = csim(graph, x, tmp_path, prefix=("g++", *vendor))
    np.testing.assert_array_equal(found_bytes, csim(graph, x, tmp_path))
