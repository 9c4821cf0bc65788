"""Structure-aware fuzzing of the Keras loader; also a process: `python keras_fuzz.py FIRST COUNT`.

A case is a number: it selects a small model and changes its configuration, its weights, its HDF5
objects or bytes of the file. It must end in a typed EdgekitError, or run exactly as the file's own
float arithmetic does. The process holds itself to 2 GiB and prints one JSON line a case.
"""

from __future__ import annotations

import copy
import json
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import h5py
import numpy as np
from writers.keras_writer import STE_SIGN, Config, KerasNet, larq

from edgekit.errors import ConfigError, EdgekitError
from edgekit.frontend.bounded import BoundedProcess
from edgekit.frontend.keras import reference
from edgekit.frontend.keras.archive import bounded, read_archive
from edgekit.frontend.keras.convert import convert
from edgekit.frontend.keras.reader import model_of
from edgekit.ir import edges, interp

MEMORY_BYTES = 2 * 1024**3
SAMPLES = 3
SIGNS = {"input_quantizer": STE_SIGN}
Rng = np.random.Generator
VALUES: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 2, 3, 5, 8, 17, 2**20, 2**31, 2**70, 10**300),
    *(-1.0, 0.0, 0.5, 1e-30, 1e30, 1e300, float("inf"), float("nan"), "", "same", "valid"),
    *("causal", "ste_sign", "quantized_bits(4,0,1)", "quantized_relu(3,1)", "binary(alpha=2)"),
    *("ternary()", "(" * 150, "relu", "softmax", [], [1], [2, 2], [3, 3], [-1], [[[]]], {}),
    *({"class_name": "SteSign", "config": {}}, {"class_name": 3}, {"config": "x"}),
)
NUMBERS = (0.0, -0.0, 1.0, -1.0, 1e-40, 1e30, 3e38, np.nan, np.inf)


def corpus() -> list[KerasNet]:
    """Return the models that cases start from."""
    conv = KerasNet((6, 6, 2), 1).conv((3, 3), 2, 6, padding="same", pad_values=1.0, **SIGNS)
    conv.pool().norm(6).layer("Flatten").dense(54, 3, **SIGNS)
    deep = KerasNet((5, 5, 3), 2).depthwise((2, 2), 3, 2, input_quantizer=larq("SteTern"))
    deep.norm(6, scale=False).layer("SteSign").layer("GlobalAveragePooling2D")
    signal = KerasNet((9, 2), 3).conv((3,), 2, 4, padding="causal", **SIGNS)
    signal.pool("MaxPooling1D").norm(4).layer("Flatten")
    signal.dense(16, 3, input_quantizer="quantized_relu(3,1)", kernel_quantizer=larq("SteTern"))
    fixed = KerasNet((7,), 4).layer("QActivation", {"activation": "quantized_bits(4,1,alpha=1)"})
    fixed.layer(
        "QDense",
        {"units": 5, "kernel_quantizer": "quantized_bits(4,0)", "bias_quantizer": None},
        {"kernel": fixed.rng.normal(0, 0.4, (7, 5)).astype("f4"), "bias": np.ones(5, "f4")},
    )
    fixed.norm(5).layer("Activation", {"activation": "softmax"})
    return [conv, deep, signal, fixed]


def _place(rng: Rng, tree: Any) -> tuple[Any, Any]:
    """Return a random container within `tree` and a key of it."""
    while True:
        keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
        key = keys[int(rng.integers(len(keys)))]
        below = tree[key]
        if not isinstance(below, dict | list) or not below or rng.random() < 0.1:
            return tree, key
        tree = below


def _change_config(rng: Rng, config: Config) -> None:
    for _ in range(int(rng.integers(1, 3))):
        tree, key = _place(rng, config["config"])
        choice = int(rng.integers(8))
        if choice == 0:
            del tree[key]
        elif choice == 1 and isinstance(tree, list):
            tree.append(copy.deepcopy(tree[key]))
        else:
            tree[key] = copy.deepcopy(VALUES[int(rng.integers(len(VALUES)))])


