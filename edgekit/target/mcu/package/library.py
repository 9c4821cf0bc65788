"""The C sources of one model under its own prefix, and what documents say of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit._data import data_dir
from edgekit.board import McuBoard
from edgekit.ir.graph import Graph
from edgekit.passes.memory import MemoryPlan
from edgekit.target.mcu import plan, source
from edgekit.target.mcu.package.names import with_own_kernels

_INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Example:
    """An input and the output it must give: bytes as the C library holds them."""

    input: bytes
    output: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """One model as C: its public header, and all other sources by file name."""

    program: source.Program
    board: McuBoard
    header: str
    sources: Mapping[str, str]
    example: Example

    @property
    def prefix(self) -> str:
        """Return what every external name begins with."""
        return self.program.prefix

    @property
    def weights_bytes(self) -> int:
        """Return the bytes of all weights, as stored."""
        return self._bytes(weights=True)

    @property
    def tables_bytes(self) -> int:
        """Return the bytes of all other constant arrays."""
        return self._bytes(weights=False)

    def _bytes(self, *, weights: bool) -> int:
        arrays = (array for node in self.program.nodes for array in node.arrays)
        return sum(array.size_bytes for array in arrays if array.is_weights is weights)


def library_of(
    graph: Graph, memory: MemoryPlan, board: McuBoard, prefix: str, example: Example
) -> Library:
    """Return the library of `graph`, compiled for the CPU of `board`.

    Args:
        graph: a checked graph with one input and one output, after all passes.
        memory: offsets for its tensors and scratch.
        board: its CPU chooses the kernels, its memories limit the model.
        prefix: one that `check_prefix` accepts.
        example: stored input and expected output, for the package's own test.

    Raises:
        DoesNotFitError: the model is larger than the board's flash or RAM.
        UnsupportedError: more than one input or output.
    """
    program = plan.program_of(graph, memory, board, prefix=prefix)
    sources = {
        f"{prefix}.c": with_own_kernels(source.model(program), prefix),
        f"{prefix}_data.c": source.data(program),
        f"{prefix}_data.h": source.data_header(program),
    }
    kernels = {path.name: path for path in plan.kernel_files(program)}
    sources |= _kernels(kernels, plan.roundings_of(program), prefix)
    return Library(program, board, source.header(program), sources, example)


def _kernels(
    kernels: Mapping[str, Path], roundings: Mapping[str, int], prefix: str
) -> dict[str, str]:
    """Return copies of kernels, and of the headers that they and the model need, renamed.

    What a kernel is compiled with stands in its copy: not every build has flags by file.
    """
    sources = {}
    for name, text in _with_includes(kernels).items():
        mask = f"#define EK_ROUNDINGS {roundings[Path(name).stem]}U\n\n" if name in kernels else ""
        note = "/* Those roundings of ek_requant.h that this model needs. */\n" if mask else ""
        sources[with_own_kernels(name, prefix)] = with_own_kernels(note + mask + text, prefix)
    return sources


def _with_includes(kernels: Mapping[str, Path]) -> dict[str, str]:
    places = (data_dir("firmware") / "include", data_dir("firmware") / "kernels")
    texts: dict[str, str] = {}
    wanted = sorted({*kernels, "edgekit.h"})
    while wanted:
        name = wanted.pop()
        if name not in texts:
            path = kernels.get(name) or next(p / name for p in places if (p / name).is_file())
            texts[name] = path.read_text(encoding="utf-8")
            wanted += _INCLUDE.findall(texts[name])
    return texts
