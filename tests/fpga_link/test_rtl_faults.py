"""What a bad wire does to the RTL of the link: bytes lost, turned, repeated; garbage; resets."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from link_host import Faults, HostBoard
from rtl_board import SLOTS, expected

from edgekit.device import session, transfer
from edgekit.device.frames import Decoder, Frame, encode
from edgekit.device.layout import (
    INLINE_SLOT,
    PROTOCOL,
    Command,
    Error,
    ErrorReply,
    Flag,
    Hello,
    HelloRequest,
    InferReply,
    InferRequest,
    RunRecord,
    RunRequest,
    RunState,
    Stats,
    StatusReply,
    TransferState,
    Type,
)
from edgekit.device.link import Link, RemoteError, SessionLost
from edgekit.device.wire import pack, unpack

Boards = Callable[..., HostBoard]
pytestmark = pytest.mark.verilator
VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parent.parent / "vectors/link.json").read_text()
)


class Raw:
    """Frames sent and received by hand, to do what the client would not."""

    def __init__(self, board: HostBoard) -> None:
        self.board = board
        self.decoder = Decoder()
        self.frames: list[Frame] = []
        self.session = 0
        self.sequence = 0x7FFE  # so that the numbers wrap within a test

    def send(self, command: int, payload: bytes = b"", *, step: int = 1) -> None:
        self.sequence = (self.sequence + step) & 0xFFFF
        self.board.write(encode(Frame(Type.REQ, command, self.sequence, self.session, payload)))

    def receive(self, timeout_s: float = 5.0) -> Frame:
        deadline = time.monotonic() + timeout_s
        while not self.frames:
            assert time.monotonic() < deadline
            self.frames += self.decoder.feed(self.board.read(0.1))
        return self.frames.pop(0)

    def hello(self, nonce: int = 1) -> Hello:
        self.session = 0
        self.send(Command.HELLO, pack(HelloRequest(PROTOCOL, PROTOCOL, 1024, nonce)))
        hello, _ = unpack(Hello, self.receive().payload)
        self.session = hello.session
        return hello

    def settle(self) -> None:
        """Let the device be done with what it does not answer."""
        time.sleep(0.1)

    def stats(self) -> Stats:
        self.send(Command.STATS)
        return unpack(Stats, self.receive().payload)[0]


def _infer(data: np.ndarray) -> bytes:
    return pack(InferRequest(INLINE_SLOT)) + data.tobytes()


@pytest.mark.usefixtures("fast_retries")
@pytest.mark.parametrize(
    "faults",
    [
        Faults(drop=0.1),
        Faults(flip=0.1),
        Faults(repeat=0.15),
        Faults(0.05, 0.05, 0.05, 0.1, 0.05),
    ],
    ids=lambda f: f"{f.drop} {f.flip} {f.repeat}",
)
def test_outputs_are_right_and_every_sample_ran_once(
    boards: Boards, inputs: np.ndarray, faults: Faults
) -> None:
    run = session.run_samples(boards(faults=faults, seed=3), inputs[:30])
    np.testing.assert_array_equal(run.outputs, expected(inputs[:30]))
    assert run.link_stats["device_inferences"] == 30
    assert run.link_stats["host_retries"] > 0  # the wire was as bad as asked


@pytest.mark.nightly
@pytest.mark.usefixtures("fast_retries")
@pytest.mark.parametrize("seed", range(100))
def test_many_seeds_of_faults(boards: Boards, inputs: np.ndarray, seed: int) -> None:
    board = boards(faults=Faults(0.05, 0.05, 0.05, 0.1, 0.05), seed=seed)
    link = Link(board)
    link.connect(30.0)
    assert transfer.upload_inputs(link, inputs[:SLOTS].tobytes()) == SLOTS
    for slot in range(0, SLOTS, 7):
        reply = link.request(Command.INFER, pack(InferRequest(slot)))
        _, output = unpack(InferReply, reply)
        assert output == expected(inputs[slot : slot + 1]).tobytes()


def test_golden_frames_are_understood_and_damaged_ones_counted(boards: Boards) -> None:
    """The shared vectors: good requests pass frame and CRC, every damaged frame is counted."""
    raw = Raw(boards())
    raw.hello()
    good = 0
    for v in VECTORS["frames"]:
        if len(v["payload"]) // 2 <= 256:
            raw.board.write(bytes.fromhex(v["wire"]))
            if v["type"] == Type.REQ:
                good += 1
                raw.receive()  # whatever the answer is
    raw.hello(2)
    before = raw.stats()
    for v in VECTORS["damaged"]:
        raw.board.write(bytes.fromhex(v["wire"]))
    after = raw.stats()
    assert before.rx_ok >= good
    assert before.crc_errors == 0
    found = (after.crc_errors - before.crc_errors, after.cobs_errors - before.cobs_errors)
    assert sum(found) == len(VECTORS["damaged"])
    assert found[0] >= sum(v["why"] == "crc" for v in VECTORS["damaged"])
    assert found[1] >= sum(v["why"] == "cobs" for v in VECTORS["damaged"])


def test_replies_are_the_bytes_that_python_writes(boards: Boards) -> None:
    """COBS and CRC of the sender, over payloads with and without zeros up to a full block."""
    raw = Raw(boards())
    raw.hello()
    seen = b""
    for command in (Command.STATS, Command.INFO, Command.STATUS, Command.RUN_STATUS, 0x7F):
        raw.send(command)
        deadline = time.monotonic() + 5
        wire = b""
        while wire.count(0) < 2 and time.monotonic() < deadline:
            wire += raw.board.read(0.1)
        (frame,) = Decoder().feed(wire)
        assert encode(frame) == wire
        seen += wire
    assert seen


def test_garbage_and_overlong_frames_are_dropped(boards: Boards, inputs: np.ndarray) -> None:
    raw = Raw(boards())
    raw.hello()
    rng = np.random.default_rng(5)
    for size in (1, 13, 300, 5000):
        noise = rng.integers(1, 256, size).astype(np.uint8).tobytes()
        raw.board.write(b"\0" + noise + b"\0")
        raw.send(Command.INFER, _infer(inputs[0]))
        _, output = unpack(InferReply, raw.receive().payload)
        assert output == expected(inputs[:1]).tobytes()
    raw.board.write(encode(Frame(Type.REQ, Command.INFER, 1, raw.session, bytes(257))))
    stats = raw.stats()
    assert stats.cobs_errors + stats.crc_errors == 5
    assert stats.inferences == 4


def test_frames_back_to_back(boards: Boards) -> None:
    """What comes while a request is worked on is dropped whole, and counted."""
    raw = Raw(boards())
    raw.hello()
    first = raw.sequence + 1
    frames = b""
    for sequence in range(first, first + 20):
        frames += encode(Frame(Type.REQ, Command.STATUS, sequence, raw.session, b""))
    raw.board.write(frames)
    raw.sequence += 20
    answers: list[Frame] = []
    while data := raw.board.read(0.5):
        answers += raw.decoder.feed(data)
    sequences = [frame.sequence for frame in answers]
    assert sequences == sorted(set(sequences))
    stats = raw.stats()
    assert stats.overruns == 20 - len(answers) > 0
    assert stats.crc_errors == stats.cobs_errors == 0


def test_a_repeated_request_takes_effect_once(boards: Boards, inputs: np.ndarray) -> None:
    raw = Raw(boards())
    raw.hello()
    raw.send(Command.INFER, _infer(inputs[0]))
    first = raw.receive()
    for _ in range(3):
        raw.send(Command.INFER, _infer(inputs[0]), step=0)
        again = raw.receive()
        assert again.flags == Flag.REPLAY
        assert (again.sequence, again.payload) == (first.sequence, first.payload)
    raw.send(Command.INFO, step=-1)  # older than the latest: not answered
    raw.settle()
    raw.sequence += 1
    stats = raw.stats()
    assert (stats.inferences, stats.replays) == (1, 3)
    assert stats.stale == 1


def test_sessions(boards: Boards, inputs: np.ndarray) -> None:
    """Numbers differ; a wrong one is refused and the kept reply stays; late copies of HELLO."""
    raw = Raw(boards())
    seen = {raw.hello(nonce).session for nonce in range(10)}
    assert len(seen) == 10
    late = encode(
        Frame(Type.REQ, Command.HELLO, raw.sequence, 0, pack(HelloRequest(1, 1, 1024, 9)))
    )
    raw.board.write(late)
    assert unpack(Hello, raw.receive().payload)[0].session == raw.session  # asked nothing yet
    raw.send(Command.INFER, _infer(inputs[0]))
    first = raw.receive()
    raw.board.write(late)
    raw.settle()
    good, raw.session = raw.session, raw.session ^ 1
    raw.send(Command.INFO)
    refused = raw.receive()
    assert unpack(ErrorReply, refused.payload)[0].code == Error.BAD_SESSION
    raw.session = good
    raw.send(Command.INFER, _infer(inputs[1]), step=-1)
    assert raw.receive().payload == first.payload
    raw.send(Command.HELLO, pack(HelloRequest(2, 3, 1024, 1)))
    assert unpack(ErrorReply, raw.receive().payload)[0].code == Error.BAD_VERSION


@pytest.mark.parametrize(
    ("command", "payload", "code"),
    [
        (0x7F, b"", Error.UNKNOWN_CMD),
        (Command.TRACE, b"\0" * 12, Error.UNKNOWN_CMD),
        (Command.READ, b"\0" * 4, Error.UNKNOWN_CMD),
        (Command.INFER, b"", Error.BAD_ARG),
        (Command.INFER, b"\xff" * 4 + b"\0" * 7, Error.BAD_ARG),
        (Command.INFER, b"\xff" * 4 + b"\0" * 9, Error.BAD_ARG),
        (Command.INFER, b"\0\0\0\0", Error.OUT_OF_RANGE),
        (Command.RUN, b"\0" * 20, Error.NO_MEM),
        (Command.WRITE, b"\0" * 3, Error.BAD_ARG),
        (Command.OPEN, b"\1" * 40, Error.NO_MEM),
        (Command.OPEN, b"\1\0\0\0\x09\0\0\0" + b"\1" * 32, Error.BAD_ARG),
        (Command.OPEN, b"\2\0\0\0\x08\0\0\0" + b"\1" * 32, Error.BAD_ARG),  # has no weights
        (Command.COMMIT, b"\0" * 4, Error.BAD_ARG),
    ],
)
def test_a_bad_request_is_refused_by_name(
    boards: Boards, command: int, payload: bytes, code: Error
) -> None:
    raw = Raw(boards())
    raw.hello()
    raw.send(command, payload)
    frame = raw.receive()
    assert frame.type == Type.ERR
    assert unpack(ErrorReply, frame.payload)[0].code == code


def test_a_reset_in_mid_transfer_and_in_mid_run(boards: Boards, inputs: np.ndarray) -> None:
    board = boards()
    link = Link(board)
    first = link.connect()
    write = board.write
    sent = 0

    def cut(data: bytes) -> None:
        nonlocal sent
        write(data)
        sent += 1
        if sent == 3:
            board.reset()

    board.write = cut  # type: ignore[method-assign]
    with pytest.raises(SessionLost):
        transfer.upload_inputs(link, inputs[:SLOTS].tobytes())
    assert link.connect().boot_count == first.boot_count + 1
    assert unpack(StatusReply, link.request(Command.STATUS))[0].state == TransferState.NONE
    assert transfer.upload_inputs(link, inputs[:SLOTS].tobytes()) == SLOTS

    class Resets:
        def stage(self, name: str, total: int | None = None) -> None: ...

        def advance(self, done: int) -> None:
            if done in (4, 9):
                board.reset()

    run = session.run_samples(board, inputs[:12], progress=Resets())
    np.testing.assert_array_equal(run.outputs, expected(inputs[:12]))
    assert run.link_stats["host_sessions"] == 3


def test_a_run_can_be_stopped_and_keeps_the_network_to_itself(
    boards: Boards, inputs: np.ndarray
) -> None:
    board = boards()
    link = Link(board)
    link.connect()
    slots = transfer.upload_inputs(link, inputs[:SLOTS].tobytes())
    link.request(Command.RUN, pack(RunRequest(0, slots, 1_000_000, 500, 1)))
    record, _ = unpack(RunRecord, link.request(Command.RUN_STATUS))
    assert record.state == RunState.RUNNING
    with pytest.raises(RemoteError) as caught:
        link.request(Command.INFER, pack(InferRequest(0)))
    assert caught.value.code == Error.BUSY
    record, _ = unpack(RunRecord, link.request(Command.RUN_STOP))
    assert record.state == RunState.STOPPED
    assert 0 < record.n < 1_000_000
    assert abs(record.t_us - 500 * record.n) <= 500
    assert (
        unpack(InferReply, link.request(Command.INFER, pack(InferRequest(5))))[1]
        == expected(inputs[5:6]).tobytes()
    )
    link.request(Command.RUN, pack(RunRequest(0, slots, 1_000_000, 500, 1)))
    link.connect()  # whoever started it has gone
    record, _ = unpack(RunRecord, link.request(Command.RUN_STATUS))
    assert record.state == RunState.STOPPED


@pytest.mark.parametrize(("first", "count"), [(0, 0), (0, 65), (64, 1), (5, 60), (2**32 - 1, 2)])
def test_a_run_outside_the_stored_set_is_refused(
    boards: Boards, inputs: np.ndarray, first: int, count: int
) -> None:
    link = Link(boards())
    link.connect()
    transfer.upload_inputs(link, inputs[:SLOTS].tobytes())
    with pytest.raises(RemoteError, match="OUT_OF_RANGE"):
        link.request(Command.RUN, pack(RunRequest(first, count, 1, 0, 1)))
    for batch in (0, 65537, 2**32 - 1):
        with pytest.raises(RemoteError, match="BAD_ARG"):
            link.request(Command.RUN, pack(RunRequest(0, 1, 1, 0, batch)))


def _states(path: Path) -> list[tuple[int, int, int, int]]:
    rows = [line.split() for line in path.read_text().splitlines()]
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in rows]


def test_it_sleeps_between_inferences_and_wakes_for_them(
    boards: Boards, inputs: np.ndarray, tmp_path: Path
) -> None:
    link = Link(boards())
    link.connect()
    run = session.energy_run(link, inputs[:SLOTS], 6, 10_000)
    run.start()
    while run.poll(1.0) is None:
        pass
    states = _states(tmp_path / "states")
    marks = [t for t, mark, _, _ in states if mark]
    assert len(marks) == 6
    np.testing.assert_allclose(np.diff(marks), 10e6, atol=0.3e6)
    first, last = marks[0], marks[-1]
    awake_ns = sum(
        min(b[0], last) - max(a[0], first)
        for a, b in itertools.pairwise(states)
        if a[2] and first <= a[0] < last
    )
    assert awake_ns < 0.06 * (last - first)
    assert all(awake for _, mark, awake, _ in states if mark)


@pytest.mark.nightly
def test_an_idle_board_falls_asleep_and_a_start_bit_wakes_it(
    boards: Boards, inputs: np.ndarray, tmp_path: Path
) -> None:
    board = boards(free_running=True)
    link = Link(board)
    link.connect()
    deadline = time.monotonic() + 300
    while not any(awake == 0 for _, _, awake, _ in _states(tmp_path / "states")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    reply = link.request(Command.INFER, _infer(inputs[0]))  # tried again: its start was lost
    assert unpack(InferReply, reply)[1] == expected(inputs[:1]).tobytes()


@pytest.mark.nightly
def test_the_end_of_a_long_run_is_told_before_it_falls_asleep(
    boards: Boards, inputs: np.ndarray
) -> None:
    link = Link(boards(free_running=True))
    link.connect()
    run = session.energy_run(link, inputs[:SLOTS], 5000, 500)  # 2.5 s without a frame
    run.start()
    event = link.event(300.0)
    assert event is not None
    assert unpack(RunRecord, event.payload)[0].state == RunState.DONE
