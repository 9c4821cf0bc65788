"""The host's side of a twin, for tests."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

import numpy as np

from edgekit.ir import interp
from edgekit.ir.graph import Graph
from edgekit.virtual import Twin


@dataclass
class Host:
    """The host's end of a twin's serial port."""

    twin: Twin
    sock: socket.socket

    def ask(self, request: bytes, size: int) -> bytes:
        self.sock.sendall(request)
        return self.read(size)

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.sock.recv(size - len(data))
            if not piece:
                raise ConnectionError(f"closed after {data!r}")
            data += piece
        return data

    def read_until_quiet(self, seconds: float = 0.3) -> bytes:
        data = b""
        self.sock.settimeout(seconds)
        try:
            while piece := self.sock.recv(4096):
                data += piece
        except TimeoutError:
            pass
        finally:
            self.sock.settimeout(20)
        return data

    def silent(self, seconds: float) -> bool:
        self.sock.settimeout(seconds)
        try:
            return not self.sock.recv(1)
        except TimeoutError:
            return True
        finally:
            self.sock.settimeout(20)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def link_port(twin: Twin) -> int:
    return int(twin.link_url.rsplit(":", 1)[1])


def connect_state(twin: Twin) -> socket.socket:
    """Connect to the state log; what happens from now on will be in it."""
    sock = connect(twin.state_port)
    sock.recv(1, socket.MSG_PEEK)
    return sock


def wait_ready(twin: Twin, timeout_s: float = 20.0) -> None:
    """Wait until the firmware waits for the host."""
    deadline = time.monotonic() + timeout_s
    while twin.stats()["ready_ns"] is None or twin.stats()["state"] != "idle":
        assert time.monotonic() < deadline, twin.stats()
        time.sleep(0.01)


class SocketPort:
    """An edgekit Port on a socket that something else uses too."""

    def __init__(self, sock: socket.socket) -> None:
        self.name = "socket"
        self._sock = sock

    def write(self, data: bytes) -> None:
        self._sock.sendall(data)

    def read(self, timeout_s: float) -> bytes:
        self._sock.settimeout(max(timeout_s, 0.001))
        try:
            return self._sock.recv(4096)
        except TimeoutError:
            return b""

    def close(self) -> None:
        self._sock.close()


def expected_outputs(graph: Graph, samples: np.ndarray) -> np.ndarray:
    """Return what the graph makes of int8 rows (n, bytes)."""
    shape = graph.tensors[graph.inputs[0].tensor].shape
    x = samples.reshape(len(samples), *shape).astype(np.int64)
    values = interp.run(graph, {graph.inputs[0].tensor: x})
    return values[graph.outputs[0].tensor].reshape(len(samples), -1)
