"""IDX files, plain or gzip: the four files of MNIST and of sets made in its image.

Format: http://yann.lecun.com/exdb/mnist (two zero bytes, type code, rank, big-endian extents).
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError
from edgekit.train.data.dataset import Dataset, split

_UINT8 = 0x08
_MAX_BYTES = 1 << 30
_NAMES = {
    ("train", "x"): "train-images-idx3-ubyte",
    ("train", "y"): "train-labels-idx1-ubyte",
    ("test", "x"): "t10k-images-idx3-ubyte",
    ("test", "y"): "t10k-labels-idx1-ubyte",
}


def load(directory: Path, validation: float, seed: int) -> Dataset:
    """Return the images of `directory` as uint8 (n, height, width, 1).

    Raises ConfigError for a missing, damaged or truncated file and for counts that differ.
    """
    arrays = {key: read(_find(directory, name)) for key, name in _NAMES.items()}
    for part in ("train", "test"):
        images, labels = arrays[part, "x"], arrays[part, "y"]
        if images.ndim != 3 or labels.shape != images.shape[:1]:
            raise ConfigError(
                f"{directory}: {part} images of shape {images.shape} and labels of "
                f"{labels.shape}; wanted (n, height, width) and (n,)"
            )
    x, y = arrays["train", "x"][..., None], arrays["train", "y"].astype(np.int64)
    test_x, test_y = arrays["test", "x"][..., None], arrays["test", "y"].astype(np.int64)
    if 0 in (*x.shape, *test_x.shape):
        raise ConfigError(f"{directory}: a file without images")
    classes = int(max(y.max(), test_y.max())) + 1
    kept, taken = split(y, validation, seed)
    return Dataset(x[kept], y[kept], x[taken], y[taken], test_x, test_y, classes)


def read(path: Path) -> NDArray[np.uint8]:
    """Return the uint8 array of one IDX file.

    Raises ConfigError for what is not an IDX file of bytes, or is shorter than it says.
    """
    try:
        with _open(path) as file:
            head = file.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] != _UINT8 or head[3] == 0:
                raise ConfigError(f"{path} is no IDX file of bytes: it begins with {head.hex()}")
            rank = head[3]
            extents = file.read(4 * rank)
            if len(extents) < 4 * rank:
                raise ConfigError(f"{path} ends within its header")
            shape = struct.unpack(f">{rank}I", extents)
            count = math.prod(shape)
            if count > _MAX_BYTES:
                raise ConfigError(f"{path} says {count} bytes, at most {_MAX_BYTES} are read")
            data = file.read(count)
    except (OSError, EOFError, zlib.error) as exc:
        raise ConfigError(f"{path} cannot be read: {exc}") from exc
    if len(data) < count:
        raise ConfigError(f"{path} says {shape}, {count} bytes, and holds {len(data)}")
    return np.frombuffer(data, np.uint8).reshape(shape).copy()


def _find(directory: Path, name: str) -> Path:
    for candidate in (directory / f"{name}.gz", directory / name):
        if candidate.is_file():
            return candidate
    raise ConfigError(
        f"{directory} has neither {name}.gz nor {name}",
        hint="data.path is the directory with the four IDX files",
    )


def _open(path: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")