def _change_weights(rng: Rng, net: KerasNet) -> None:
    holders = [arrays for _, _, arrays in net.layers if arrays]
    arrays = holders[int(rng.integers(len(holders)))]
    key = list(arrays)[int(rng.integers(len(arrays)))]
    array = arrays[key].copy()
    choice = int(rng.integers(6))
    if choice < 3:
        array.flat[int(rng.integers(array.size))] = NUMBERS[int(rng.integers(len(NUMBERS)))]
        arrays[key] = array
    elif choice == 3:
        arrays[key] = array[..., :-1]
    elif choice == 4:
        arrays[key] = array.astype(("f8", "i4", "f2")[int(rng.integers(3))])
    else:
        del arrays[key]


def _change_objects(rng: Rng, path: Path) -> None:
    with h5py.File(path, "a") as file:
        names: list[str] = []
        file.visit(names.append)
        name = names[int(rng.integers(len(names)))]
        choice = int(rng.integers(4))
        if choice == 0:
            del file[name]
        elif choice == 1:
            del file[name]
            file[name] = h5py.SoftLink("/")
        elif choice == 2:
            del file[name]
            file.create_dataset(name, (2**33,), "f4", chunks=(4096,))
        else:
            file[f"{name}_again"] = file[names[0]]


def _change_bytes(rng: Rng, path: Path) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(int(rng.integers(1, 9))):
        place = int(rng.integers(len(data)))
        data[place] = int(rng.integers(256))
    if rng.random() < 0.15:
        del data[int(rng.integers(len(data))) :]
    path.write_bytes(bytes(data))


def write(case: int, folder: Path) -> Path:
    """Write the file of `case` into `folder`."""
    rng = np.random.default_rng([case, 0xE1])
    nets = corpus()
    net = nets[case % len(nets)]
    path = folder / ("net.keras" if rng.random() < 0.3 else "net.h5")
    functional = rng.random() < 0.5
    config = copy.deepcopy(net.functional_config() if functional else net.model_config())
    kind = int(rng.integers(8))
    if kind < 4:
        _change_config(rng, config)
    elif kind < 6:
        _change_weights(rng, net)
    net.save(path, config)
    if kind == 6 and path.suffix == ".h5":
        _change_objects(rng, path)
    elif kind >= 6:
        _change_bytes(rng, path)
    return path


def outcome(case: int, folder: Path, process: BoundedProcess) -> dict[str, Any]:
    """Return how the case ends; see `judged`."""
    return judged(write(case, folder), case, process)


def judged(path: Path, case: int, process: BoundedProcess) -> dict[str, Any]:
    """Return how a file ends: exact, config, unsupported; different and untyped are wrong."""
    try:
        model = model_of(read_archive(path, bounded(process)))
        graph = convert(model, None)
        rng = np.random.default_rng(case)
        x = rng.normal(0, 1, (SAMPLES, *model.input_shape)).astype(np.float32)
        edge = graph.inputs[0]
        start = edges.quantize(edge, x).reshape(SAMPLES, *graph.tensors[edge.tensor].shape)
        found = interp.run(graph, {edge.tensor: start})[graph.outputs[0].tensor]
        with np.errstate(all="ignore"):
            state = reference.evaluate(model, x, np.float32(1))
        wanted = state.integers
        if any("sums lie so near" in note.reason for note in graph.not_compared):
            return {"end": "not compared"}
        equal = wanted is not None and (found == wanted.reshape(found.shape)).all()
        return {"end": "exact" if equal else "different", "case": case}
    except ConfigError as error:
        return {"end": "config", "why": error.message[:200]}
    except EdgekitError as error:
        return {"end": error.kind, "why": error.message[:200]}
    except Exception as error:
        return {"end": "untyped", "case": case, "why": f"{type(error).__name__}: {error}"[:300]}


def main(first: int, count: int) -> None:
    """Run cases and print one JSON line for each."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    with (
        tempfile.TemporaryDirectory() as folder,
        BoundedProcess(memory_limit_bytes=MEMORY_BYTES) as process,
    ):
        for case in range(first, first + count):
            print(json.dumps(outcome(case, Path(folder), process)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
