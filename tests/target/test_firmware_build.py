"""The plan's own commands, run by the real compilers: the whole firmware, without a warning."""

from __future__ import annotations

from dataclasses import replace

import pytest
from native_model import arena_of, board
from small_graph import small_graph

from edgekit.build.run import execute
from edgekit.ir.types import Rounding
from edgekit.target.mcu import emit


def build(toolchain, directory, *, trace=False, rounding=Rounding.DOUBLE):
    graph = small_graph(rounding)
    layout = arena_of(graph, board())
    return execute(emit(graph, layout, board(), toolchain, trace=trace), directory)


@pytest.mark.gcc
@pytest.mark.parametrize("trace", [False, True])
def test_gcc(tmp_path, trace):
    artifact = build("gcc", tmp_path, trace=trace)
    assert 0 < artifact.sizes.code_bytes < 12_000
    assert artifact.sizes.weights_bytes > 0


@pytest.mark.gcc
def test_gcc_builds_are_reproducible(tmp_path):
    one, two = build("gcc", tmp_path / "a"), build("gcc", tmp_path / "b" / "longer")
    assert one.products["elf"].read_bytes() == two.products["elf"].read_bytes()


@pytest.mark.gcc
def test_gcc_float32(tmp_path):
    artifact = build("gcc", tmp_path, rounding=Rounding.FLOAT32_RNE)
    assert 0 < artifact.sizes.code_bytes < 12_000


@pytest.mark.gcc
@pytest.mark.parametrize(
    ("scale", "text"),
    [(3.0, b" 3000000000U\n"), (4.3, b" 4294967295U\n"), (1e30, b" 4294967295U\n")],
)
def test_a_large_output_scale_saturates(tmp_path, scale, text):
    """The link gives the output's scale 32 bits of 1e-9."""
    graph = small_graph()
    graph = replace(graph, outputs=(replace(graph.outputs[0], scale=scale),))
    layout = arena_of(graph, board())
    artifact = execute(emit(graph, layout, board(), "gcc"), tmp_path)
    header = (artifact.directory / "model" / "model.h").read_bytes()
    assert b"#define MODEL_OUTPUT_SCALE_NANO" + text in header


@pytest.mark.zig
def test_zig(tmp_path):
    artifact = build("zig", tmp_path)
    assert artifact.sizes.code_bytes > 0
