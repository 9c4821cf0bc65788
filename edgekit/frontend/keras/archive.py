"""A Keras file as plain values: `.h5`, and `.keras`, a zip archive around one."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError, EdgekitError, ToolError, UnsupportedError
from edgekit.frontend import limits, read
from edgekit.frontend.bounded import BoundedProcess

READ_LIMIT_S = 60.0
_MAGIC_ZIP = b"PK\x03\x04"
_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_MEMBER_BYTES = {
    _CONFIG: 8 * 1024 * 1024,
    _METADATA: 64 * 1024,
    _WEIGHTS: limits.MAX_FILE_BYTES,
}
_MAX_RATIO = 200  # zeros deflate to 1/1000; weights and JSON stay far above 1/200

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Archive:
    """The model's configuration and its weights by their path in the HDF5 file."""

    name: str
    form: Literal["h5", "keras"]
    sha256: str
    config: Json
    weights: Mapping[str, NDArray[Any]]


Weights: TypeAlias = Mapping[str, NDArray[Any]]
Hdf5Reader: TypeAlias = Callable[[Path], tuple[bytes, Weights]]


def read_archive(path: Path, read_hdf5: Hdf5Reader) -> Archive:
    """Return what the Keras file at `path` holds.

    Args:
        path: a `.h5` or `.keras` file, told apart by its first bytes.
        read_hdf5: gives configuration and weights of an HDF5 file: `bounded(process)`.

    Raises:
        ConfigError: the file is damaged, over a limit, or holds weights only.
        UnsupportedError: it refers to data outside itself.
        ToolError: h5py is not installed.
    """
    data = read(path)
    digest = hashlib.sha256(data).hexdigest()
    if not data.startswith(_MAGIC_ZIP):
        config, weights = read_hdf5(path)
        if not config:
            raise ConfigError(
                f"{path.name} has no model_config: it holds weights, or no Keras model",
                hint="save the whole model with model.save(), not save_weights()",
            )
        return Archive(path.stem, "h5", digest, _json(config, "model_config"), weights)
    members = _unzip(path.name, data)
    with tempfile.TemporaryDirectory(prefix="edgekit-hdf5-") as folder:
        inner = Path(folder) / _WEIGHTS
        inner.write_bytes(members[_WEIGHTS])
        _, weights = read_hdf5(inner)
    return Archive(path.stem, "keras", digest, _json(members[_CONFIG], _CONFIG), weights)


def bounded(process: BoundedProcess) -> Hdf5Reader:
    """Return a reader that works in `process`: the HDF5 library may crash on a damaged file."""

    def read_there(path: Path) -> tuple[bytes, Weights]:
        if importlib.util.find_spec("h5py") is None:
            raise ToolError(
                "a Keras file is read with h5py, which is not installed",
                hint="pip install 'edgekit[larq]'",
            )
        try:
            found = process.request(path, "hdf5", np.zeros(0), time_limit_s=READ_LIMIT_S)
        except ToolError as error:
            raise ConfigError(
                f"the weights cannot be read as HDF5: {error.message}",
                hint="the file is damaged; save or download the model again",
            ) from error
        names = json.loads(found["names"].tobytes())
        arrays = {name: found[f"array_{place}"] for place, name in enumerate(names)}
        return found["config"].tobytes(), arrays

    return read_there


def _unzip(name: str, data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            found = {info.filename: info for info in infos}
            if len(found) != len(infos):
                raise _no_keras(name, "a member occurs twice")
            unknown = sorted(set(found) - set(_MEMBER_BYTES))
            missing = sorted(set(_MEMBER_BYTES) - set(found))
            if missing:
                raise _no_keras(name, f"without {', '.join(missing)}")
            if unknown:
                raise UnsupportedError(
                    f"{name} holds {len(unknown)} unknown members: "
                    + ", ".join(member[:60] for member in unknown[:3]),
                    hint="save a model without assets with model.save()",
                )
            return {key: _member(name, archive, info) for key, info in found.items()}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise _no_keras(name, f"damaged: {error}") from error
    except (NotImplementedError, RuntimeError, ValueError, OverflowError) as error:
        raise _no_keras(name, f"a member cannot be read: {error}") from error


def _member(name: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    limit = _MEMBER_BYTES[info.filename]
    if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _no_keras(name, f"{info.filename} is encrypted or packed in an unknown way")
    if info.file_size > limit or info.file_size > _MAX_RATIO * max(info.compress_size, 1):
        raise ConfigError(
            f"{name}: {info.filename} unpacks from {info.compress_size} to {info.file_size} bytes;"
            f" at most {limit} bytes and a ratio of {_MAX_RATIO} are read",
            hint="a real model unpacks to a few times its size; save the model again",
        )
    with archive.open(info) as stream:
        content = stream.read(limit + 1)
    if len(content) != info.file_size:
        raise _no_keras(name, f"{info.filename} is not as long as the archive says")
    return content


def _no_keras(name: str, why: str) -> EdgekitError:
    return ConfigError(
        f"{name} is no Keras v3 archive: {why}",
        hint="a .keras file of model.save() is wanted",
    )


def _json(text: bytes, what: str) -> Json:
    try:
        found = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{what} is not JSON: {str(error)[:120]}", hint="save the model again"
        ) from error
    if not isinstance(found, dict):
        raise ConfigError(f"{what} is not a JSON object", hint="save the model again")
    return found
