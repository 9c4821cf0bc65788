# SPDX-License-Identifier: GPL-2.0-or-later
"""The twin's sockets, each served by threads of its own beside the emulated core."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

_LOG = logging.getLogger(__name__)
_HOST = "127.0.0.1"
_PIECE = 4096
_SETTLE_S = 2.0


def _nothing() -> None:
    """Wait for nothing before bytes leave."""


def _listen() -> socket.socket:
    return socket.create_server((_HOST, 0))


def _spawn(target: Callable[..., None], *args: object) -> None:
    threading.Thread(target=target, args=args, daemon=True).start()


def exit_with_parent() -> None:
    """End the process when standard input closes: nobody is left who wants it."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), _PIECE):
            pass
        os._exit(0)

    _spawn(watch)


class LinkServer:
    """Raw bytes of the serial port, for one client at a time."""

    def __init__(self) -> None:
        self._server = _listen()
        self.port: int = self._server.getsockname()[1]
        self.changed = threading.Condition()
        self.received: deque[int] = deque()
        self.damage: Callable[[bytes], bytes] = bytes
        self.before_send: Callable[[], None] = _nothing
        self.piece_bytes = 0  # fault "split"
        self._client: socket.socket | None = None
        self._plugged = True
        _spawn(self._serve)

    @property
    def connected(self) -> bool:
        """Whether a client has the port open."""
        return self._client is not None

    def send(self, data: bytes) -> None:
        """Send to the client; without one the bytes are lost, as on a wire."""
        self.before_send()
        client, data = self._client, self.damage(data)
        if client is None:
            return
        size = self.piece_bytes or len(data) or 1
        with contextlib.suppress(OSError):
            for at in range(0, len(data), size):
                client.sendall(data[at : at + size])
                if self.piece_bytes:
                    time.sleep(0.0005)

    def plug(self, plugged: bool) -> None:
        """Let the port exist or not; a client of a port that goes away is cut off."""
        self._plugged = plugged
        client = self._client
        if not plugged and client is not None:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            client, _ = self._server.accept()
            if not self._plugged:
                client.close()
                continue
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.changed:
                self.received.clear()
                self._client = client
                self.changed.notify_all()
            self._receive(client)
            with self.changed:
                self._client = None
                self.changed.notify_all()
            client.close()

    def _receive(self, client: socket.socket) -> None:
        while True:
            try:
                data = client.recv(_PIECE)
            except OSError:
                return
            if not data:
                return
            with self.changed:
                self.received.extend(self.damage(data))
                self.changed.notify_all()


class StateServer:
    """Streams the state log to every client, from its present entry on."""

    def __init__(self, line: Callable[[], bytes]) -> None:
        self._server = _listen()
        self.port: int = self._server.getsockname()[1]
        self._line = line
        self._clients: list[queue.Queue[bytes]] = []
        _spawn(self._serve)

    def write(self, line: bytes) -> None:
        """Hand one line to every client; never waits for a slow one."""
        for lines in self._clients:
            lines.put(line)

    def settle(self) -> None:
        """Wait, within limits, until every line is on its way to every client.

        The host that reads an answer may then ask a meter what happened before it.
        """
        deadline = time.monotonic() + _SETTLE_S
        for lines in self._clients:
            with lines.all_tasks_done:
                while lines.unfinished_tasks and (left := deadline - time.monotonic()) > 0:
                    lines.all_tasks_done.wait(left)

    def _serve(self) -> None:
        while True:
            client, _ = self._server.accept()
            lines: queue.Queue[bytes] = queue.Queue()
            lines.put(self._line())
            self._clients = [*self._clients, lines]
            _spawn(self._feed, client, lines)

    def _feed(self, client: socket.socket, lines: queue.Queue[bytes]) -> None:
        try:
            while True:
                data = [lines.get()]
                while not lines.empty():
                    data.append(lines.get())
                client.sendall(b"".join(data))
                for _ in data:
                    lines.task_done()
        except OSError:
            self._clients = [c for c in self._clients if c is not lines]
            client.close()


class ControlServer:
    """One JSON object a line in, one a line out."""

    def __init__(self, handle: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._server = _listen()
        self.port: int = self._server.getsockname()[1]
        self._handle = handle
        _spawn(self._serve)

    def _serve(self) -> None:
        while True:
            client, _ = self._server.accept()
            _spawn(self._answer, client)

    def _answer(self, client: socket.socket) -> None:
        with client, client.makefile("rwb") as stream, contextlib.suppress(OSError):
            for line in stream:
                try:
                    reply = self._handle(json.loads(line))
                except (ValueError, KeyError, TypeError) as exc:
                    reply = {"error": f"{type(exc).__name__}: {exc}"}
                stream.write(json.dumps(reply).encode() + b"\n")
                stream.flush()
