"""A process for code that a damaged file may crash, hang or exhaust; limits hold it."""

from __future__ import annotations

import contextlib
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
from typing import IO, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError, EdgekitError, ToolError, UnsupportedError

TIME_LIMIT_S = 600.0
MEMORY_LIMIT_BYTES = 4 * 1024**3
_TAIL_CHARACTERS = 400
Form = Literal["tflite", "onnx", "qonnx", "keras", "hdf5"]
_INSTALL: dict[str, str] = {
    "tflite": "pip install 'edgekit[tflite]'",
    "onnx": "pip install 'edgekit[onnx]'",
    "qonnx": "pip install 'edgekit[train]'",
    "keras": "pip install 'edgekit[larq]'",
    "hdf5": "pip install 'edgekit[larq]'",
}


class BoundedProcess:
    """Runs `edgekit.frontend.reference_worker`; started when needed, and again after a crash."""

    def __init__(self, *, memory_limit_bytes: int = MEMORY_LIMIT_BYTES) -> None:
        self._memory_limit_bytes = memory_limit_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    def __enter__(self) -> Self:
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

    def request(
        self,
        path: Path,
        form: Form,
        x: NDArray[Any],
        tensors: Sequence[int] = (),
        *,
        time_limit_s: float = TIME_LIMIT_S,
    ) -> dict[str, NDArray[Any]]:
        """Return the named arrays that the worker's runner of `form` finds for `path`.

        Args:
            path: the file.
            form: which runner.
            x: input data, empty where the runner takes none.
            tensors: which tensors to return, where the runner has a choice.
            time_limit_s: for the whole request.

        Raises:
            EdgekitError: what the runner raised, as it was.
            ToolError: the runtime is missing, failed, crashed, or ran past a limit.
        """
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

    def _exchange(self, folder: Path, form: Form, time_limit_s: float) -> str:
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


def _error(form: Form, path: Path, failure: dict[str, str]) -> EdgekitError:
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
