"""Runs source models in a process of its own: `python -m edgekit.frontend.reference_worker BYTES`.

A damaged model may crash or exhaust the runtime; here that ends this process only. Each line on
stdin is a folder with `request.json` and `x.npz`; the answer is `result.npz` in that folder and
one line on stdout, JSON: null, or the error as {kind, message, hint}. BYTES limits the address
space, 0 = not.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import EdgekitError

Arrays = dict[str, NDArray[Any]]


def run_tflite(model: Path, x: NDArray[Any], tensors: list[int]) -> Arrays:
    """Return tensors by index, [samples, ...], as the reference kernels compute them.

    Args:
        model: the file.
        x: [samples, *input shape without batch] in the model's own dtype.
        tensors: indices of the tensors to read after each inference.
    """
    tflite = _runtime()
    interpreter = tflite.Interpreter(
        model_path=str(model),
        experimental_op_resolver_type=tflite.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]["index"]
    found: dict[int, list[NDArray[Any]]] = {index: [] for index in tensors}
    for sample in x:
        interpreter.set_tensor(place, sample[np.newaxis])
        interpreter.invoke()
        for index, values in found.items():
            values.append(interpreter.get_tensor(index)[0])
    return {str(index): np.stack(values) for index, values in found.items()}


def run_onnx(model: Path, x: NDArray[Any], _: list[int]) -> Arrays:
    """Return the last integer tensor in the source's integers and layout, [samples, ...]."""
    reference = importlib.import_module("edgekit.frontend.onnx.reference")
    return {"output": reference.run(model, x)}


def run_qonnx(model: Path, x: NDArray[Any], _: list[int]) -> Arrays:
    """Return the float scores of a QONNX model, [samples, ...]."""
    reference = importlib.import_module("edgekit.frontend.qonnx.reference")
    return {"output": reference.run(model, x)}


def run_hdf5(path: Path, _: NDArray[Any], __: list[int]) -> Arrays:
    """Return a Keras file's configuration, the names of its weights, and the weights."""
    hdf5 = importlib.import_module("edgekit.frontend.keras.hdf5")
    config, weights = hdf5.read(path)
    names = json.dumps(list(weights)).encode("utf-8")
    arrays = {f"array_{place}": array for place, array in enumerate(weights.values())}
    texts = {"config": np.frombuffer(config, np.uint8), "names": np.frombuffer(names, np.uint8)}
    return {**texts, **arrays}


def run_keras(model: Path, x: NDArray[Any], scale_bits: list[int]) -> Arrays:
    """Return the last integer tensor as graph integers, [samples, ...].

    Args:
        model: the file.
        x: [samples, *input shape without batch], float32.
        scale_bits: the bits of the float32 that one step of the input's grid is worth.
    """
    reference = importlib.import_module("edgekit.frontend.keras.reference")
    return {"output": reference.run(model, x, np.array(scale_bits, np.int32).view(np.float32)[0])}


_RUNNERS: dict[str, Callable[[Path, NDArray[Any], list[int]], Arrays]] = {
    "tflite": run_tflite,
    "onnx": run_onnx,
    "hdf5": run_hdf5,
    "keras": run_keras,
    "qonnx": run_qonnx,
}


def _runtime() -> Any:  # noqa: ANN401
    try:
        return importlib.import_module("tflite_runtime.interpreter")
    except ModuleNotFoundError:
        return importlib.import_module("ai_edge_litert.interpreter")


def answer(folder: Path) -> None:
    """Run the request in `folder` and write its result there."""
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    with np.load(folder / "x.npz", allow_pickle=False) as stored:
        x = stored["x"]
    result = _RUNNERS[request["format"]](Path(request["model"]), x, request["tensors"])
    np.savez(folder / "result.npz", **result)


def main() -> None:
    """Answer requests until stdin ends."""
    # Whatever a runtime prints must not be read as an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    limit = int(sys.argv[1])
    if limit:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        try:
            answer(Path(line.rstrip("\n")))
            failure = None
        except EdgekitError as error:
            failure = {"kind": error.kind, "message": error.message, "hint": error.hint}
        except Exception as error:  # every failure of a runtime is reported, with its kind
            failure = {"kind": type(error).__name__, "message": str(error), "hint": ""}
        answers.write(json.dumps(failure) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
