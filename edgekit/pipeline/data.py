"""Samples: an .npz file with the source model's own inputs, or seeded random ones."""

from __future__ import annotations

import hashlib
import tokenize
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError
from edgekit.ir import edges
from edgekit.ir.graph import Graph
from edgekit.ir.types import DType, Edge, InputGrid, Tensor

_MAX_BYTES = 1 << 30
_MAX_ELEMENTS = 1 << 26  # 2 GiB or so, with the copies that a comparison makes
MIN_STIMULI = 64  # different inputs that a metered window runs
_RANDOM_SAMPLES = 64
_DRAWN = 16  # random inputs for each that is wanted, where of the first some were equal
_UNREADABLE = (
    *(OSError, ValueError, EOFError, KeyError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),  # compressed, encrypted
    *(tokenize.TokenError, SyntaxError),  # an array's header is a Python literal
)
_KEYS = ("x", "y", "x_scale", "x_zero_point")


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Inputs in the source's own form and as graph integers, with labels where they are known.

    `source` is (n, *source shape without batch); `integers` is (n, *graph shape) int64.
    """

    source: NDArray[np.generic]
    integers: NDArray[np.int64]
    labels: NDArray[np.int64] | None
    origin: str  # the file's name, or how they were made
    tensor: Tensor  # the graph's input

    def __len__(self) -> int:
        return int(self.integers.shape[0])

    def as_bytes(self) -> NDArray[np.int8]:
        """Return the graph integers as the board takes them, (n, bytes)."""
        return edges.to_bytes(self.tensor, self.integers)


def read(path: Path | None, graph: Graph, *, seed: int) -> Samples:
    """Return the samples of `path`; without a file, random ones over the whole input range.

    Raises ConfigError for a file that is not an .npz, lacks `x`, or whose data do not fit the
    model's input in shape, dtype or value (NaN, integers for a float input).
    """
    edge = graph.inputs[0]
    if path is None:
        return random(graph, _RANDOM_SAMPLES, seed)
    arrays = _arrays(path)
    x = _descaled(arrays, edge, path)
    integers = edges.quantize(edge, x)
    if integers.shape[0] == 0:
        raise ConfigError(f"{path} holds no samples")
    labels = arrays.get("y")
    if labels is not None:
        labels = _labels(labels, integers.shape[0], graph, path)
    return Samples(x, integers, labels, path.name, graph.tensors[edge.tensor])


def random(graph: Graph, count: int, seed: int) -> Samples:
    """Return `count` seeded samples, uniform over the integers of the model's input."""
    edge = graph.inputs[0]
    tensor = graph.tensors[edge.tensor]
    generator = np.random.default_rng(seed)
    low, high = edge.dtype.low, edge.dtype.high
    integers = generator.integers(low, high + 1, (count, *tensor.shape), dtype=np.int64)
    if edge.dtype is DType.BINARY:
        integers = np.where(integers < 0, -1, 1)
    if edge.thresholds:
        # Two equal thresholds leave a level that no input reaches.
        integers = edges.quantize(edge, edges.representative(edge, _within(edge, integers)))
    source = _source_of(edge, integers)
    return Samples(source, integers, None, f"{count} random inputs, seed {seed}", tensor)


def grid_of(path: Path | None) -> InputGrid | None:
    """Return the 8-bit integers that a data file states behind a float input, if it does.

    Raises ConfigError for a file that is not an .npz or states no sensible scale.
    """
    if path is None:
        return None
    arrays = _arrays(path)
    x = arrays["x"]
    if x.dtype not in (np.uint8, np.int8) or not {"x_scale", "x_zero_point"} <= set(arrays):
        return None
    scale, zero_point = _scale_of(arrays, path)
    return InputGrid(scale, zero_point, "uint8" if x.dtype == np.uint8 else "int8")


def stimuli(samples: Samples, graph: Graph, *, room: int, seed: int) -> tuple[Samples, str]:
    """Return distinct inputs for the energy window and a note on where they come from.

    At most `room` of them; fewer than 64 distinct ones are made up to 64 with random inputs, as
    far as a small input has that many.
    """
    chosen = _taken(samples, _distinct(samples, room))
    missing = min(MIN_STIMULI, room) - len(chosen)
    if missing <= 0:
        return chosen, f"{len(chosen)} distinct inputs of {samples.origin}"
    drawn = _joined(chosen, random(graph, missing, seed))
    found = _taken(drawn, _distinct(drawn, len(drawn)))
    if len(found) < len(drawn):
        drawn = _joined(chosen, random(graph, _DRAWN * missing, seed))
        found = _taken(drawn, _distinct(drawn, len(chosen) + missing))
    added = len(found) - len(chosen)
    note = f"{len(chosen)} distinct inputs of {samples.origin} and {added} random ones"
    return replace(found, origin=note), note


