"""HDF5 files of Keras: the configuration's text and the weights below one group.

Runs inside the bounded process (`edgekit.frontend.reference_worker`): the HDF5 library does not
survive every damaged file. Nothing outside the file is followed: links to other places or files,
external and virtual storage are refused, as are types other than plain numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError, UnsupportedError
from edgekit.frontend.limits import MAX_CONSTANT_ELEMENTS, MAX_RANK, MAX_TENSOR_ELEMENTS

MAX_OBJECTS = 20_000
MAX_DEPTH = 16
MAX_CONFIG_BYTES = 8 * 1024 * 1024
ROOTS = ("model_weights", "layers", "_layer_checkpoint_dependencies")
_NUMBERS = frozenset("fiu")


def read(path: Path) -> tuple[bytes, dict[str, NDArray[Any]]]:
    """Return `model_config` (empty if there is none) and the weights by their path in the file.

    Raises:
        ConfigError: the file is damaged or over a limit.
        UnsupportedError: it refers to something outside itself, or holds other than numbers.
    """
    try:
        with h5py.File(path, "r") as file:
            return _config(file), _weights(file)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
        raise damaged(f"{type(error).__name__}: {error}") from error


def damaged(why: str) -> ConfigError:
    """Return (not raise) the error for a file that is no sound HDF5 file."""
    return ConfigError(
        f"the weights cannot be read as HDF5: {' '.join(why.split())[:200]}",
        hint="save or download the model again",
    )


def _config(file: Any) -> bytes:  # noqa: ANN401 - h5py has no types
    if "model_config" not in file.attrs:
        return b""
    text = file.attrs["model_config"]
    if isinstance(text, np.bytes_ | bytes):
        encoded = bytes(text)
    elif isinstance(text, str):
        encoded = text.encode("utf-8")
    else:
        raise damaged(f"model_config is a {type(text).__name__}, a text is wanted")
    if len(encoded) > MAX_CONFIG_BYTES:
        raise damaged(f"model_config has {len(encoded)} bytes, {MAX_CONFIG_BYTES} at most")
    return encoded


def _weights(file: Any) -> dict[str, NDArray[Any]]:  # noqa: ANN401
    found: dict[str, NDArray[Any]] = {}
    seen = elements = 0
    pending = [(name, file, 0) for name in ROOTS if name in file]
    while pending:
        name, parent, depth = pending.pop()
        seen += 1
        if seen > MAX_OBJECTS or depth > MAX_DEPTH:
            raise damaged(f"more than {MAX_OBJECTS} objects, or {MAX_DEPTH} levels of groups")
        key = name.rsplit("/", 1)[-1]
        if not isinstance(parent.get(key, getlink=True), h5py.HardLink):
            raise UnsupportedError(
                f"{name} is a link to another place",
                hint="save the model again, weights in the file itself",
            )
        item = parent[key]
        if isinstance(item, h5py.Group):
            pending += [(f"{name}/{child}", item, depth + 1) for child in item]
        elif isinstance(item, h5py.Dataset):
            elements += _checked_size(name, item)
            if elements > MAX_CONSTANT_ELEMENTS:
                raise damaged(f"more than {MAX_CONSTANT_ELEMENTS} numbers")
            found[name] = np.asarray(item[()])
        else:
            raise UnsupportedError(f"{name} is neither a group nor an array of numbers")
    return found


def _checked_size(name: str, item: Any) -> int:  # noqa: ANN401
    if item.is_virtual or item.external is not None:
        raise UnsupportedError(
            f"{name} is stored outside the file", hint="save the model again, in one file"
        )
    if item.dtype.kind not in _NUMBERS or item.dtype.itemsize > np.dtype(np.float64).itemsize:
        raise UnsupportedError(f"{name} holds {item.dtype}, numbers are wanted")
    if item.shape is None or len(item.shape) > MAX_RANK or item.size > MAX_TENSOR_ELEMENTS:
        raise damaged(f"{name} has shape {item.shape}, at most {MAX_TENSOR_ELEMENTS} numbers")
    return int(item.size)
