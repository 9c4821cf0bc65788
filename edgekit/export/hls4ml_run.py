"""hls4ml's own C simulation of a project, and the project on disk."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.build import process
from edgekit.build.process import Outcome
from edgekit.errors import ToolError
from edgekit.export.hls4ml import Project, project
from edgekit.ir import interp
from edgekit.ir.graph import Graph

Ints = NDArray[np.int64]
Backend = Literal["Vitis", "VivadoAccelerator"]

_TIMEOUT_S = 1800.0
_MOST_CHARACTERS = 2000


def write(graph: Graph, directory: Path, backend: Backend) -> None:
    """Write the hls4ml project of `graph` to `directory`/project.

    Raises:
        UnsupportedError: as `hls4ml.project`.
        ToolError: hls4ml is not installed, or fails.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _start(project(graph), directory, backend)


def csim(graph: Graph, x: Ints, backend: Backend = "Vitis") -> Ints:
    """Return the scores that the project computes, compiled on this machine.

    Args:
        graph: what `hls4ml.project` takes.
        x: (n, ...) integers of the graph's input.
        backend: whose templates are compiled.

    Returns:
        (n, outputs) integers of the graph's output.

    Raises:
        UnsupportedError: as `hls4ml.project`.
        ToolError: hls4ml is not installed or fails, or a score is no integer.
    """
    made = project(graph)
    if made.encoder is not None:
        encoder = made.encoder
        x = interp.run(encoder, {encoder.inputs[0].tensor: x})[encoder.outputs[0].tensor]
    with tempfile.TemporaryDirectory(prefix="edgekit-hls4ml-") as name:
        folder = Path(name)
        np.save(folder / "x.npy", x.reshape(len(x), -1).astype(np.float32), allow_pickle=False)
        _start(made, folder, backend)
        scores = np.load(folder / "y.npy", allow_pickle=False).reshape(len(x), -1)
    integers = scores.astype(np.int64)
    if (integers != scores).any():
        raise ToolError("hls4ml's C simulation gives scores that are no integers")
    return np.asarray(integers)


def _start(made: Project, folder: Path, backend: Backend) -> None:
    (folder / "model.onnx").write_bytes(made.model.SerializeToString())
    request = {"backend": backend, "precision": made.precision}
    (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
    (folder / "error.json").unlink(missing_ok=True)
    argv = (sys.executable, "-m", "edgekit.export.hls4ml_worker", str(folder.resolve()))
    outcome = process.run_program(
        "hls4ml", argv, Path.cwd(), folder / "hls4ml.log", timeout_s=_TIMEOUT_S
    )
    if outcome.ending != "ok":
        raise _failure(folder, outcome)


def _failure(folder: Path, outcome: Outcome) -> ToolError:
    try:
        found = json.loads((folder / "error.json").read_text(encoding="utf-8"))
    except OSError:
        return ToolError(outcome.error().message)
    if found["kind"] == ModuleNotFoundError.__name__:
        return ToolError("hls4ml is not installed", hint="pip install 'edgekit[hls]'")
    return ToolError(f"hls4ml failed: {found['kind']}: {found['message'][:_MOST_CHARACTERS]}")
