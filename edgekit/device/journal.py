"""Outputs already received, kept on disk while a run goes on: append-only, safe to interrupt.

A JSON line names what the outputs belong to; then one record per output: index u32, cycles u32,
the output's bytes, CRC-32 of all that. A torn last record is dropped when the file is opened.
"""

from __future__ import annotations

import hashlib
import json
import logging
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DeviceError

_log = logging.getLogger(__name__)
_FORMAT = 1
_HEAD = struct.Struct("<II")
_CRC = struct.Struct("<I")


class Journal:
    """The outputs of one run of `inputs` [n, bytes] on one build; use as a context manager.

    `path` None keeps nothing. A file of another build or other inputs is replaced.
    """

    def __init__(
        self, path: Path | None, build_id: bytes, inputs: NDArray[np.int8], output_bytes: int
    ) -> None:
        self.path = path
        self.outputs = np.zeros((len(inputs), output_bytes), np.int8)
        self.cycles = np.zeros(len(inputs), np.int64)
        self.done = np.zeros(len(inputs), np.bool_)
        self._file: BinaryIO | None = None
        self._header = json.dumps(
            {
                "format": _FORMAT,
                "build_id": build_id.hex(),
                "inputs_sha256": hashlib.sha256(np.ascontiguousarray(inputs).tobytes()).hexdigest(),
                "inputs": len(inputs),
                "output_bytes": output_bytes,
            },
            sort_keys=True,
        ).encode()
        if path is not None:
            self._open(path)

    def __enter__(self) -> Journal:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _open(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            kept = self._load(path.read_bytes()) if path.is_file() else 0
            if kept:
                self._file = path.open("r+b")
                self._file.truncate(kept)
                self._file.seek(kept)
            else:
                self._file = path.open("wb")
                self._file.write(self._header + b"\n")
            self._file.flush()
        except OSError as exc:
            raise DeviceError(f"outputs cannot be kept in {path}: {exc.strerror}") from exc

    def _load(self, data: bytes) -> int:
        """Take over the records of `data`; return how many of its bytes are good."""
        header, newline, _ = data.partition(b"\n")
        if header != self._header or not newline:
            _log.info("%s belongs to another build or other inputs: starting it anew", self.path)
            return 0
        size = _HEAD.size + self.outputs.shape[1] + _CRC.size
        position = len(header) + 1
        while position + size <= len(data):
            record = data[position : position + size - _CRC.size]
            (crc,) = _CRC.unpack_from(data, position + len(record))
            index, cycles = _HEAD.unpack_from(record)
            if crc != zlib.crc32(record) or index >= len(self.done):
                break
            self._take(index, cycles, record[_HEAD.size :])
            position += size
        return position

    def _take(self, index: int, cycles: int, output: bytes) -> None:
        self.outputs[index] = np.frombuffer(output, np.int8)
        self.cycles[index] = cycles
        self.done[index] = True

    def add(self, index: int, cycles: int, output: bytes) -> None:
        """Keep one output; it is with the operating system when this returns."""
        if len(output) != self.outputs.shape[1]:
            raise DeviceError(
                f"the device answered {len(output)} output bytes, expected {self.outputs.shape[1]}"
            )
        self._take(index, cycles, output)
        if self._file is not None:
            record = _HEAD.pack(index, cycles) + output
            self._file.write(record + _CRC.pack(zlib.crc32(record)))
            self._file.flush()
