"""A stand-in for a twin's state port: plays a state log to whoever connects."""

from __future__ import annotations

import json
import socket
import threading
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edgekit.measure.types import MeterInfo, Samples

CALIBRATED = MeterInfo("test", "1", True, 100_000.0, 0.0, 0.0)


class States:
    """One connection; `play` appends to the log. Time goes on where it stopped."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._connection: socket.socket | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        self.t_ns = 0

    def _accept(self) -> None:
        try:
            self._connection, _ = self._server.accept()
        except OSError:
            return
        self._ready.set()

    def play(self, *spans: tuple[str, int, float]) -> None:
        """Send (state, mark, seconds) one after the other, then a heartbeat at the end."""
        assert self._ready.wait(20)
        assert self._connection is not None
        lines = []
        for state, mark, seconds in spans:
            lines.append(json.dumps({"t_ns": self.t_ns, "state": state, "mark": mark}))
            self.t_ns += round(seconds * 1e9)
        state, mark, _ = spans[-1]
        lines.append(json.dumps({"t_ns": self.t_ns, "state": state, "mark": mark}))
        self._connection.sendall(("\n".join(lines) + "\n").encode())

    def __enter__(self) -> States:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        self._thread.join(5)
        if self._connection is not None:
            self._connection.close()


class SocketPort:
    """edgekit.device.port.Port over TCP, without pyserial."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("socket://").rpartition(":")
        self.name = url
        self._socket = socket.create_connection((host, int(port)))

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self, timeout_s: float) -> bytes:
        self._socket.settimeout(max(timeout_s, 1e-4))
        try:
            return self._socket.recv(65_536)
        except TimeoutError:
            return b""

    def close(self) -> None:
        self._socket.close()


def square(
    runs: int, high: int, low: int, run_ua: float, sleep_ua: float, lead: int = 50
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return currents and mark of `runs` inferences: `lead` low samples, then high and low."""
    mark = np.concatenate([np.zeros(lead, np.bool_), np.tile(np.arange(high + low) < high, runs)])
    return np.where(mark, run_ua, sleep_ua), mark


def samples(
    current_ua: NDArray[np.float64], mark: NDArray[np.bool_], first: int = 0, step_ua: float = 0.0
) -> Samples:
    n = len(current_ua)
    return Samples(
        index=np.arange(first, first + n, dtype=np.int64),
        current_ua=current_ua,
        mark=mark,
        step_ua=np.full(n, step_ua),
    )
