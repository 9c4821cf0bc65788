"""Runs a board over its link: all samples with outputs kept on disk, or a timed energy run."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.device.journal import Journal
from edgekit.device.layout import (
    INLINE_SLOT,
    Cap,
    Command,
    Hello,
    InferReply,
    InferRequest,
    OutputRequest,
    RunRecord,
    RunRequest,
    RunState,
    TraceReply,
    TraceRequest,
)
from edgekit.device.link import SHORTEST_TIMEOUT_S, Link, NoReply, SessionLost
from edgekit.device.port import Port
from edgekit.device.transfer import upload_inputs, upload_weights
from edgekit.device.wire import pack, unpack, wire
from edgekit.errors import DeviceError
from edgekit.progress import Progress, Silent

_log = logging.getLogger(__name__)

_RESTARTS = 3  # of the board without one output in between, before giving up
_FIRST_BUDGET_S = 2.0  # of an inference whose length nobody knows yet; five tries make a minute
_ASK_EVERY_S = 2.0  # after a RUN should have ended
_STORED_BLOCK = 64  # inputs stored at a time when one does not fit into a frame


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What a board answered: outputs int8 [n, bytes], core cycles int64 [n]."""

    hello: Hello
    outputs: NDArray[np.int8]
    cycles: NDArray[np.int64]
    cold_start_us: float | None
    link_stats: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RunStats:
    """How an energy run went: `missed` periods were shorter than their inferences."""

    n: int
    cycles_min: int
    cycles_max: int
    cycles_sum: int
    missed: int
    t_us: int


def check_build(hello: Hello, expected: str | None) -> None:
    """Raise DeviceError unless the board runs build `expected` (32 hex digits; None: any)."""
    found = hello.build_id.hex()
    if expected is not None and found != expected:
        raise DeviceError(
            f"board runs build {found[:8]}…, expected {expected[:8]}…",
            hint="flash the board again; two boards may be attached and the other one was flashed",
        )


def expect_build(port: Port, expected: str) -> Hello:
    """Ask the board at `port` who it is; DeviceError unless it runs build `expected`."""
    link = Link(port)
    hello = link.connect()
    link.bye()
    check_build(hello, expected)
    return hello


def run_samples(
    port: Port,
    inputs: NDArray[np.int8],
    *,
    expected: str | None = None,
    journal: Path | None = None,
    weights: bytes = b"",
    progress: Progress | None = None,
) -> Run:
    """Run all `inputs` [n, bytes] on the board at `port`; call again to resume from `journal`.

    `weights` go to a board that keeps them in memory without contents (Cap.WEIGHTS).

    A restart of the board in mid-run is survived. Raises DeviceError, which says how many outputs
    are on disk, when the board stays silent or runs another build than `expected`.
    """
    progress = progress or Silent()
    link = Link(port)
    hello = link.connect()
    _check_firmware(hello, inputs, expected)
    with Journal(journal, hello.build_id, inputs, hello.output_bytes) as kept:
        done = int(kept.done.sum())
        if done:
            _log.info(
                "%d of %d outputs are in %s from a run that broke off", done, len(inputs), journal
            )
        progress.stage(_stage_name(done), len(inputs))
        try:
            hello = _run_all(link, inputs, kept, weights, progress)
            stats = link.stats()
        except DeviceError as exc:
            if journal is None:
                raise
            raise DeviceError(
                f"{exc.message}; {int(kept.done.sum())} of {len(inputs)} outputs are kept in "
                f"{journal}",
                hint="; ".join(filter(None, (exc.hint, "run again to go on from there"))),
            ) from exc
        finally:
            link.bye()
        cold = float(hello.cold_start_us) if hello.cold_start_us else None
        return Run(hello, kept.outputs, kept.cycles, cold, stats)


def _stage_name(kept: int) -> str:
    if not kept:
        return "run on board"
    return f"run on board: {kept} outputs are kept from a run that broke off"


def _check_firmware(hello: Hello, inputs: NDArray[np.int8], expected: str | None) -> None:
    check_build(hello, expected)
    if inputs.dtype != np.int8 or inputs.ndim != 2 or inputs.shape[1] != hello.input_bytes:
        raise DeviceError(
            f"inputs are {inputs.dtype} {list(inputs.shape)}, the board's model takes int8 "
            f"[n, {hello.input_bytes}]",
            hint="the board runs another model: build and flash this one",
        )


def _run_all(
    link: Link, inputs: NDArray[np.int8], kept: Journal, weights: bytes, progress: Progress
) -> Hello:
    """Run what is not done yet, through restarts; return the hello of the latest session."""
    first = link.hello
    restarts = 0
    engine: _Inferences | None = None
    todo = [int(i) for i in np.flatnonzero(~kept.done)]
    progress.advance(len(inputs) - len(todo))
    while todo:
        try:
            if engine is None:
                upload_weights(link, weights)
                engine = _Inferences(link, inputs)
            cycles, output = engine.run(todo[0])
        except SessionLost as exc:
            restarts += 1
            if restarts > _RESTARTS:
                raise DeviceError(
                    f"the board restarted {restarts} times at sample {todo[0]}",
                    hint="is its supply stable? A fault in the firmware also restarts it",
                ) from exc
            _log.warning("%s; resuming at sample %d", exc.message, todo[0])
            check_build(link.connect(), first.build_id.hex())
            engine = None
            continue
        kept.add(todo.pop(0), cycles, output)
        restarts = 0
        progress.advance(len(inputs) - len(todo))
    return link.hello


