"""The host's end of the device link: a session, and requests that take effect exactly once."""

from __future__ import annotations

import logging
import secrets
import time
from collections import deque
from collections.abc import Mapping

from edgekit.device.frames import Decoder, Frame, encode
from edgekit.device.layout import (
    MTU_MAX_BYTES,
    PROTOCOL,
    RETRYABLE,
    Command,
    Error,
    ErrorReply,
    Hello,
    HelloRequest,
    Stats,
    Type,
)
from edgekit.device.port import Port
from edgekit.device.wire import pack, unpack
from edgekit.errors import DeviceError

_log = logging.getLogger(__name__)

TRIES = 5
SHORTEST_TIMEOUT_S = 0.25
_HELLO_WAITS_S = (0.05, 0.1, 0.2, 0.4, 0.8)
_BANNER = b"m-init-done"  # what the firmware prints after every start


class RemoteError(DeviceError):
    """The device refused a request; `code` is layout.Error or a vendor's number."""

    def __init__(self, command: Command, reply: ErrorReply, text: str) -> None:
        self.code = reply.code
        known = {int(e): e.name for e in Error}
        name = known.get(reply.code, f"error {reply.code:#06x}")
        said = f": {text}" if text else ""
        super().__init__(
            f"the device refused {command.name} with {name}, detail {reply.detail}{said}"
        )


class NoReply(DeviceError):  # noqa: N818 - it is what happened, not a kind of mistake
    """The device did not answer in time, with all retries."""


class SessionLost(DeviceError):  # noqa: N818
    """The device started anew, or does not know this session any more."""


