"""Structure-aware fuzzing of the TFLite loader; also a process: `python fuzz.py FIRST COUNT`.

A case is a number: it selects a small model, changes fields of it through the schema package and,
in some cases, bytes of the file. It must end in a typed EdgekitError, or run exactly as the
reference does. The process holds itself to 1 GiB and prints one JSON line a case.
"""

from __future__ import annotations

import copy
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from writers.tflite_networks import attention, numbers, pyramid
from writers.tflite_small import RELU, RELU6, VALID, Small
from writers.tflite_writer import FLOAT32, UINT8, ModelSpec, OpSpec, TensorSpec, write

from edgekit import frontend
from edgekit.errors import ConfigError, EdgekitError, ToolError
from edgekit.frontend.reference import Reference
from edgekit.frontend.tflite.ops import OPS
from edgekit.ir import edges, interp

MEMORY_BYTES = 1024**3
SAMPLES = 2

Rng = np.random.Generator
INTS = (-(2**31), -129, -2, -1, 0, 1, 2, 3, 4, 7, 8, 127, 128, 255, 4096, 2**20, 2**31 - 1)
FLOATS = (0.0, -1.0, float("nan"), float("inf"), 1e-45, 1e-38, 1e-6, 1 / 256, 0.1, 1.0, 3e38)


def corpus() -> list[ModelSpec]:
    """Return the models that cases start from."""
    conv = Small(1, (8, 7, 3)).conv(6, (3, 3), (2, 1), activation=RELU)
    depthwise = Small(2, (9, 5, 2)).depthwise(2, (3, 3), activation=RELU6)
    dilated = Small(3, (9, 9, 2)).conv(4, (2, 2), (1, 1), (2, 3), padding=VALID)
    dense = Small(4, (20,)).dense(9).dense(7, per_channel=True).softmax()
    pools = Small(5, (9, 8, 3)).pool("AVERAGE_POOL_2D", (3, 2), (2, 2))
    pools.pool("MAX_POOL_2D", (2, 2), (2, 2), padding=VALID)
    moves = Small(6, (4, 4, 2)).pad([[0, 0], [1, 0], [0, 2], [0, 0]]).reshape((1, 60))
    unary = Small(7, (5, 5, 2), scale=0.05).unary("RELU", 0.03, -90).unary("RELU6")
    unary.unary("QUANTIZE", 0.07, 3)
    ends = Small(8, (6, 6, 2)).enter(FLOAT32).conv(5, (3, 3)).dequantize()
    bytewise = Small(9, (6, 6, 2)).enter(UINT8).conv(5, (3, 3)).leave_uint8()
    residual = Small(10, (8, 8, 4), scale=0.03)
    entry = residual.at
    residual.conv(4, (3, 3), activation=RELU).add(entry).pool("AVERAGE_POOL_2D", (8, 8), (8, 8))
    residual.reshape((1, 4)).dense(5).softmax()
    small = [conv, depthwise, dilated, dense, pools, moves, unary, ends, bytewise, residual]
    small += [attention(), pyramid(), numbers()]
    return [model.spec for model in small]


def pick(rng: Rng, items: Any) -> Any:
    return items[int(rng.integers(len(items)))]


def number(rng: Rng, near: int = 1) -> int:
    """Return an integer that is close to `near`, or on some boundary."""
    if rng.random() < 0.5:
        return int(np.clip(near + int(rng.integers(-2, 3)), -(2**31), 2**31 - 1))
    return int(pick(rng, INTS))


def change_list(rng: Rng, values: list[Any] | None, make: Callable[[Any], Any]) -> list[Any] | None:
    """Change, add, drop or swap items."""
    items = list(values or [])
    what = rng.random()
    if not items or what < 0.15:
        items.insert(int(rng.integers(len(items) + 1)), make(1))
    elif what < 0.3:
        items.pop(int(rng.integers(len(items))))
    elif what < 0.4:
        rng.shuffle(items)
    elif what < 0.45:
        return None
    else:
        place = int(rng.integers(len(items)))
        items[place] = make(items[place])
    return items


def real(rng: Rng, near: float) -> float:
    if rng.random() < 0.6:
        return float(np.float32(near * 2.0 ** rng.uniform(-4, 4)))
    return float(pick(rng, FLOATS))


def change_tensor(rng: Rng, spec: ModelSpec) -> None:
    tensor: TensorSpec = pick(rng, spec.tensors)
    match int(rng.integers(11)):
        case 0 | 1:
            tensor.shape = change_list(rng, tensor.shape, lambda v: number(rng, v)) or []
        case 2:
            tensor.type_code = int(pick(rng, (0, 1, 2, 3, 4, 6, 7, 9, 9, 9, 17, 90)))
        case 3 | 4:
            tensor.scales = change_list(rng, tensor.scales, lambda v: real(rng, v))
        case 5:
            tensor.zero_points = change_list(rng, tensor.zero_points, lambda v: number(rng, v))
        case 6:
            tensor.dimension = int(rng.integers(-1, 5))
        case 7 | 8:
            data = tensor.data or b""
            cut = int(rng.integers(len(data) + 1))
            noise = rng.integers(0, 256, len(data), dtype=np.uint8).tobytes()
            tensor.data = pick(rng, (data[:cut], data + noise, noise, noise, None, b"\x01"))
        case 9:
            other = pick(rng, spec.tensors).name
            tensor.name = pick(rng, (other, "", "a" * 20000, "int", "\u00e9\n;x", "7"))
        case 10:
            tensor.signature = [number(rng, v) for v in tensor.shape]
            tensor.variable = bool(rng.random() < 0.3)
            if rng.random() < 0.2:
                tensor.buffer = max(number(rng), 0)


