"""The device's end of the link (docs/LINK.md) in front of an accelerator, without any input/output.

Bytes go in by `feed`, answers and events come out through `send`; `tick` looks after a run.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from edgekit.device.agent.accelerator import Accelerator
from edgekit.device.agent.commands import Commands, Refusal
from edgekit.device.frames import Decoder, Frame, encode
from edgekit.device.layout import (
    ERROR_TEXT_BYTES,
    MTU_MAX_BYTES,
    MTU_MIN_BYTES,
    PROTOCOL,
    Cap,
    Command,
    Error,
    ErrorReply,
    Flag,
    Hello,
    HelloRequest,
    Kind,
    ResetReason,
    Stats,
    Type,
)
from edgekit.device.wire import pack, unpack
from edgekit.errors import DeviceError

BANNER = b"m-init-done\r\nm-ready\r\n"
_BAUD = 921600  # sets the host's patience; the connection has no baud rate
_CAPS = Cap.STORE | Cap.RUN | Cap.CYCLES | Cap.SHA256


@dataclass(frozen=True, slots=True)
class ColdStart:
    """From the accelerator's reset to its first result, and that inference's cycles."""

    us: int
    cycles: int


class Server:
    """One accelerator's end of the link."""

    def __init__(
        self, accelerator: Accelerator, cold: ColdStart, uid: bytes, send: Callable[[bytes], None]
    ) -> None:
        self._accelerator = accelerator
        self._facts = accelerator.facts
        self._cold = cold
        self._uid = uid
        self._send = send
        self._decoder = Decoder()
        self._session = secrets.randbits(16)
        self._open = False  # whether a session is
        self._nonce = 0
        self._sequence = 0  # of the latest request
        self._kept: bytes | None = None  # its answer; None: nothing was asked yet
        self._events = 0
        self._boots = 1
        self._counts = dict.fromkeys(Stats.__dataclass_fields__, 0)
        self._commands = Commands(accelerator, MTU_MIN_BYTES)
        self._handlers = {**self._commands.handlers, Command.STATS: self._stats}
        send(BANNER)

    @property
    def running(self) -> bool:
        """Return whether a run goes on, which `tick` has to look after."""
        return self._commands.running

    def feed(self, data: bytes) -> None:
        """Take received bytes and answer the requests in them."""
        for frame in self._decoder.feed(data):
            if frame.type != Type.REQ:
                self._counts["stale"] += 1
                continue
            self._counts["rx_ok"] += 1
            if frame.command == Command.HELLO:
                self._hello(frame)
            else:
                self._request(frame)

    def tick(self) -> None:
        """Say that a run is over, when it is, or stands still."""
        record = self._commands.tick()
        if record is not None:
            self._events = (self._events + 1) & 0xFFFF
            self._frame(Type.EVT, Command.RUN, self._events, record)

    def _frame(
        self, kind: Type, command: int, sequence: int, payload: bytes, flags: int = 0
    ) -> None:
        frame = Frame(kind, command, sequence, self._session, payload, flags)
        self._counts["tx_frames"] += 1
        self._send(encode(frame))

    def _hello(self, frame: Frame) -> None:
        try:
            request, _ = unpack(HelloRequest, frame.payload)
        except DeviceError:
            return
        if not request.proto_min <= PROTOCOL <= request.proto_max:
            refusal = Refusal(Error.BAD_VERSION, PROTOCOL)
            self._frame(Type.ERR, Command.HELLO, frame.sequence, _error_payload(refusal))
            return
        again = self._open and request.nonce == self._nonce
        if again and self._kept is not None:
            self._counts["stale"] += 1
            return
        if not again:
            self._commands.end_run()
            self._session = (self._session + 1 + secrets.randbelow(0xFFFE)) & 0xFFFF
            self._nonce, self._open = request.nonce, True
            self._commands.mtu = max(MTU_MIN_BYTES, min(request.mtu, MTU_MAX_BYTES))
        self._sequence = frame.sequence
        self._kept = None
        self._frame(Type.RSP, Command.HELLO, frame.sequence, pack(self._identity()))

    def _identity(self) -> Hello:
        facts = self._facts
        virtual = self._accelerator.simulated
        return Hello(
            proto=PROTOCOL,
            kind=Kind.VIRTUAL if virtual else Kind.HARDWARE,
            mtu=self._commands.mtu,
            session=self._session,
            rx_window=MTU_MAX_BYTES,
            reset_reason=ResetReason.SOFTWARE if self._boots > 1 else ResetReason.UNKNOWN,
            nodes=0,
            nonce=self._nonce,
            caps=_CAPS,
            boot_count=self._boots,
            clock_hz=facts.clock_hz,
            baud=_BAUD,
            input_bytes=facts.input_bytes,
            output_bytes=facts.output_bytes,
            store_bytes=facts.slots * facts.input_bytes,
            cold_start_us=self._cold.us,
            cold_cycles=self._cold.cycles,
            uid=self._uid,
            build_id=bytes.fromhex(facts.build_id),
            model_hash=bytes.fromhex(facts.model_hash),
            board=facts.board.encode()[:24],
        )

    def _request(self, frame: Frame) -> None:
        if not self._open or frame.session != self._session:
            self._counts["bad_session"] += 1
            refusal = Refusal(Error.BAD_SESSION)
            answer = Frame(
                Type.ERR, frame.command, frame.sequence, frame.session, _error_payload(refusal)
            )
            self._counts["tx_frames"] += 1
            self._send(encode(answer))
            return
        ahead = (frame.sequence - self._sequence) & 0xFFFF
        if ahead == 0 and self._kept is not None:
            self._counts["replays"] += 1
            self._counts["tx_frames"] += 1
            self._send(self._kept)
            return
        if ahead == 0 or ahead >= 0x8000:
            self._counts["stale"] += 1
            return
        self._sequence = frame.sequence
        kind, payload = self._answer(frame)
        answer = Frame(kind, frame.command, frame.sequence, self._session, payload)
        self._counts["tx_frames"] += 1
        self._send(encode(answer))
        answer = Frame(kind, frame.command, frame.sequence, self._session, payload, Flag.REPLAY)
        self._kept = encode(answer)
        self._after(frame.command)

    def _answer(self, frame: Frame) -> tuple[Type, bytes]:
        if frame.command in (Command.BYE, Command.RESET):
            return Type.RSP, b""
        try:
            handler = self._handlers.get(frame.command)
            if handler is None:
                raise Refusal(Error.UNKNOWN_CMD, frame.command)
            return Type.RSP, handler(frame.payload)
        except Refusal as refusal:
            return Type.ERR, _error_payload(refusal)
        except DeviceError as exc:
            # The accelerator hung and was reset: the request fails, the link and the store live on.
            self._accelerator.reset()
            return Type.ERR, _error_payload(Refusal(Error.TIMEOUT, 0, exc.message))

    def _after(self, command: int) -> None:
        if command == Command.BYE:
            self._commands.end_run()
            self._open = False
        elif command == Command.RESET:
            self._commands.reset()
            self._boots += 1
            self._open = False
            self._send(BANNER)

    def _stats(self, _: bytes) -> bytes:
        errors = {
            "crc_errors": self._decoder.crc_errors,
            "cobs_errors": self._decoder.cobs_errors,
            "inferences": self._commands.inferences,
        }
        return pack(Stats(**{**self._counts, **errors}))


def _error_payload(refusal: Refusal) -> bytes:
    text = refusal.text.encode()[:ERROR_TEXT_BYTES].decode("utf-8", "ignore").encode()
    return pack(ErrorReply(refusal.code, refusal.detail)) + text
