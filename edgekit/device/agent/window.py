"""Where the accelerator's registers are: mapped memory on a board, a socket to a simulation."""

from __future__ import annotations

import mmap
import os
import socket
import struct
from pathlib import Path
from typing import Protocol

from edgekit.device.agent.registers import SPAN_BYTES
from edgekit.errors import DeviceError

_REQUEST = struct.Struct("<cII")  # R or W, byte offset, value
_REPLY = struct.Struct("<I")
_SOCKET_TIMEOUT_S = 10.0


class Window(Protocol):
    """Words of 32 bits by their byte offset, a multiple of 4."""

    simulated: bool

    def read(self, offset: int) -> int:
        """Return the word at `offset`."""
        ...

    def write(self, offset: int, value: int) -> None:
        """Set the word at `offset`."""
        ...


class MappedWindow:
    """A device file (/dev/uioN, or a plain file in a test) mapped into memory.

    Each word is one access of 32 bits: a copy of several could be split into bytes on the bus.
    """

    simulated = False

    def __init__(self, path: Path) -> None:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_SYNC)
        except OSError as exc:
            raise DeviceError(
                f"{path} cannot be opened: {exc.strerror}",
                hint="the loader gives it to you: deploy again",
            ) from exc
        try:
            self._map = mmap.mmap(descriptor, SPAN_BYTES)
        except (OSError, ValueError) as exc:
            raise DeviceError(f"{path} cannot be mapped: {exc}") from exc
        finally:
            os.close(descriptor)
        self._words = memoryview(self._map).cast("I")

    def read(self, offset: int) -> int:
        """Return the word at `offset`."""
        return int(self._words[offset >> 2])

    def write(self, offset: int, value: int) -> None:
        """Set the word at `offset`."""
        self._words[offset >> 2] = value


class SocketWindow:
    """A simulation behind a Unix socket: R or W, offset and value; every answer is one word."""

    simulated = True

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_SOCKET_TIMEOUT_S)
        self._path = path
        try:
            self._socket.connect(path)
        except OSError as exc:
            self._socket.close()
            raise DeviceError(f"no simulation answers at {path}: {exc}") from exc

    def read(self, offset: int) -> int:
        """Return the word at `offset`."""
        return self._exchange(b"R", offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Set the word at `offset`."""
        self._exchange(b"W", offset, value)

    def _exchange(self, kind: bytes, offset: int, value: int) -> int:
        data = b""
        try:
            self._socket.sendall(_REQUEST.pack(kind, offset, value))
            while len(data) < _REPLY.size:
                more = self._socket.recv(_REPLY.size - len(data))
                if not more:
                    raise ConnectionResetError("it ended")
                data += more
        except OSError as exc:
            raise DeviceError(f"the simulation at {self._path} does not answer: {exc}") from exc
        return int(_REPLY.unpack(data)[0])


def open_window(where: str) -> Window:
    """Open `where`: a device file, or a socket that a simulation listens on."""
    path = Path(where)
    return SocketWindow(where) if path.is_socket() else MappedWindow(path)
