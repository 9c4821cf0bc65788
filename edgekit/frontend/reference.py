"""What the source model itself computes, run in another process under limits."""

from __future__ import annotations

import contextlib
import hashlib
import json
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError, EdgekitError, ToolError, UnsupportedError
from edgekit.frontend import read, tflite
from edgekit.ir import edges
from edgekit.ir.graph import Graph

TIME_LIMIT_S = 600.0
MEMORY_LIMIT_BYTES = 4 * 1024**3
_TAIL_CHARACTERS = 400
_INSTALL = {
    "tflite": "pip install 'edgekit[tflite]'",
    "onnx": "pip install 'edgekit[onnx]'",
}


def run_reference(
    path: Path, graph: Graph, x: NDArray[Any], *, time_limit_s: float = TIME_LIMIT_S
) -> NDArray[np.int64]:
    """Return the reference's last integer tensor as graph integers, [samples, *shape].

    Args:
        path: the model file that `graph` was loaded from.
        graph: names the tensor and its shape.
        x: [samples, *source shape without batch], the source's own input data.
        time_limit_s: for all samples together.

    Raises:
        ConfigError: `x` is not what the model takes.
        ToolError: the runtime is missing, refuses the model, crashed, or ran past a limit.
    """
    with Reference() as worker:
        return worker.run(path, graph, x, time_limit_s=time_limit_s)


class Reference:
    """A worker process for many runs; started when needed, and again after a crash."""

    def __init__(self, *, memory_limit_bytes: int = MEMORY_LIMIT_BYTES) -> None:
        self._memory_limit_bytes = memory_limit_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    def __enter__(self) -> Reference:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the worker process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()
            self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None

    def run(
        self, path: Path, graph: Graph, x: NDArray[Any], *, time_limit_s: float = TIME_LIMIT_S
    ) -> NDArray[np.int64]:
        """Do what `run_reference` does, in this worker."""
        output = graph.outputs[0].tensor
        if graph.source.format == "tflite":
            return self.tensors(path, graph, x, (output,), time_limit_s=time_limit_s)[output]
        _unchanged(path, graph)
        found = self._request(path, "onnx", _source_input(graph, x), (), time_limit_s)["output"]
        return _graph_integers(graph, found)

    def tensors(
        self,
        path: Path,
        graph: Graph,
        x: NDArray[Any],
        names: Sequence[str],
        *,
        time_limit_s: float = TIME_LIMIT_S,
    ) -> dict[str, NDArray[np.int64]]:
        """Return activations of a TFLite model by graph name, [samples, *shape].

        The reference adds in place: a tensor that feeds an ADD may read as the ADD's result.
        """
        data = _unchanged(path, graph)
        places = tflite.tensor_indices(data)
        indices = [places[name] for name in names]
        with tempfile.TemporaryDirectory(prefix="edgekit-model-") as folder:
            repaired = tflite.without_stray_axes(data)
            if repaired != data:
                path = Path(folder) / path.name
                path.write_bytes(repaired)
            found = self._request(path, "tflite", _source_input(graph, x), indices, time_limit_s)
        return {
            name: found[str(index)].astype(np.int64).reshape(len(x), *graph.tensors[name].shape)
            for name, index in zip(names, indices, strict=True)
        }

    def _request(
        self, path: Path, form: str, x: NDArray[Any], tensors: Sequence[int], time_limit_s: float
    ) -> dict[str, NDArray[Any]]:
        with tempfile.TemporaryDirectory(prefix="edgekit-reference-") as name:
            folder = Path(name)
            request = {"model": str(path.resolve()), "format": form, "tensors": list(tensors)}
            (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
            np.savez(folder / "x.npz", x=x)
            failure = json.loads(self._exchange(folder, form, time_limit_s))
            if failure is not None:
                raise _error(form, path, failure)
            with np.load(folder / "result.npz", allow_pickle=False) as stored:
                return {key: stored[key] for key in stored.files}

    def _exchange(self, folder: Path, form: str, time_limit_s: float) -> str:
        process = self._started()
        if process.stdin is None or process.stdout is None:
            raise ToolError("the reference process has no pipes")
        with contextlib.suppress(BrokenPipeError):  # then the read below sees the end
            process.stdin.write(f"{folder}\n".encode())
            process.stdin.flush()
        answer = b""
        for part in _parts(process.stdout, time_limit_s):
            answer += part
            if answer.endswith(b"\n"):
                return answer.decode("utf-8").strip()
        status = process.poll()
        if status is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = process.wait(timeout=1.0)
        tail = self._tail()
        self.close()
        if status is None:
            raise ToolError(
                f"the {form} runtime gave no answer within {time_limit_s:g} s",
                hint="use fewer samples or a smaller model",
            )
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
        raise ToolError(
            f"the {form} runtime crashed on this model with {how}{tail}",
            hint="the runtime itself does not survive this model; export it again",
        )

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        argv = [sys.executable, "-m", "edgekit.frontend.reference_worker"]
        self._process = subprocess.Popen(
            [*argv, str(self._memory_limit_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        return self._process

    def _tail(self) -> str:
        if self._log is None:
            return ""
        self._log.seek(0)
        text = self._log.read().decode("utf-8", "replace").strip()[-_TAIL_CHARACTERS:]
        return f": {text}" if text else ""


def _error(form: str, path: Path, failure: dict[str, str]) -> EdgekitError:
    """Return the worker's error as a value of this process."""
    kind, message = failure["kind"], failure["message"][:_TAIL_CHARACTERS]
    known = {error.kind: error for error in (ConfigError, UnsupportedError, ToolError)}
    if kind in known:
        return known[kind](message, hint=failure["hint"])
    hint = "check that the model runs in its own runtime"
    if kind == ModuleNotFoundError.__name__:
        hint = _INSTALL[form]
    return ToolError(f"the {form} runtime failed on {path.name}: {kind}: {message}", hint=hint)


def _parts(stream: IO[bytes], time_limit_s: float) -> Iterator[bytes]:
    """Yield what arrives until the stream ends or the time is over."""
    deadline = time.monotonic() + time_limit_s
    while (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([stream], [], [], left)
        if not ready:
            return
        part = stream.read1(65536)  # type: ignore[attr-defined]
        if not part:
            return
        yield part


def _graph_integers(graph: Graph, found: NDArray[Any]) -> NDArray[np.int64]:
    """Return source integers of the output, in the source's layout, as graph integers."""
    edge = graph.outputs[0]
    integers = found.astype(np.int64) - edge.source_offset
    if edge.transpose is not None:
        integers = integers.transpose(edge.transpose)
    return integers.reshape(len(found), *graph.tensors[edge.tensor].shape)


def _unchanged(path: Path, graph: Graph) -> bytes:
    """Return the file's bytes, which must be those that `graph` was loaded from."""
    data = read(path)
    if hashlib.sha256(data).hexdigest() != graph.source.sha256:
        raise ConfigError(
            f"{path} changed since the graph was loaded from it", hint="load the model again"
        )
    return data


def _source_input(graph: Graph, x: NDArray[Any]) -> NDArray[Any]:
    """Return `x` in the source's own dtype, after the data rules of SPEC section 5."""
    edge = graph.inputs[0]
    edges.quantize(edge, x)
    with np.errstate(over="ignore"):  # beyond float32 becomes infinite, as the edge says
        return x.astype(np.dtype(edge.source_dtype))
