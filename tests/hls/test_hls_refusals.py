"""What has no HLS C++ is named; tools that fail are errors, never answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from writers.random_graphs import GraphBuilder
from writers.random_lowbit import random_chain

from edgekit.errors import ConfigError, ToolError, UnsupportedError
from edgekit.ir import edges
from edgekit.ir.graph import Graph
from edgekit.target.fpga.hls import csim, generate

SIMULATE = "edgekit.target.fpga.hls.simulate"


@pytest.fixture
def graph() -> Graph:
    chain = random_chain(1)
    return chain.graph(chain.last)


def stored(graph: Graph) -> np.ndarray:
    tensor = graph.tensors[graph.inputs[0].tensor]
    return edges.to_bytes(tensor, np.ones((3, *tensor.shape), np.int64))


def test_a_node_of_eight_bits_is_named():
    builder = GraphBuilder(0)
    y = builder.dense(builder.input(8), 3)
    with pytest.raises(UnsupportedError, match=f"DENSE {y}: Dense has no HLS"):
        generate(builder.graph(y))


def test_a_branch_is_named():
    builder = GraphBuilder(0)
    x = builder.input(8)
    y = builder.add(x, x)
    with pytest.raises(UnsupportedError, match=f"ADD {y}: it reads {x}, {x}; .* a chain"):
        generate(builder.graph(y))


def test_what_nobody_reads_is_named(graph: Graph):
    early = replace(graph, outputs=(replace(graph.outputs[0], tensor=graph.nodes[0].y),))
    with pytest.raises(UnsupportedError, match=f"the output is {graph.nodes[0].y}; the last"):
        generate(early)
    with pytest.raises(UnsupportedError, match="1 inputs and 2 outputs"):
        generate(replace(graph, outputs=graph.outputs * 2))


def test_samples_of_another_size_are_refused(graph: Graph, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"the samples are \(4, 3\)"):
        csim(graph, np.zeros((4, 3), np.int8), tmp_path)


@pytest.mark.cc
def test_no_samples_have_no_answers(graph: Graph, tmp_path: Path):
    sink = graph.tensors[graph.outputs[0].tensor]
    assert csim(graph, stored(graph)[:0], tmp_path).shape == (0, 2 * sink.size)


def test_no_compiler(graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(f"{SIMULATE}.shutil.which", lambda _: None)
    monkeypatch.setattr(f"{SIMULATE}.tools.find", lambda _: None)
    with pytest.raises(ToolError, match="no C\\+\\+ compiler is installed"):
        csim(graph, stored(graph), tmp_path)


@pytest.mark.cc
def test_a_compiler_that_fails(graph: Graph, tmp_path: Path):
    with pytest.raises(ToolError, match="false ended with status 1"):
        csim(graph, stored(graph), tmp_path, prefix=("false",))
    with pytest.raises(ToolError, match="nothing-here cannot be started"):
        csim(graph, stored(graph), tmp_path, prefix=("nothing-here",))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 3", "the HLS C\\+\\+ ended with status 3"),
        ("kill -SEGV $$", "the HLS C\\+\\+ was ended by SIGSEGV"),
        ("echo bad_alloc; exit 1", "the HLS C\\+\\+ ran out of memory"),
        ("while :; do :; done", "the HLS C\\+\\+ ran out of time"),
        (": > $2", "did not answer all 3 samples"),
        ("echo 12 > $2", "did not answer all 3 samples"),
        ("echo not a word > $2", "did not answer all 3 samples"),
        ("exit 0", "did not answer all 3 samples"),
    ],
)
def test_a_program_that_fails(
    script: str, message: str, graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    program = tmp_path / "testbench"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    program.chmod(0o755)
    monkeypatch.setattr(f"{SIMULATE}._program", lambda *_: program)
    monkeypatch.setattr(f"{SIMULATE}._TIMEOUT_S", 1.0)
    with pytest.raises(ToolError, match=message):
        csim(graph, stored(graph), tmp_path)


def test_a_folder_that_cannot_be_written(graph: Graph, tmp_path: Path):
    (tmp_path / "build").write_text("in the way", encoding="ascii")
    with pytest.raises(ConfigError, match="cannot be written"):
        csim(graph, stored(graph), tmp_path, prefix=("true",))
