"""Packages of small graphs on disk, and the C tools that look at them."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "target")]

from small_graph import small_graph  # noqa: E402
from writers.random_graphs import GraphBuilder  # noqa: E402

from edgekit.board import Cpu  # noqa: E402
from edgekit.ir import interp  # noqa: E402
from edgekit.ir.graph import Graph  # noqa: E402
from edgekit.ir.types import Rounding  # noqa: E402
from edgekit.pipeline import package as packages  # noqa: E402
from edgekit.pipeline.package import Package  # noqa: E402
from edgekit.target.mcu.package import Format  # noqa: E402

CPUS: tuple[Cpu, ...] = get_args(Cpu)
CPU_PARAMETERS = [
    *(pytest.param(c, marks=(pytest.mark.gcc, pytest.mark.qemu)) for c in CPUS if c != "rv32imc"),
    pytest.param("rv32imc", marks=(pytest.mark.riscv, pytest.mark.qemu_riscv)),
]
FORMS: tuple[Format, ...] = get_args(Format)
WARNINGS = (
    *("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wstrict-prototypes"),
    *("-Wundef", "-Wvla", "-Werror"),
)
STRICT = ("-std=c99", "-O2", *WARNINGS)


@functools.cache
def graph_of(rounding: Rounding = Rounding.DOUBLE) -> Graph:
    return small_graph(rounding)


@functools.cache
def dense_graph(rounding: Rounding = Rounding.SINGLE) -> Graph:
    """Return two dense layers: the answer depends on every weight."""
    builder = GraphBuilder(5, rounding)
    x = builder.input(24)
    return builder.graph(builder.dense(builder.dense(x, 10), 7))


@functools.cache
def made(
    form: Format, prefix: str = "kws", cpu: Cpu = "cortex-m4f", graph: Graph | None = None
) -> Package:
    return packages.package(graph or graph_of(), cpu, form, prefix=prefix)


def written(package: Package, directory: Path) -> Path:
    packages.write(package.files, directory)
    return directory


def sources(directory: Path) -> list[Path]:
    """Return the library's C files."""
    return sorted((directory / "src").glob("*.c"))


def includes(directory: Path) -> list[str]:
    """Return what a build system of the layout adds to the include path."""
    names = [name for name in ("include", "src") if list((directory / name).glob("*.h"))]
    return [f"-I{directory / names[0]}"]


def call(*argv: str | Path, cwd: Path | None = None) -> str:
    """Run a tool that must succeed, silently where it is a compiler; returns its output."""
    done = subprocess.run([str(a) for a in argv], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def expected(graph: Graph, x: np.ndarray) -> list[int]:
    """Return what the interpreter answers to the flat int8 values `x`."""
    source, sink = graph.inputs[0].tensor, graph.outputs[0].tensor
    shape = graph.tensors[source].shape
    return interp.run(graph, {source: x.astype(np.int64).reshape(1, *shape)})[sink].ravel().tolist()