def _distinct(samples: Samples, most: int) -> NDArray[np.intp]:
    """Return where the first `most` different inputs are."""
    _, first = np.unique(samples.as_bytes(), axis=0, return_index=True)
    return np.sort(first)[:most]


def _joined(a: Samples, b: Samples) -> Samples:
    integers = np.concatenate([a.integers, b.integers])
    return replace(a, source=np.concatenate([a.source, b.source]), integers=integers)


def _taken(samples: Samples, where: NDArray[np.intp]) -> Samples:
    return replace(
        samples, source=samples.source[where], integers=samples.integers[where], labels=None
    )


def digest(samples: Samples) -> str:
    """Return the sha256 over the bytes that the board was given."""
    return hashlib.sha256(samples.as_bytes().tobytes()).hexdigest()


def _within(edge: Edge, integers: NDArray[np.int64]) -> NDArray[np.int64]:
    step = 2 if edge.dtype is DType.BINARY else 1
    return np.clip(integers, edge.lowest, edge.lowest + step * len(edge.thresholds))


def _source_of(edge: Edge, integers: NDArray[np.int64]) -> NDArray[np.generic]:
    """Return what the source model takes to see these graph integers."""
    if edge.source_dtype == "float32" or edge.thresholds:
        return edges.representative(edge, integers)
    return edges.to_source_integers(edge, integers)


def _arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(item.file_size for item in archive.infolist())
        if total > _MAX_BYTES:
            raise ConfigError(f"{path} unpacks to {total} bytes, at most {_MAX_BYTES} are read")
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in _KEYS if key in file.files}
            names = ", ".join(file.files) or "nothing"
    except _UNREADABLE as exc:
        raise ConfigError(
            f"{path} cannot be read as .npz: {exc}",
            hint="write it with numpy.savez(path, x=..., y=...)",
        ) from exc
    if "x" in arrays and arrays["x"].size > _MAX_ELEMENTS:
        raise ConfigError(
            f"{path}: `x` has {arrays['x'].size} elements, at most {_MAX_ELEMENTS} are taken",
            hint="split the samples into several files",
        )
    if "x" not in arrays:
        raise ConfigError(f"{path} holds {names}; an array `x` is needed")
    return arrays


def _descaled(
    arrays: dict[str, NDArray[np.generic]], edge: Edge, path: Path
) -> NDArray[np.generic]:
    """Integers for a float input become real numbers only by the file's own scale."""
    x = arrays["x"]
    if edge.source_dtype != "float32" or not np.issubdtype(x.dtype, np.integer):
        return x
    if "x_scale" not in arrays or "x_zero_point" not in arrays:
        raise ConfigError(
            f"{path}: `x` holds {x.dtype} but the model's input {edge.source_name!r} is float32",
            hint="add x_scale and x_zero_point to the file, or store real values",
        )
    scale, zero_point = _scale_of(arrays, path)
    if x.size and (x.min() < -(2**31) or x.max() >= 2**31):
        raise ConfigError(f"{path}: `x` holds {x.dtype} beyond 32 bits, which no scale is for")
    real = (x.astype(np.int64) - zero_point).astype(np.float32) * np.float32(scale)
    return real.astype(np.float32)


def _scale_of(arrays: dict[str, NDArray[np.generic]], path: Path) -> tuple[float, int]:
    scale, zero = arrays["x_scale"], arrays["x_zero_point"]
    if not _is_scale(scale) or zero.size != 1 or not np.issubdtype(zero.dtype, np.integer):
        raise ConfigError(
            f"{path}: x_scale is {_brief(scale)} and x_zero_point {_brief(zero)}; "
            "wanted one positive number and one integer"
        )
    return float(scale.item()), int(zero.item())


def _is_scale(scale: NDArray[np.generic]) -> bool:
    """Return whether `scale` is one positive, finite number."""
    if scale.size != 1 or scale.dtype.kind not in "fiu":
        return False
    return bool(np.isfinite(scale).all() and float(scale.item()) > 0)


def _brief(array: NDArray[np.generic]) -> str:
    return f"{array.item()!r}" if array.size == 1 else f"{array.dtype} {array.shape}"


def _labels(y: NDArray[np.generic], count: int, graph: Graph, path: Path) -> NDArray[np.int64]:
    if y.shape != (count,) or not np.issubdtype(y.dtype, np.integer):
        raise ConfigError(
            f"{path}: `y` is {y.dtype} {y.shape}, wanted {count} integer class numbers"
        )
    classes = graph.tensors[graph.outputs[0].tensor].size
    if y.min() < 0 or y.max() >= classes:
        raise ConfigError(
            f"{path}: `y` holds class numbers {y.min()} to {y.max()}, the model has {classes} "
            f"outputs: 0 to {classes - 1}"
        )
    return y.astype(np.int64)
