"""What the link's requests do with an accelerator: inputs, inferences and runs.

Each answer is a payload; a Refusal is answered with its error.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict

from edgekit.device.agent.accelerator import Accelerator, RunResult
from edgekit.device.agent.store import Transfer
from edgekit.device.layout import (
    BATCH_MAX,
    CYCLE_LOG_ENTRIES,
    INLINE_SLOT,
    Command,
    CommitReply,
    CommitRequest,
    Error,
    InferReply,
    InferRequest,
    Info,
    OpenReply,
    OpenRequest,
    OutputRequest,
    ReadReply,
    ReadRequest,
    RunRecord,
    RunRequest,
    RunState,
    StatusReply,
    TransferKind,
    TransferState,
    WriteReply,
    WriteRequest,
)
from edgekit.device.wire import T, pack, unpack, wire
from edgekit.errors import DeviceError

_STUCK_S = 2.0  # on top of two periods, without one inference
_PERIOD_CLOCKS_MAX = 2**32 - 1


class Refusal(Exception):  # noqa: N818 - it is an answer, not a mistake
    """A request that is answered with an error."""

    def __init__(self, code: Error, detail: int = 0, text: str = "") -> None:
        super().__init__(text)
        self.code, self.detail, self.text = code, detail, text


class Commands:
    """The requests that need the accelerator; `mtu` is the payload's limit of the session."""

    def __init__(self, accelerator: Accelerator, mtu: int) -> None:
        self.mtu = mtu
        self.inferences = 0
        self._accelerator = accelerator
        self._facts = accelerator.facts
        self._transfer = Transfer()
        self._slots = 0
        self._output = b""
        self._run = RunState.NONE
        self._record_of = RunResult(0, 0, 0, 0, 0, 0)  # the latest run
        self._progress = (0, 0.0)  # inferences of a run, and until when the next has to be over
        self._patience_s = 0.0
        self._began = time.monotonic()
        self.handlers: dict[int, Callable[[bytes], bytes]] = {
            Command.INFO: self._info,
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

    @property
    def running(self) -> bool:
        """Return whether a run goes on, which `tick` has to look after."""
        return self._run is RunState.RUNNING

    def tick(self) -> bytes | None:
        """Return the record of a run that has just ended, or stands still and was stopped."""
        if not self.running:
            return None
        if self._accelerator.busy():
            done, now = self._accelerator.done(), time.monotonic()
            if done != self._progress[0]:
                self._progress = (done, now + self._patience_s)
            if now < self._progress[1]:
                return None
            self._record_of = self._accelerator.run_result()
            self._accelerator.reset()
            self._run = RunState.STOPPED
        else:
            self._record_of = self._accelerator.run_result()
            self._run = RunState.DONE
        return pack(self._record())

    def reset(self) -> None:
        """Reset the accelerator, which also ends a run."""
        self.end_run()
        self._accelerator.reset()

    def _info(self, _: bytes) -> bytes:
        facts = self._facts
        uptime_us = round((time.monotonic() - self._began) * 1e6)
        info = Info(0, 0, 0, 0, facts.slots * facts.input_bytes, 0, uptime_us)
        return pack(info) + facts.model.encode()[: self.mtu - wire(Info).size]

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
        chunk = self.mtu - wire(WriteRequest).size
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
        self.inferences += 1
        reply = InferReply(cycles, 0, len(self._output))
        return pack(reply) + self._output[: self.mtu - wire(InferReply).size]

    def _fetch(self, payload: bytes) -> bytes:
        request, _ = _parsed(OutputRequest, payload)
        if request.offset > len(self._output):
            raise Refusal(Error.OUT_OF_RANGE)
        return self._output[request.offset : request.offset + self.mtu]

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
        self.inferences = (self.inferences + request.n) & 0xFFFFFFFF
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
        if self.running:
            return pack(RunRecord(RunState.RUNNING, self._progress[0], 0, 0, 0, 0, 0, 0))
        return pack(self._record())

    def _run_stop(self, _: bytes) -> bytes:
        self.end_run()
        return self._run_status(b"")

    def end_run(self) -> None:
        """Stop a run that goes on."""
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
        fits = (self.mtu - wire(ReadReply).size) // 4
        first = max(request.first, result.n - CYCLE_LOG_ENTRIES)
        entries = min(fits, result.n - first)
        return pack(ReadReply(result.n, first)) + result.cycles_min.to_bytes(4, "little") * entries


def _parsed(message: type[T], payload: bytes) -> tuple[T, bytes]:
    try:
        return unpack(message, payload)
    except DeviceError as exc:
        raise Refusal(Error.BAD_ARG, len(payload) & 0xFFFF, "too short") from exc
