"""Recordings in a folder or a zip, with what their names say: label, group, take."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.audio import wav
from edgekit.errors import ConfigError

_MAX_FILE_BYTES = 1 << 26
_MAX_BYTES = 1 << 31
_MAX_FILES = 200_000
_BROKEN_ZIP = (
    *(OSError, EOFError, ValueError, RuntimeError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error),
)
_FIELDS = ("label", "group", "take")


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One wav file."""

    samples: NDArray[np.int16]
    label: str
    group: str  # who or what was recorded; may be empty
    take: str  # which of several such; may be empty


def read(path: Path, names: str, rate_hz: int) -> list[Recording]:
    """Return the recordings under `path`, sorted by name.

    Args:
        path: A folder, searched with its subfolders, or a zip file.
        names: What names look like, in whatever folder, as in `{label}_{group}_{take}.wav` or
            `{label}/{group}_nohash_{take}.wav`; only {label} is needed. `*` stands for anything
            within one name. Other files are left alone.
        rate_hz: Samples a second that every file must have.

    Raises:
        ConfigError: Nothing there or nothing that fits, a broken zip, or a wav file that is not
            16-bit mono PCM of `rate_hz`.
    """
    pattern = _pattern(names)
    found, total = [], 0
    for name, data in _files(path, pattern):
        match = pattern.fullmatch(name)
        assert match is not None
        total += len(data)
        if total > _MAX_BYTES:
            raise ConfigError(f"{path} holds more than {_MAX_BYTES} bytes of recordings")
        fields = match.groupdict()
        parts = (fields.get(field) or "" for field in _FIELDS)
        found.append(Recording(wav.decode(data, rate_hz, f"{path}/{name}"), *parts))
    if not found:
        raise ConfigError(
            f"{path} holds no file named like {names}",
            hint="say how the files are named: names: '{label}_{group}_{take}.wav'",
        )
    return found


def _pattern(names: str) -> re.Pattern[str]:
    text, given = "(?:.*/)?", []
    for part in re.split(r"(\{\w*\}|\*)", names):
        if part == "*":
            text += "[^/]*"
        elif part.startswith("{") and part.endswith("}"):
            given.append(part[1:-1])
            text += f"(?P<{part[1:-1]}>[^/_]+)"
        else:
            text += re.escape(part)
    if "label" not in given or len(set(given)) < len(given) or set(given) - set(_FIELDS):
        raise ConfigError(
            f"names is {names!r}; wanted {{label}} and perhaps {{group}} and {{take}}, each once"
        )
    return re.compile(text)


def _files(path: Path, pattern: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        names = (str(p.relative_to(path).as_posix()) for p in path.rglob("*") if p.is_file())
        for name in _chosen(names, pattern, path):
            try:
                data = (path / name).read_bytes()
            except OSError as exc:
                raise ConfigError(f"{path / name} cannot be read: {exc.strerror}") from exc
            _check_size(f"{path}/{name}", len(data))
            yield name, data
        return
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {item.filename: item.file_size for item in archive.infolist()}
            for name in _chosen(iter(sizes), pattern, path):
                _check_size(f"{path}/{name}", sizes[name])
                yield name, archive.read(name)
    except _BROKEN_ZIP as exc:
        raise ConfigError(
            f"{path} is no folder and cannot be read as a zip of recordings: {exc}",
            hint="the example's README says where its data come from",
        ) from exc


def _chosen(names: Iterator[str], pattern: re.Pattern[str], path: Path) -> list[str]:
    chosen = sorted(name for name in names if pattern.fullmatch(name))
    if len(chosen) > _MAX_FILES:
        raise ConfigError(f"{path} holds {len(chosen)} recordings, at most {_MAX_FILES} are read")
    return chosen


def _check_size(name: str, size: int) -> None:
    if size > _MAX_FILE_BYTES:
        raise ConfigError(f"{name} has {size} bytes, at most {_MAX_FILE_BYTES} are read")
