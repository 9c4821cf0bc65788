"""From a model to a directory that a firmware build takes as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from edgekit import __version__
from edgekit import board as boards
from edgekit.board import Cpu, McuBoard
from edgekit.errors import ConfigError
from edgekit.ir import edges, interp
from edgekit.ir.graph import Graph
from edgekit.passes.memory import tensor_bytes
from edgekit.pipeline import stages
from edgekit.progress import Progress, Silent
from edgekit.target.mcu.package import (
    Example,
    Format,
    Library,
    check_prefix,
    files_of,
    library_of,
)

_CANDIDATES = 8  # stored inputs to choose from


@dataclass(frozen=True, slots=True, eq=False)
class Package:
    """Every file of a package by path, and the library in it."""

    form: Format
    library: Library
    files: Mapping[PurePosixPath, bytes]

    def digest(self) -> str:
        """Return 32 hex digits over all paths and bytes."""
        state = hashlib.blake2b(digest_size=16)
        for path, data in sorted(self.files.items()):
            state.update(f"{path}\0{len(data)}\0".encode())
            state.update(data)
        return state.hexdigest()


def package(
    graph: Graph,
    target: McuBoard | Cpu,
    form: Format,
    *,
    prefix: str = "model",
    fold: bool = True,
    arena_limit_bytes: int | None = None,
    progress: Progress | None = None,
) -> Package:
    """Return the package of `graph` for a board, or for any device with that CPU.

    Args:
        graph: as loaded, before any pass.
        target: chooses the kernels; a board also limits the model's size.
        form: the build system.
        prefix: begins every external name, file and macro.
        fold: False keeps dead channels.
        arena_limit_bytes: the largest arena; early layers run in bands of rows to meet it.
        progress: is told of the stages.

    Raises:
        ConfigError: the prefix cannot begin the names of a C library.
        DoesNotFitError: the model is larger than the board's flash or RAM.
        UnsupportedError: more than one input or output.
    """
    check_prefix(prefix)
    progress = progress or Silent()
    progress.stage("load and compile")
    board = target if isinstance(target, McuBoard) else _any_board_with(target)
    lowered = stages.lower(graph, board, fold=fold, arena_limit_bytes=arena_limit_bytes)
    progress.stage("expected output")
    example = example_of(graph)
    library = library_of(lowered.graph, lowered.arena, board, prefix, example)
    return Package(form, library, files_of(library, form, __version__))


def _any_board_with(cpu: Cpu) -> McuBoard:
    """Return a board that is nothing but its CPU: memories set no limit."""
    board = next(b for b in map(boards.find, boards.names()) if isinstance(b, McuBoard))
    endless = {"size_bytes": 1 << 32}
    return board.model_copy(
        update={
            "name": cpu,
            "cpu": cpu,
            "flash_memory": board.flash_memory.model_copy(update=endless),
            "ram": board.ram.model_copy(update=endless),
        }
    )


def example_of(graph: Graph) -> Example:
    """Return an input that depends on the graph's shape alone, and what the interpreter answers.

    Of a few inputs the one whose output has the most different values is taken: the more they
    differ, the less a wrong weight can hide.
    """
    source, sink = graph.inputs[0].tensor, graph.outputs[0].tensor
    tensor = graph.tensors[source]
    noise = np.frombuffer(
        hashlib.shake_128(b"edgekit").digest(_CANDIDATES * tensor_bytes(tensor)), np.int8
    )
    stored = edges.from_bytes(tensor, noise.reshape(_CANDIDATES, -1))
    inputs = np.clip(stored, tensor.dtype.low, tensor.dtype.high)
    outputs = interp.run(graph, {source: inputs})[sink].reshape(_CANDIDATES, -1)
    best = int(np.argmax([np.unique(row).size for row in outputs]))
    chosen, answered = inputs[best : best + 1], outputs[best : best + 1]
    return Example(
        edges.to_bytes(tensor, chosen).tobytes(),
        edges.to_bytes(graph.tensors[sink], answered).tobytes(),
    )


def write(files: Mapping[PurePosixPath, bytes], directory: Path) -> None:
    """Write `files` below `directory`, which must be new or empty.

    Raises:
        ConfigError: it is a file, holds something, or cannot be written.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigError(
            f"output {directory} exists and is not an empty directory",
            hint="name a new one with -o; nothing is ever overwritten",
        )
    try:
        for path, data in files.items():
            place = directory / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
    except OSError as exc:
        raise ConfigError(f"output {directory} cannot be written: {exc.strerror}") from exc
