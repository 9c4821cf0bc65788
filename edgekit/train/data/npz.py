"""A NumPy archive with train_x, train_y, test_x, test_y and, if it likes, val_x and val_y."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError
from edgekit.train.data.dataset import Array, Dataset, split

_MAX_BYTES = 1 << 32
_NEEDED = ("train_x", "train_y", "test_x", "test_y")
_UNREADABLE = (
    *(OSError, ValueError, EOFError, KeyError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
    *(tokenize.TokenError, SyntaxError),  # an array's header is a Python literal
)


def load(path: Path, validation: float, seed: int) -> Dataset:
    """Return the arrays of `path`; without val_x, `validation` of the training part is split off.

    Raises ConfigError for a file that is no archive, misses an array or has labels that are no
    integers.
    """
    arrays = _arrays(path)
    missing = [name for name in _NEEDED if name not in arrays]
    if missing:
        raise ConfigError(
            f"{path} lacks {', '.join(missing)}; it holds {', '.join(arrays) or 'nothing'}",
            hint="numpy.savez(path, train_x=..., train_y=..., test_x=..., test_y=...)",
        )
    labels = {name: _labels(arrays[name], name, path) for name in arrays if name.endswith("_y")}
    x, y = arrays["train_x"], labels["train_y"]
    if y.shape != x.shape[:1]:
        raise ConfigError(f"{path}: train_x has {len(x)} samples, train_y has shape {y.shape}")
    if "val_x" in arrays and "val_y" in labels:
        val_x, val_y = arrays["val_x"], labels["val_y"]
    else:
        kept, taken = split(y, validation, seed)
        x, y, val_x, val_y = x[kept], y[kept], x[taken], y[taken]
    classes = max((int(part.max()) + 1 for part in labels.values() if part.size), default=0)
    return Dataset(x, y, val_x, val_y, arrays["test_x"], labels["test_y"], classes)


def _labels(values: Array, name: str, path: Path) -> NDArray[np.int64]:
    if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
        raise ConfigError(
            f"{path}: {name} holds {values.dtype} of shape {values.shape}, "
            "wanted one integer per sample"
        )
    return values.astype(np.int64)


def _arrays(path: Path) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(item.file_size for item in archive.infolist())
        if total > _MAX_BYTES:
            raise ConfigError(f"{path} unpacks to {total} bytes, at most {_MAX_BYTES} are read")
        with np.load(path, allow_pickle=False) as file:
            return {key: np.atleast_1d(file[key]) for key in file.files}
    except _UNREADABLE as exc:
        raise ConfigError(
            f"{path} cannot be read as .npz: {exc}",
            hint="numpy.savez(path, train_x=..., train_y=..., test_x=..., test_y=...)",
        ) from exc
