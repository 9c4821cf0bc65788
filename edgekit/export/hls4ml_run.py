"""hls4ml's own C simulation of a project, and the project on disk."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ToolError
from edgekit.export.hls4ml import Project, project
from edgekit.ir import interp
from edgekit.ir.graph import Graph

Ints = NDArray[np.int64]
Backend = Literal["Vitis", "VivadoAccelerator"]

_TIMEOUT_S = 1800.0
_TAIL_CHARACTERS = 2000
_LOG = "hls4ml.log"


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
    argv = (sys.executable, "-m", "edgekit.export.hls4ml_worker", str(folder.resolve()))
    log = folder / _LOG
    try:
        with log.open("wb") as out:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=_TIMEOUT_S,
                check=False,
            )
    except subprocess.TimeoutExpired as exc:
        raise ToolError(f"hls4ml did not end within {_TIMEOUT_S:.0f} s") from exc
    if done.returncode != 0:
        raise _failure(folder, done.returncode, log)


def _failure(folder: Path, status: int, log: Path) -> ToolError:
    try:
        found = json.loads((folder / "error.json").read_text(encoding="utf-8"))
    except OSError:
        tail = log.read_text(encoding="utf-8", errors="replace")[-_TAIL_CHARACTERS:]
        return ToolError(f"hls4ml ended with status {status}: {tail}")
    if found["kind"] == ModuleNotFoundError.__name__:
        return ToolError("hls4ml is not installed", hint="pip install 'edgekit[hls]'")
    return ToolError(f"hls4ml failed: {found['kind']}: {found['message'][:_TAIL_CHARACTERS]}")
