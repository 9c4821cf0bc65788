"""The instrument on a socket or a pseudo-terminal, living in the twin's virtual time.

One thread. State lines from the twin move virtual time; every stretch of time becomes samples;
the client gets them as fast as it reads, so a slow client slows nobody but itself.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import selectors
import socket
import time
from collections.abc import Mapping
from typing import IO, Protocol

from edgekit.virtual.ppk2_emulator.device import Faults, Sampler, metadata

_MAX_QUEUE_BYTES = 256 * 1024 * 1024
_RECV = 65_536
_SPAN_NS = 200_000_000  # longest stretch turned into samples at once
_ARGUMENT_BYTES = {0x01: 0, 0x0C: 1, 0x0D: 2, 0x11: 1, 0x12: 12, 0x25: 5}


class Client(Protocol):
    """Whoever drives the instrument; reads and writes never block."""

    def fileno(self) -> int:
        """Return what to wait on."""
        ...

    def read(self) -> bytes | None:
        """Return what has arrived; b'' for nothing, None for gone."""
        ...

    def write(self, data: memoryview) -> int:
        """Write some of `data`; return how much."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class SocketClient:
    """A TCP connection."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connection

    def fileno(self) -> int:
        """Return what to wait on."""
        return self._socket.fileno()

    def read(self) -> bytes | None:
        """Return what has arrived; b'' for nothing, None for gone."""
        try:
            return self._socket.recv(_RECV) or None
        except BlockingIOError:
            return b""
        except OSError:
            return None

    def write(self, data: memoryview) -> int:
        """Write some of `data`."""
        try:
            return self._socket.send(data[: 1 << 20])
        except OSError:
            return 0

    def close(self) -> None:
        """Let go."""
        self._socket.close()


class TerminalClient:
    """The master side of a pseudo-terminal; it never goes away."""

    def __init__(self, master: int) -> None:
        os.set_blocking(master, False)
        self._master = master

    def fileno(self) -> int:
        """Return what to wait on."""
        return self._master

    def read(self) -> bytes | None:
        """Return what has arrived, b'' for nothing."""
        try:
            return os.read(self._master, _RECV)
        except OSError:
            return b""

    def write(self, data: memoryview) -> int:
        """Write some of `data`."""
        try:
            return os.write(self._master, data[:4096])
        except OSError:
            return 0

    def close(self) -> None:
        """Let go."""
        os.close(self._master)


class Server:
    """Joins the twin's states, one client and the control port."""

    def __init__(
        self,
        states: socket.socket,
        control: socket.socket,
        current_ua: Mapping[str, float],
        sampler: Sampler,
        client: Client | None,
        listener: socket.socket | None,
    ) -> None:
        self._selector = selectors.DefaultSelector()
        self._states = states
        self._states_open = True
        self._line = b""
        self._current_a = {name: value * 1e-6 for name, value in current_ua.items()}
        self._sampler = sampler
        self._faults: Faults = sampler.faults
        self._client = client
        self._listener = listener
        self._now_ns = 0
        self._state, self._mark = "off", 0
        self._powered, self._ampere, self._streaming = True, False, False
        self._input = b""
        self._queue = bytearray()
        self._later: list[tuple[float, bytes]] = []
        states.setblocking(False)
        self._control = control

    def run(self, stop: IO[bytes]) -> None:
        """Serve until `stop` is at its end."""
        watch = self._selector
        watch.register(stop, selectors.EVENT_READ, "stop")
        watch.register(self._states, selectors.EVENT_READ, "states")
        watch.register(self._control, selectors.EVENT_READ, "control")
        if self._listener is not None:
            watch.register(self._listener, selectors.EVENT_READ, "listener")
        if self._client is not None:
            watch.register(self._client, selectors.EVENT_READ, "client")
        while True:
            for key, _ in watch.select(self._patience()):
                if key.data == "stop" and not os.read(stop.fileno(), 256):
                    return
                self._serve(key)
            self._send_later()
            self._flush()
            self._watch_output()

    def _serve(self, key: selectors.SelectorKey) -> None:
        if key.data == "states" and len(self._queue) < _MAX_QUEUE_BYTES:
            self._read_states()
        elif key.data == "client":
            self._read_client()
        elif key.data == "listener" and self._listener is not None:
            self._accept(self._listener)
        elif key.data == "control":
            connection, _ = self._control.accept()
            self._selector.register(connection, selectors.EVENT_READ, "question")
        elif key.data == "question" and isinstance(key.fileobj, socket.socket):
            self._answer(key.fileobj)

    def _patience(self) -> float | None:
        if not self._later:
            return None
        return max(0.0, self._later[0][0] - time.monotonic())

    # --- virtual time -------------------------------------------------------------------------

    def _read_states(self) -> bool:
        """Take state lines that have arrived; return whether there were any."""
        try:
            data = self._states.recv(_RECV)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            if self._states_open:
                self._selector.unregister(self._states)
                self._states_open = False
            return False
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._advance(json.loads(line))
        return True

    def _advance(self, entry: Mapping[str, object]) -> None:
        t_ns = int(str(entry["t_ns"]))
        if self._streaming:
            current = self._current_a.get(self._state, 0.0) if self._powered else 0.0
            left = t_ns - self._now_ns
            while left > 0:
                piece = min(left, _SPAN_NS)
                self._queue += self._sampler.span(piece, current, self._mark)
                left -= piece
        self._now_ns = max(self._now_ns, t_ns)
        self._state, self._mark = str(entry["state"]), int(bool(entry["mark"]))

    def _catch_up(self) -> None:
        """Take every state line that has arrived: a command acts at the time it was given."""
        while self._states_open and self._read_states():
            pass

    # --- the client ---------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        if self._client is not None:
            connection.close()
            return
        self._client = SocketClient(connection)
        self._selector.register(self._client, selectors.EVENT_READ, "client")

    def _read_client(self) -> None:
        if self._client is None:
            return
        data = self._client.read()
        if data is None:
            self._selector.unregister(self._client)
            self._client.close()
            self._drop_client()
            return
        self._input += data
        while self._input:
            need = 1 + _ARGUMENT_BYTES.get(self._input[0], 0)
            if len(self._input) < need:
                return
            command, self._input = self._input[:need], self._input[need:]
            self._command(command[0], command[1:])

    def _drop_client(self) -> None:
        self._client = None
        self._streaming = False
        self._input = b""
        self._queue.clear()
        self._later.clear()

    def _command(self, code: int, argument: bytes) -> None:
        if code == 0x06:
            self._catch_up()
            self._sampler.start()
            self._streaming = True
        elif code == 0x07:
            self._catch_up()
            self._streaming = False
        elif code == 0x0C:
            self._powered = argument == b"\x01"
        elif code == 0x0D:
            self._sampler.supply_mv = int.from_bytes(argument, "big")
        elif code == 0x11:
            self._ampere = argument == b"\x01"
        elif code == 0x19:
            self._say_metadata()

    def _say_metadata(self) -> None:
        faults = self._faults
        text = metadata(not faults.stale_calibration, self._sampler.supply_mv, self._ampere)
        # Bytes of an interrupted stream: above ASCII, so that careless decoding trips over them.
        self._queue += bytes(0x80 + (37 * k) % 0x7F for k in range(faults.stale_bytes))
        if not faults.split_metadata:
            self._queue += text
            return
        now = time.monotonic()
        cuts = (0, 5, 60, len(text) - 6, len(text) - 2, len(text))
        for k, (a, b) in enumerate(itertools.pairwise(cuts)):
            self._later.append((now + 0.03 * k, text[a:b]))

    def _send_later(self) -> None:
        while self._later and self._later[0][0] <= time.monotonic():
            self._queue += self._later.pop(0)[1]

    def _flush(self) -> None:
        while self._queue and self._client is not None:
            with memoryview(self._queue) as view:
                sent = self._client.write(view)
            if sent == 0:
                return
            del self._queue[:sent]

    def _watch_output(self) -> None:
        """Wake up when the client can take more, but only while there is more."""
        if self._client is None:
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._queue else 0)
        self._selector.modify(self._client, events, "client")

    # --- control ------------------------------------------------------------------------------

    def _answer(self, connection: socket.socket) -> None:
        """Answer one line: how much was sampled, after every command that was sent before."""
        try:
            request = connection.recv(_RECV)
        except OSError:
            request = b""
        if not request:
            self._selector.unregister(connection)
            connection.close()
            return
        self._read_client()
        self._catch_up()
        reply = {
            "sampled": self._sampler.sampled,
            "streaming": self._streaming,
            "queued_bytes": len(self._queue),
            "now_ns": self._now_ns,
        }
        with contextlib.suppress(OSError):
            connection.sendall(json.dumps(reply).encode() + b"\n")
