"""Recordings as meters: edgekit's own .npz, or the CSV that nRF Connect's profiler exports."""

from __future__ import annotations

import csv
import math
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError
from edgekit.measure.reduce import Reducer
from edgekit.measure.types import MeterInfo, Samples, Trace

_BLOCK = 65_536
_KEYS = ("current_ua", "mark", "rate_hz")
_RATES_HZ = (1.0, 1e9)


def save(
    path: Path, current_ua: NDArray[np.float64], mark: NDArray[np.bool_], rate_hz: float
) -> None:
    """Write a recording: currents (n,) in µA and mark (n,) at `rate_hz`."""
    np.savez_compressed(
        path, current_ua=current_ua.astype(np.float32), mark=mark, rate_hz=np.float64(rate_hz)
    )


class Replay:
    """Gives a stored recording as if it were metered now; its figures are never `measured`."""

    def __init__(self, path: Path) -> None:
        """Open `path`; raises ConfigError where it is no recording."""
        if not path.is_file():
            raise ConfigError(f"recording {path} does not exist")
        self._path = path
        rate_hz, self._pieces = _open_npz(path) if path.suffix == ".npz" else _open_csv(path)
        self.info = MeterInfo(
            model="replay",
            serial=path.name,
            calibrated=False,
            sample_rate_hz=rate_hz,
            gain_percent=10.0,
            offset_ua=2.0,
        )

    def start(self, supply_mv: int) -> None:
        """Begin at the recording's start."""
        self._supply_mv = supply_mv
        self._reducer = Reducer(self.info.sample_rate_hz)
        self._at = 0

    def read(self, timeout_s: float) -> int:  # noqa: ARG002 - a file never makes anyone wait
        """Take the next piece; 0 at the end."""
        for current_ua, mark in self._pieces:
            n = len(current_ua)
            index = np.arange(self._at, self._at + n, dtype=np.int64)
            self._at += n
            self._reducer.add(Samples(index, current_ua, mark, np.zeros(n)))
            return n
        return 0

    def stop(self) -> Trace:
        """Take what is left and return all of it."""
        while self.read(0.0):
            pass
        return self._reducer.finish(float(self._supply_mv), self.info, lost=0)

    def close(self) -> None:
        """Nothing is held."""


_Pieces = Iterator[tuple[NDArray[np.float64], NDArray[np.bool_]]]


def _open_npz(path: Path) -> tuple[float, _Pieces]:
    try:
        with np.load(path, allow_pickle=False) as file:
            current, mark, rate = (file[key] for key in _KEYS)
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as exc:
        raise ConfigError(
            f"recording {path} cannot be read: {exc}", hint=f"it holds {', '.join(_KEYS)}"
        ) from exc
    _check_rows(path, current, mark)
    rate_hz = float(rate.item()) if rate.size == 1 and rate.dtype.kind in "fiu" else 0.0
    _check_rate(path, rate_hz)
    pieces = (
        (current[k : k + _BLOCK].astype(np.float64), mark[k : k + _BLOCK].astype(np.bool_))
        for k in range(0, len(current), _BLOCK)
    )
    return rate_hz, pieces


def _check_rows(path: Path, current: NDArray[np.generic], mark: NDArray[np.generic]) -> None:
    if current.ndim != 1 or current.shape != mark.shape:
        raise ConfigError(f"recording {path}: current_ua and mark are not two equal rows")
    if current.dtype.kind not in "fiu" or mark.dtype.kind not in "biu":
        raise ConfigError(
            f"recording {path}: current_ua is {current.dtype} and mark {mark.dtype}, "
            "numbers and booleans are wanted"
        )
    if not np.isfinite(current).all():
        raise ConfigError(f"recording {path}: current_ua holds what is no number")


def _check_rate(path: Path, rate_hz: float) -> None:
    low, high = _RATES_HZ
    if not low <= rate_hz <= high:
        raise ConfigError(
            f"recording {path} has {rate_hz:g} samples a second, {low:g} to {high:g} are wanted"
        )


def _open_csv(path: Path) -> tuple[float, _Pieces]:
    """Open `Timestamp(ms),Current(uA),D0-D7` (eight digits, D0 first) or with columns D0…D7."""
    rows = _csv_rows(path)
    first = [row for row, _ in zip(rows, range(2), strict=False)]
    if len(first) < 2 or not first[1][0] > first[0][0]:
        raise ConfigError(f"recording {path} has no two samples in order")
    rate_hz = 1000.0 / (first[1][0] - first[0][0])
    _check_rate(path, rate_hz)
    return round(rate_hz, 3), _csv_pieces(_csv_rows(path))


def _csv_pieces(rows: Iterator[tuple[float, float, bool]]) -> _Pieces:
    while block := [row for _, row in zip(range(_BLOCK), rows, strict=False)]:
        yield np.array([r[1] for r in block]), np.array([r[2] for r in block], np.bool_)


def _csv_rows(path: Path) -> Iterator[tuple[float, float, bool]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            yield from _csv_numbers(path, csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise ConfigError(f"recording {path} cannot be read: {exc}") from exc


def _csv_numbers(path: Path, rows: Iterator[list[str]]) -> Iterator[tuple[float, float, bool]]:
    head = [name.strip() for name in next(rows, [])]
    logic = next((k for k, name in enumerate(head) if name in ("D0-D7", "D0")), None)
    if head[:2] != ["Timestamp(ms)", "Current(uA)"] or logic is None:
        raise ConfigError(
            f"recording {path} does not begin with Timestamp(ms),Current(uA),D0-D7",
            hint="export it from the profiler with the digital channels",
        )
    for number, row in enumerate(rows, 2):
        try:
            time_ms, current_ua = float(row[0]), float(row[1])
            mark = row[logic].strip()[:1] == "1"
        except (ValueError, IndexError) as exc:
            raise ConfigError(f"recording {path}, line {number}: {row!r}") from exc
        if not (math.isfinite(time_ms) and math.isfinite(current_ua)):
            raise ConfigError(f"recording {path}, line {number}: {row!r} holds what is no number")
        yield time_ms, current_ua, mark
