"""Damaged models in a process of its own: `python fuzz.py FIRST COUNT FOLDER KIND`.

Prints one JSON line a case: `past` says whether the file was decoded, `end` how it ended: the name
of a typed error, `exact`, `listed` (some operators are not compared), or what must never happen:
`differs`, `hang`, or the name of another exception. The process may use 1 GiB and 20 s a case.
KIND is `onnx` or `qonnx`.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from frontend_onnx.mutations import mutate
from writers.onnx_random import random_net
from writers.onnx_writer import LOW, Net
from writers.qonnx_writer import Net as QonnxNet
from writers.qonnx_writer import random_dense, random_image

from edgekit import frontend
from edgekit.errors import EdgekitError
from edgekit.frontend.onnx import reader
from edgekit.frontend.reference import Reference
from edgekit.ir import edges, interp
from edgekit.ir.graph import Graph

MEMORY_BYTES = 1024**3
WORKER_BYTES = {"onnx": MEMORY_BYTES, "qonnx": 4 * MEMORY_BYTES}
TIME_S = 20


class Hang(BaseException):
    """A case that ran past its time."""


def onnx_base(seed: int) -> Net:
    """One of forty small networks."""
    return random_net(10_000 + seed % 40)


def qonnx_base(seed: int) -> QonnxNet:
    """One of forty small networks."""
    make = random_dense if seed % 2 else random_image
    return make(np.random.default_rng(seed % 40))


BASES: dict[str, Callable[[int], Net | QonnxNet]] = {"onnx": onnx_base, "qonnx": qonnx_base}


def run_case(kind: str, seed: int, folder: Path, worker: Reference) -> dict[str, Any]:
    rng = np.random.default_rng([seed, 5])
    path = folder / "case.onnx"
    path.write_bytes(mutate(BASES[kind](seed).model(), rng))
    past = False
    try:
        reader.read(path)
        past = True
        graph = frontend.load(path)
        end = _outcome(graph, path, worker, rng)
    except EdgekitError as error:
        end = type(error).__name__
    return {"case": seed, "past": past, "end": end}


def _outcome(graph: Graph, path: Path, worker: Reference, rng: np.random.Generator) -> str:
    edge = graph.inputs[0]
    shape = (2, *edge.source_shape[1:])
    if edge.source_dtype == "float32":
        x: Any = rng.normal(0, 1.6, shape).astype(np.float32)
    else:
        low = LOW[edge.source_dtype]
        x = rng.integers(low, low + 256, shape).astype(edge.source_dtype)
    y = interp.run(graph, {edge.tensor: edges.quantize(edge, x)})[graph.outputs[0].tensor]
    wanted = worker.run(path, graph, x, time_limit_s=TIME_S)
    if graph.not_compared:
        return "listed"
    return "exact" if np.array_equal(y, wanted) else "differs"


def _expired(number: int, frame: FrameType | None) -> None:
    raise Hang


def main() -> None:
    first, count, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    kind = sys.argv[4]
    signal.signal(signal.SIGALRM, _expired)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, WORKER_BYTES[kind]))
    with Reference(memory_limit_bytes=WORKER_BYTES[kind]) as worker:
        for seed in range(first, first + count):
            signal.alarm(2 * TIME_S)
            try:
                result = run_case(kind, seed, folder, worker)
            except Hang:
                result = {"case": seed, "past": True, "end": "hang"}
            except Exception as error:  # anything else is a bug, and is reported as one
                result = {"case": seed, "past": True, "end": f"{type(error).__name__}: {error}"}
            signal.alarm(0)
            sys.stdout.write(json.dumps(result) + "\n")
            sys.stdout.flush()
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.write(json.dumps({"peak_bytes": peak_kib * 1024}) + "\n")


if __name__ == "__main__":
    main()