class Link:
    """One session over a port.

    Requests go one at a time and are sent again, with the same sequence number, until they are
    answered; the device answers a repeated one from its cache.
    """

    def __init__(self, port: Port, *, mtu: int = MTU_MAX_BYTES) -> None:
        self._port = port
        self._mtu = mtu
        self._decoder = Decoder()
        self._sequence = secrets.randbits(15)
        self._frames: deque[Frame] = deque()
        self._events: deque[Frame] = deque()
        self._counts = {"requests": 0, "retries": 0, "stale": 0, "sessions": 0}
        self._hello: Hello | None = None

    @property
    def hello(self) -> Hello:
        """What the device said of itself; DeviceError before `connect`."""
        if self._hello is None:
            raise DeviceError("no session is open on this link")
        return self._hello

    def connect(self, patience_s: float = 10.0) -> Hello:
        """Open a session, dropping whatever was on the wire.

        Raises DeviceError when nothing answered within `patience_s`.
        """
        self._hello = None
        self._frames.clear()
        self._events.clear()
        self._decoder.clear()
        self._port.write(b"\0\0")
        nonce = secrets.randbits(32)
        request = pack(HelloRequest(PROTOCOL, PROTOCOL, min(self._mtu, MTU_MAX_BYTES), nonce))
        self._sequence = (self._sequence + 1) & 0xFFFF
        frame = encode(Frame(Type.REQ, Command.HELLO, self._sequence, 0, request))
        deadline = time.monotonic() + patience_s
        tries = 0
        while tries < len(_HELLO_WAITS_S) or time.monotonic() < deadline:
            self._port.write(frame)
            hello = self._await_hello(nonce, _HELLO_WAITS_S[min(tries, len(_HELLO_WAITS_S) - 1)])
            if hello is not None:
                self._hello = hello
                self._decoder.clear()  # a banner from before this session says nothing of it
                self._counts["sessions"] += 1
                return hello
            tries += 1
        raise DeviceError(
            f"{self._port.name} did not answer HELLO in {tries} tries over {patience_s:g} s",
            hint="is this the board's port, and has edgekit's firmware been flashed? "
            "In an energy run it sleeps and hears nothing: wait for the end of that, or "
            "press the board's reset button",
        )

    def _await_hello(self, nonce: int, timeout_s: float) -> Hello | None:
        deadline = time.monotonic() + timeout_s
        while (frame := self._next(deadline)) is not None:
            if (frame.command, frame.sequence) != (Command.HELLO, self._sequence):
                self._counts["stale"] += 1
            elif frame.type == Type.ERR:
                reply, text = unpack(ErrorReply, frame.payload)
                raise RemoteError(Command.HELLO, reply, text.decode("utf-8", "replace"))
            elif frame.type == Type.RSP:
                hello, _ = unpack(Hello, frame.payload)
                if hello.nonce == nonce:
                    return hello
                self._counts["stale"] += 1
        return None

    def request(self, command: Command, payload: bytes = b"", budget_s: float = 0.0) -> bytes:
        """Send a request and return its reply's payload; it takes effect exactly once.

        `budget_s` is how long the device may work on it before the first retry. Raises RemoteError
        when the device refuses it, SessionLost when the device restarted and NoReply when it stays
        silent.
        """
        for attempt in range(TRIES):
            reply = self._exchange(command, payload, budget_s)
            if reply.type == Type.RSP:
                return reply.payload
            error, rest = unpack(ErrorReply, reply.payload)
            if error.code == Error.BAD_SESSION:
                raise SessionLost("the device does not know this session any more")
            if error.code not in RETRYABLE or attempt + 1 == TRIES:
                raise RemoteError(command, error, rest.decode("utf-8", "replace"))
            _log.info("%s: %s is busy, trying again", self._port.name, command.name)
            time.sleep(0.05 * 2**attempt)
        raise AssertionError("unreachable")

    def probe(self, command: Command, timeout_s: float) -> bytes | None:
        """Ask once, for a device that may be asleep: its reply's payload, or None."""
        hello = self.hello
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._counts["requests"] += 1
        self._port.write(encode(Frame(Type.REQ, command, self._sequence, hello.session, b"")))
        reply = self._await_reply(command, hello.session, timeout_s)
        if reply is not None and reply.type == Type.ERR:
            error, _ = unpack(ErrorReply, reply.payload)
            if error.code == Error.BAD_SESSION:
                raise SessionLost("the device does not know this session any more")
        return reply.payload if reply is not None and reply.type == Type.RSP else None

    def _exchange(self, command: Command, payload: bytes, budget_s: float) -> Frame:
        """Send one numbered request until its answer comes."""
        hello = self.hello
        self._sequence = (self._sequence + 1) & 0xFFFF
        frame = encode(Frame(Type.REQ, command, self._sequence, hello.session, payload))
        timeout_s = max(SHORTEST_TIMEOUT_S, 3 * len(frame) * 10 / hello.baud + budget_s)
        self._counts["requests"] += 1
        waited_s = 0.0
        for attempt in range(TRIES):
            if attempt:
                self._counts["retries"] += 1
                _log.info("%s: no answer to %s, try %d", self._port.name, command.name, attempt + 1)
            self._port.write(frame)
            reply = self._await_reply(command, hello.session, timeout_s * 2**attempt)
            if reply is not None:
                return reply
            waited_s += timeout_s * 2**attempt
        raise NoReply(
            f"{self._port.name} did not answer {command.name} in {TRIES} tries over "
            f"{waited_s:.1f} s",
            hint="the board may be stuck, unplugged or without power: reset it and try again",
        )

    def _await_reply(self, command: Command, session: int, timeout_s: float) -> Frame | None:
        deadline = time.monotonic() + timeout_s
        while (frame := self._next(deadline)) is not None:
            numbers = (frame.command, frame.sequence, frame.session)
            if frame.type == Type.EVT and frame.session == session:
                self._events.append(frame)
            elif frame.type in (Type.RSP, Type.ERR) and numbers == (
                command,
                self._sequence,
                session,
            ):
                return frame
            else:
                self._counts["stale"] += 1
        return None

    def _next(self, deadline: float) -> Frame | None:
        """Return the next frame, None after `deadline`; SessionLost when the boot banner comes."""
        while not self._frames:
            if _BANNER in self._decoder.text:
                self._decoder.clear()
                if self._hello is not None:
                    self._hello = None
                    raise SessionLost(f"the device on {self._port.name} restarted")
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return None
            self._frames.extend(self._decoder.feed(self._port.read(left_s)))
        return self._frames.popleft()

    def forget_events(self) -> None:
        """Drop the events that have come so far."""
        self._events.clear()

    def event(self, timeout_s: float) -> Frame | None:
        """Return the next event of this session, or None when none comes in time."""
        deadline = time.monotonic() + timeout_s
        while not self._events:
            frame = self._next(deadline)
            if frame is None:
                return None
            if frame.type == Type.EVT and frame.session == self.hello.session:
                self._events.append(frame)
            else:
                self._counts["stale"] += 1
        return self._events.popleft()

    def bye(self) -> None:
        """End the session, so that the device answers text again at once; errors do not matter."""
        if self._hello is None:
            return
        self._sequence = (self._sequence + 1) & 0xFFFF
        session, self._hello = self._hello.session, None
        try:
            self._port.write(encode(Frame(Type.REQ, Command.BYE, self._sequence, session, b"")))
            self._await_reply(Command.BYE, session, SHORTEST_TIMEOUT_S)
        except DeviceError as exc:
            _log.info("%s: %s", self._port.name, exc.message)

    def stats(self) -> Mapping[str, int]:
        """Return the counters of both ends: `host_...` and, when it answers, `device_...`."""
        counts = {f"host_{k}": v for k, v in self._counts.items()}
        counts["host_crc_errors"] = self._decoder.crc_errors
        counts["host_cobs_errors"] = self._decoder.cobs_errors
        stats, _ = unpack(Stats, self.request(Command.STATS))
        for name in Stats.__dataclass_fields__:
            counts[f"device_{name}"] = getattr(stats, name)
        return counts
