"""The plan's own commands, run by the real compilers: the whole firmware, without a warning."""

from __future__ import annotations

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


@pytest.mark.zig
def test_zig(tmp_path):
    artifact = build("zig", tmp_path)
    assert artifact.sizes.code_bytes > 0