class _Inferences:
    """One inference after the other in one session: inline, or from stored blocks if too large."""

    def __init__(self, link: Link, inputs: NDArray[np.int8]) -> None:
        self._link = link
        self._inputs = inputs
        self._budget_s = _FIRST_BUDGET_S
        self._inline = wire(InferRequest).size + inputs.shape[1] <= link.hello.mtu
        self._stored: range = range(0)

    def run(self, index: int) -> tuple[int, bytes]:
        """Return cycles and output of sample `index`."""
        if self._inline:
            data = self._inputs[index].tobytes()
            request = pack(InferRequest(INLINE_SLOT)) + data
        else:
            self._store(index)
            request = pack(InferRequest(index - self._stored.start))
        start = time.monotonic()
        reply, output = unpack(
            InferReply, self._link.request(Command.INFER, request, self._budget_s)
        )
        # Retries then come soon after a loss, and not before a healthy board has answered.
        self._budget_s = min(_FIRST_BUDGET_S, 2.0 * (time.monotonic() - start))
        if reply.status != 0:
            raise DeviceError(f"inference of sample {index} ended with status {reply.status}")
        while len(output) < reply.output_bytes:
            more = self._link.request(Command.OUTPUT, pack(OutputRequest(len(output))))
            if not more:
                raise DeviceError(
                    f"the device's output ends at byte {len(output)} of {reply.output_bytes}"
                )
            output += more
        return reply.cycles, output

    def _store(self, index: int) -> None:
        if index in self._stored:
            return
        fits = self._link.hello.store_bytes // self._inputs.shape[1]
        if fits == 0:
            raise DeviceError(
                f"one input has {self._inputs.shape[1]} bytes, the board can store "
                f"{self._link.hello.store_bytes}"
            )
        end = min(len(self._inputs), index + min(fits, _STORED_BLOCK))
        upload_inputs(self._link, self._inputs[index:end].tobytes())
        self._stored = range(index, end)


def trace_node(link: Link, sample: NDArray[np.int8], node: int) -> bytes:
    """Return the bytes of `node`'s output for one input [bytes], from firmware built to trace."""
    if not link.hello.caps & Cap.TRACE:
        raise DeviceError(
            "the firmware on the board cannot trace", hint="build it with trace=True and flash it"
        )
    upload_inputs(link, sample.tobytes())
    data = b""
    while True:
        request = pack(TraceRequest(0, node, len(data)))
        reply, more = unpack(TraceReply, link.request(Command.TRACE, request, _FIRST_BUDGET_S))
        data += more
        if len(data) >= reply.size or not more:
            return data


class EnergyRun:
    """A RUN on the device: `start`, then `poll` until it returns the statistics."""

    def __init__(self, link: Link, request: RunRequest) -> None:
        self._link = link
        self._request = request
        self._ask_after = 0.0

    def again(self, n: int, period_us: int, batch: int) -> EnergyRun:
        """Return another run over the inputs that this one stored."""
        return EnergyRun(self._link, replace(self._request, n=n, period_us=period_us, batch=batch))

    def start(self) -> None:
        """Begin; the device sleeps between inferences and cannot be heard from until it is done."""
        groups = -(-self._request.n // self._request.batch)
        seconds = groups * self._request.period_us * 1e-6
        try:
            self._link.request(Command.RUN, pack(self._request))
            # A board slower than the host expected was asked how a run went, and said so itself
            # only then: what came before this reply is of an earlier run.
            self._link.forget_events()
        except NoReply as exc:
            # It may be running with its answer lost: only the end tells.
            _log.warning("%s; waiting for the end of the run", exc.message)
        self._ask_after = time.monotonic() + 1.05 * seconds + _ASK_EVERY_S

    def poll(self, timeout_s: float) -> RunStats | None:
        """Wait up to `timeout_s` for the end; None while the run goes on.

        The device says when it is done. When that message should have come, it is asked now and
        then: a lost message costs time, not the run. Raises SessionLost when the board restarted,
        and DeviceError when the run did not happen.
        """
        event = self._link.event(timeout_s)
        if event is not None and event.command == Command.RUN:
            return self._stats(event.payload)
        if time.monotonic() < self._ask_after:
            return None  # asking now would only be lost, or disturb what is measured
        payload = self._link.probe(Command.RUN_STATUS, SHORTEST_TIMEOUT_S)
        self._ask_after = time.monotonic() + _ASK_EVERY_S
        if payload is None:
            return None
        record, _ = unpack(RunRecord, payload)
        return None if record.state == RunState.RUNNING else self._stats(payload)

    def _stats(self, payload: bytes) -> RunStats:
        record, _ = unpack(RunRecord, payload)
        if record.state != RunState.DONE or record.n != self._request.n:
            raise DeviceError(
                f"the run ended after {record.n} of {self._request.n} inferences "
                f"(state {record.state})",
                hint="did another program talk to the board?",
            )
        return RunStats(
            record.n,
            record.cycles_min,
            record.cycles_max,
            record.cycles_sum,
            record.missed,
            record.t_us,
        )


def energy_run(
    link: Link,
    inputs: NDArray[np.int8],
    n: int,
    period_us: int,
    *,
    batch: int = 1,
    progress: Progress | None = None,
) -> EnergyRun:
    """Store `inputs` [slots, bytes] on the device and prepare `n` inferences over them.

    A group of `batch` inferences shares one mark and starts every `period_us` (0: without pause).
    """
    if not link.hello.caps & Cap.RUN:
        raise DeviceError("this firmware cannot run on its own (no RUN)")
    slots = upload_inputs(link, np.ascontiguousarray(inputs).tobytes(), progress)
    return EnergyRun(link, RunRequest(0, slots, n, period_us, batch))
