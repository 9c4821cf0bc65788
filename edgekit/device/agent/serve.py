"""The device's end of the link (docs/LINK.md) in front of an accelerator, without any input/output.

Bytes go in by `feed`, answers and events come out through `send`; `tick` looks after a run.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from edgekit.device.agent.accelerator import Accelerator, RunResult
from edgekit.device.agent.store import Transfer
from edgekit.device.frames import Decoder, Frame, encode
from edgekit.device.layout import (
    BATCH_MAX,
    CYCLE_LOG_ENTRIES,
    ERROR_TEXT_BYTES,
    INLINE_SLOT,
    MTU_MAX_BYTES,
    MTU_MIN_BYTES,
    PROTOCOL,
    Cap,
    Command,
    CommitReply,
    CommitRequest,
    Error,
    ErrorReply,
    Flag,
    Hello,
    HelloRequest,
    InferReply,
    InferRequest,
    Info,
    Kind,
    OpenReply,
    OpenRequest,
    OutputRequest,
    ReadReply,
    ReadRequest,
    ResetReason,
    RunRecord,
    RunRequest,
    RunState,
    Stats,
    StatusReply,
    TransferKind,
    TransferState,
    Type,
    WriteReply,
    WriteRequest,
)
from edgekit.device.wire import T, pack, unpack, wire
from edgekit.errors import DeviceError

BANNER = b"m-init-done\r\nm-ready\r\n"
_BAUD = 921600  # sets the host's patience; the connection has no baud rate
_STUCK_S = 2.0  # on top of two periods, without one inference
_PERIOD_CLOCKS_MAX = 2**32 - 1
_CAPS = Cap.STORE | Cap.RUN | Cap.CYCLES | Cap.SHA256


class Refusal(Exception):  # noqa: N818 - it is an answer, not a mistake
    """A request that is answered with an error."""

    def __init__(self, code: Error, detail: int = 0, text: str = "") -> None:
        super().__init__(text)
        self.code, self.detail, self.text = code, detail, text


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
        self._mtu = MTU_MIN_BYTES
        self._sequence = 0  # of the latest request
        self._kept: bytes | None = None  # its answer; None: nothing was asked yet
        self._events = 0
        self._boots = 1
        self._counts = dict.fromkeys(Stats.__dataclass_fields__, 0)
        self._transfer = Transfer()
        self._slots = 0
        self._output = b""
        self._run = RunState.NONE
        self._record_of = RunResult(0, 0, 0, 0, 0, 0)  # the latest run
        self._progress = (0, 0.0)  # inferences of a run, and until when the next has to be over
        self._patience_s = 0.0
        self._began = time.monotonic()
        self._handlers: dict[int, Callable[[bytes], bytes]] = {
            Command.INFO: self._info,
            Command.STATS: self._stats,
            Command.OPEN: self._open_transfer,
            Command.WRITE: self._write,
            Command.COMMIT: self._commit,
            Command.STATUS: self._status,
            Command.INFER: self._infer,
            Command.OUTPUT: self._fetch,
            Command.RUN: self._start_run,
            Command.RUN_STATUS: self._run_status,
            Command.RUN_STOP: self._run_stop,
            Command.READ: self._read,
        }
        send(BANNER)

    @property
    def running(self) -> bool:
        """Return whether a run goes on, which `tick` has to look after."""
        return self._run is RunState.RUNNING

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
        if not self.running:
            return
        if self._accelerator.busy():
            done, now = self._accelerator.done(), time.monotonic()
            if done != self._progress[0]:
                self._progress = (done, now + self._patience_s)
            if now < self._progress[1]:
                return
            self._record_of = self._accelerator.run_result()
            self._accelerator.reset()
            self._run = RunState.STOPPED
        else:
            self._record_of = self._accelerator.run_result()
            self._run = RunState.DONE
        self._events = (self._events + 1) & 0xFFFF
        self._frame(Type.EVT, Command.RUN, self._events, pack(self._record()))

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
            self._end_run()
            self._session = (self._session + 1 + secrets.randbelow(0xFFFE)) & 0xFFFF
            self._nonce, self._open = request.nonce, True
            self._mtu = max(MTU_MIN_BYTES, min(request.mtu, MTU_MAX_BYTES))
        self._sequence = frame.sequence
        self._kept = None
        self._frame(Type.RSP, Command.HELLO, frame.sequence, pack(self._identity()))

    def _identity(self) -> Hello:
        facts = self._facts
        virtual = self._accelerator.simulated
        return Hello(
            proto=PROTOCOL,
            kind=Kind.VIRTUAL if virtual else Kind.HARDWARE,
            mtu=self._mtu,
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
            self._end_run()
            self._open = False
        elif command == Command.RESET:
            self._end_run()
            self._accelerator.reset()
            self._boots += 1
            self._open = False
            self._send(BANNER)

    def _info(self, _: bytes) -> bytes:
        facts = self._facts
        uptime_us = round((time.monotonic() - self._began) * 1e6)
        info = Info(0, 0, 0, 0, facts.slots * facts.input_bytes, 0, uptime_us)
        return pack(info) + facts.model.encode()[: self._mtu - wire(Info).size]

    def _stats(self, _: bytes) -> bytes:
        errors = {
            "crc_errors": self._decoder.crc_errors,
            "cobs_errors": self._decoder.cobs_errors,
        }
        return pack(Stats(**{**self._counts, **errors}))

    def _idle(self) -> None:
        if self.running:
            raise Refusal(Error.BUSY)

    def _open_transfer(self, payload: bytes) -> bytes:
        self._idle()
        request, _ = _parsed(OpenRequest, payload)
        if request.kind != TransferKind.INPUTS or request.length == 0:
            raise Refusal(Error.BAD_ARG, request.kind)
        if request.length % self._facts.input_bytes:
            raise Refusal(Error.BAD_ARG, 0, "not whole inputs")
        if request.length > self._facts.slots * self._facts.input_bytes:
            raise Refusal(Error.NO_MEM)
        self._slots = 0
        self._transfer.open(request.kind, request.length, request.sha256, bool(request.restart))
        chunk = self._mtu - wire(WriteRequest).size
        if request.chunk:
            chunk = min(chunk, request.chunk)
        return pack(OpenReply(self._transfer.handle, chunk, len(self._transfer.data)))

    def _write(self, payload: bytes) -> bytes:
        self._idle()
        request, data = _parsed(WriteRequest, payload)
        self._check_handle(request.handle)
        self._transfer.write(request.offset, data)
        return pack(WriteReply(len(self._transfer.data)))

    def _check_handle(self, handle: int) -> None:
        if self._transfer.state is TransferState.NONE or handle != self._transfer.handle:
            raise Refusal(Error.BAD_ARG, handle, "no such transfer")

    def _commit(self, payload: bytes) -> bytes:
        self._idle()
        request, _ = _parsed(CommitRequest, payload)
        self._check_handle(request.handle)
        transfer, size = self._transfer, self._facts.input_bytes
        if len(transfer.data) != transfer.length:
            raise Refusal(Error.BAD_ARG, 0, "the transfer is not complete")
        if not transfer.complete():
            raise Refusal(Error.HASH_MISMATCH)
        slots = transfer.length // size
        for slot in range(slots):
            self._accelerator.store(slot, bytes(transfer.data[slot * size : (slot + 1) * size]))
        self._slots = slots
        return pack(CommitReply(transfer.length, slots))

    def _status(self, _: bytes) -> bytes:
        t = self._transfer
        return pack(StatusReply(t.handle, t.state, t.kind, len(t.data), t.length, t.sha256))

    def _infer(self, payload: bytes) -> bytes:
        self._idle()
        request, data = _parsed(InferRequest, payload)
        if request.slot == INLINE_SLOT:
            if len(data) != self._facts.input_bytes:
                raise Refusal(Error.BAD_ARG, len(data) & 0xFFFF, "not one input")
            slot = self._facts.slots
            self._accelerator.store(slot, data)
        elif request.slot < self._slots:
            slot = request.slot
        else:
            raise Refusal(Error.OUT_OF_RANGE, self._slots)
        cycles, self._output = self._accelerator.infer(slot)
        self._counts["inferences"] += 1
        reply = InferReply(cycles, 0, len(self._output))
        return pack(reply) + self._output[: self._mtu - wire(InferReply).size]

    def _fetch(self, payload: bytes) -> bytes:
        request, _ = _parsed(OutputRequest, payload)
        if request.offset > len(self._output):
            raise Refusal(Error.OUT_OF_RANGE)
        return self._output[request.offset : request.offset + self._mtu]

    def _start_run(self, payload: bytes) -> bytes:
        self._idle()
        request, _ = _parsed(RunRequest, payload)
        if request.n == 0 or not 1 <= request.batch <= BATCH_MAX:
            raise Refusal(Error.BAD_ARG)
        if request.count == 0 or request.first + request.count > self._slots:
            raise Refusal(Error.OUT_OF_RANGE, self._slots)
        period_clocks = request.period_us * self._facts.clock_hz // 1_000_000
        if period_clocks > _PERIOD_CLOCKS_MAX:
            raise Refusal(Error.BAD_ARG, 0, "the period is too long for the clock")
        self._accelerator.start_run(
            request.first, request.count, request.n, request.batch, period_clocks
        )
        self._counts["inferences"] = (self._counts["inferences"] + request.n) & 0xFFFFFFFF
        self._run = RunState.RUNNING
        self._patience_s = _STUCK_S + 2e-6 * request.period_us
        self._progress = (0, time.monotonic() + self._patience_s)
        return b""

    def _record(self) -> RunRecord:
        result = self._record_of
        t_us = result.clocks * 1_000_000 // self._facts.clock_hz
        told = asdict(result)
        del told["clocks"]
        return RunRecord(state=self._run, reserved=0, t_us=t_us, **told)

    def _run_status(self, _: bytes) -> bytes:
        self.tick()
        if self.running:
            return pack(RunRecord(RunState.RUNNING, self._progress[0], 0, 0, 0, 0, 0, 0))
        return pack(self._record())

    def _run_stop(self, _: bytes) -> bytes:
        self._end_run()
        return self._run_status(b"")

    def _end_run(self) -> None:
        if self.running:
            self._accelerator.stop_run()
            self._record_of = self._accelerator.run_result()
            self._run = RunState.STOPPED

    def _read(self, payload: bytes) -> bytes:
        """Cycles of a run's inferences; the hardware keeps the extremes, which must be equal."""
        self._idle()
        request, _ = _parsed(ReadRequest, payload)
        result = self._record_of
        if self._run is RunState.NONE or request.first > result.n:
            raise Refusal(Error.OUT_OF_RANGE)
        if result.cycles_min != result.cycles_max:
            raise Refusal(Error.UNKNOWN_CMD, 0, "cycles of single inferences are not kept")
        fits = (self._mtu - wire(ReadReply).size) // 4
        first = max(request.first, result.n - CYCLE_LOG_ENTRIES)
        entries = min(fits, result.n - first)
        return pack(ReadReply(result.n, first)) + result.cycles_min.to_bytes(4, "little") * entries


def _parsed(message: type[T], payload: bytes) -> tuple[T, bytes]:
    try:
        return unpack(message, payload)
    except DeviceError as exc:
        raise Refusal(Error.BAD_ARG, len(payload) & 0xFFFF, "too short") from exc


def _error_payload(refusal: Refusal) -> bytes:
    text = refusal.text.encode()[:ERROR_TEXT_BYTES].decode("utf-8", "ignore").encode()
    return pack(ErrorReply(refusal.code, refusal.detail)) + text