def change_op(rng: Rng, spec: ModelSpec) -> None:
    op: OpSpec = pick(rng, spec.ops)
    match int(rng.integers(6)):
        case 0:
            op.code = int(rng.integers(0, 209)) if rng.random() < 0.4 else pick(rng, list(OPS))
        case 1:
            op.inputs = change_list(rng, op.inputs, lambda _: index(rng, spec)) or []
        case 2:
            op.outputs = change_list(rng, op.outputs, lambda _: index(rng, spec)) or []
        case 3 | 4:
            change_options(rng, op)
        case 5:
            op.opcode_index = int(rng.integers(0, len(spec.ops) + 1))


def change_options(rng: Rng, op: OpSpec) -> None:
    if op.options is None or rng.random() < 0.1:
        op.options_type = int(rng.integers(0, 127))
        return
    _, fields = op.options
    if not fields or rng.random() < 0.05:
        op.options = None
        return
    key = pick(rng, sorted(fields))
    value = fields[key]
    if isinstance(value, bool):
        fields[key] = not value
    elif isinstance(value, list):
        fields[key] = change_list(rng, value, lambda v: number(rng, v))
    elif isinstance(value, float):
        fields[key] = real(rng, value)
    elif key in ("Padding", "FusedActivationFunction"):
        fields[key] = int(rng.integers(-1, 7))
    else:
        fields[key] = number(rng, value)


def index(rng: Rng, spec: ModelSpec) -> int:
    wild = rng.random() < 0.2
    return number(rng) if wild else int(rng.integers(-1, len(spec.tensors)))


def change_model(rng: Rng, spec: ModelSpec) -> None:
    match int(rng.integers(7)):
        case 0:
            spec.inputs = change_list(rng, spec.inputs, lambda _: index(rng, spec)) or []
        case 1 | 2:
            spec.outputs = [int(rng.integers(len(spec.tensors)))]
        case 3:
            rng.shuffle(spec.ops)  # type: ignore[arg-type]
        case 4:
            spec.ops.append(copy.deepcopy(pick(rng, spec.ops)))
        case 5:
            spec.ops.pop(int(rng.integers(len(spec.ops))))
        case 6:
            spec.version = int(pick(rng, (0, 2, 3, 4)))
            spec.subgraphs = int(pick(rng, (0, 1, 1, 2)))


def change_bytes(rng: Rng, data: bytes) -> bytes:
    """Flip, overwrite with a boundary value, or cut."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        place = int(rng.integers(len(changed)))
        what = rng.random()
        if what < 0.5:
            changed[place] ^= 1 << int(rng.integers(8))
        elif what < 0.9:
            word = place & ~3
            changed[word : word + 4] = int(number(rng) & 0xFFFFFFFF).to_bytes(4, "little")
        else:
            del changed[max(place, 9) :]
    return bytes(changed)


def case_bytes(case: int, models: list[ModelSpec]) -> bytes:
    """Return the file of a case."""
    rng = np.random.default_rng([2026, case])
    spec = copy.deepcopy(pick(rng, models))
    raw = rng.random() < 0.25
    if not raw or rng.random() < 0.3:
        for _ in range(int(rng.integers(1, 4))):
            change = pick(rng, (change_tensor, change_tensor, change_op, change_model))
            if spec.ops and spec.tensors:
                change(rng, spec)
    data = write(spec)
    return change_bytes(rng, data) if raw else data


def outcome(case: int, data: bytes, path: Path, reference: Reference) -> dict[str, Any]:
    """Return what became of a case: container, refused, reference, exact; anything else fails."""
    path.write_bytes(data)
    try:
        graph = frontend.load(path)
    except ConfigError as error:
        return {"end": "container", "why": error.message}
    except EdgekitError as error:
        end = "refused" if frontend.is_tflite(data) else "container"
        return {"end": end, "why": error.message}
    edge, output = graph.inputs[0], graph.outputs[0].tensor
    rng = np.random.default_rng(case)
    x = rng.integers(-128, 128, (SAMPLES, *edge.source_shape[1:]))
    if edge.source_dtype == "float32":
        x = (x * edge.scale).astype(np.float32)
    else:
        x = (x + edge.source_offset).astype(edge.source_dtype)
    got = interp.run(graph, {edge.tensor: edges.quantize(edge, x)})[output]
    try:
        want = reference.run(path, graph, x, time_limit_s=30)
    except ToolError as error:
        return {"end": "reference", "why": error.message}
    return {"end": "exact" if np.array_equal(got, want) else "different", "why": ""}


def main(first: int, count: int) -> None:
    """Run cases in this process and print one line each."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    models = corpus()
    with (
        tempfile.TemporaryDirectory() as folder,
        Reference(memory_limit_bytes=MEMORY_BYTES) as reference,
    ):
        path = Path(folder) / "case.tflite"
        for case in range(first, first + count):
            started = time.monotonic()
            try:
                result = outcome(case, case_bytes(case, models), path, reference)
            except Exception as error:
                result = {"end": "untyped", "why": f"{type(error).__name__}: {error}"}
            seconds = round(time.monotonic() - started, 3)
            line = json.dumps({"case": case, "seconds": seconds, **result})
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
