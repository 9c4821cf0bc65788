"""Stored inputs, runs on the device, trace builds, models larger than a frame."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

import numpy as np
import pytest
from link_host import INPUT_BYTES, HostBoard, expected

from edgekit.device import session, transfer
from edgekit.device.layout import (
    Command,
    CommitRequest,
    Error,
    InferReply,
    InferRequest,
    Info,
    OpenReply,
    OpenRequest,
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
from edgekit.device.link import Link, RemoteError, SessionLost
from edgekit.device.wire import pack, unpack
from edgekit.errors import DeviceError

Boards = Callable[..., HostBoard]


def _connected(board: HostBoard) -> Link:
    link = Link(board)
    link.connect()
    return link


def _status(link: Link) -> StatusReply:
    return unpack(StatusReply, link.request(Command.STATUS))[0]


def _open(link: Link, data: bytes, sha256: bytes | None = None) -> OpenReply:
    digest = sha256 or hashlib.sha256(data).digest()
    request = OpenRequest(TransferKind.INPUTS, 0, 0, len(data), digest)
    return unpack(OpenReply, link.request(Command.OPEN, pack(request)))[0]


def _write(link: Link, handle: int, offset: int, data: bytes) -> int:
    reply = link.request(Command.WRITE, pack(WriteRequest(handle, 0, offset)) + data)
    return unpack(WriteReply, reply)[0].offset


def test_stored_inputs_answer_as_inline_ones(boards: Boards, inputs: np.ndarray) -> None:
    link = _connected(boards())
    assert transfer.upload_inputs(link, inputs.tobytes()) == len(inputs)
    status = _status(link)
    assert (status.state, status.offset) == (TransferState.COMMITTED, inputs.nbytes)
    assert status.sha256 == hashlib.sha256(inputs.tobytes()).digest()
    for slot in (0, 5, 11, 3):
        reply = link.request(Command.INFER, pack(InferRequest(slot)))
        _, output = unpack(InferReply, reply)
        assert output == expected(inputs[slot : slot + 1]).tobytes()


def test_a_write_elsewhere_is_answered_with_the_right_place(
    boards: Boards, inputs: np.ndarray
) -> None:
    link = _connected(boards())
    data = inputs[:2].tobytes()
    handle = _open(link, data).handle
    assert _write(link, handle, 0, data[:100]) == 100
    assert _write(link, handle, 0, data[:100]) == 100
    assert _write(link, handle, 300, data[300:400]) == 100
    assert _write(link, handle, 100, data[100:500]) == 500
    assert _write(link, handle, 500, data[500:]) == len(data)
    link.request(Command.COMMIT, pack(CommitRequest(handle, 0)))
    assert _status(link).state == TransferState.COMMITTED


def test_an_interrupted_transfer_resumes_after_a_reset(boards: Boards, inputs: np.ndarray) -> None:
    board = boards()
    link = _connected(board)
    data = inputs.tobytes()
    handle = _open(link, data).handle
    _write(link, handle, 0, data[:700])
    board.reset()
    with pytest.raises(SessionLost):
        link.request(Command.STATUS)
    link.connect()
    assert _open(link, data).offset == 700
    assert transfer.upload_inputs(link, data) == len(inputs)
    # a committed set has to be committed again after a reset, and nothing is sent twice
    board.reset()
    with pytest.raises(SessionLost):
        link.request(Command.STATUS)
    link.connect()
    assert _status(link).state == TransferState.OPEN
    with pytest.raises(RemoteError, match="OUT_OF_RANGE"):
        link.request(Command.INFER, pack(InferRequest(0)))
    assert _open(link, data).offset == len(data)
    assert transfer.upload_inputs(link, data) == len(inputs)


def test_another_set_starts_at_zero(boards: Boards, inputs: np.ndarray) -> None:
    link = _connected(boards())
    data = inputs.tobytes()
    _write(link, _open(link, data).handle, 0, data[:700])
    assert _open(link, data[::-1]).offset == 0
    assert _open(link, data).offset == 0


def test_a_wrong_digest_is_refused_and_the_set_is_not_used(
    boards: Boards, inputs: np.ndarray
) -> None:
    link = _connected(boards())
    data = inputs[:1].tobytes()
    handle = _open(link, data, sha256=b"\1" * 32).handle
    _write(link, handle, 0, data)
    with pytest.raises(RemoteError, match="HASH_MISMATCH"):
        link.request(Command.COMMIT, pack(CommitRequest(handle, 0)))
    assert _status(link).offset == 0
    with pytest.raises(RemoteError, match="OUT_OF_RANGE"):
        link.request(Command.INFER, pack(InferRequest(0)))


def test_what_does_not_fit_is_refused(boards: Boards, inputs: np.ndarray) -> None:
    link = _connected(boards(store_bytes=4 * INPUT_BYTES))
    with pytest.raises(DeviceError, match="5880 bytes, the board can store 1960"):
        transfer.upload_inputs(link, inputs.tobytes())
    with pytest.raises(RemoteError) as caught:
        _open(link, inputs.tobytes())
    assert caught.value.code == Error.NO_MEM
    with pytest.raises(RemoteError, match="no multiple"):
        _open(link, b"123")
    handle = _open(link, inputs[:1].tobytes()).handle
    with pytest.raises(RemoteError) as caught:
        _write(link, handle, 0, bytes(INPUT_BYTES + 1))
    assert caught.value.code in (Error.BAD_ARG, Error.OUT_OF_RANGE)
    with pytest.raises(RemoteError, match="bytes are missing"):
        link.request(Command.COMMIT, pack(CommitRequest(handle, 0)))


def test_a_run_reports_when_it_is_done(boards: Boards, inputs: np.ndarray) -> None:
    link = _connected(boards())
    run = session.energy_run(link, inputs, n=25, period_us=20_000)
    start = time.monotonic()
    run.start()
    stats = None
    while stats is None:
        assert time.monotonic() - start < 10
        stats = run.poll(0.05)
    assert stats.n == 25
    assert 25 * stats.cycles_min <= stats.cycles_sum <= 25 * stats.cycles_max
    assert stats.cycles_min > 0
    if stats.missed == 0:  # this machine may be busy
        assert 500_000 <= stats.t_us < 600_000
    data = link.request(Command.READ, pack(ReadRequest(5)))
    head, rest = unpack(ReadReply, data)
    cycles = np.frombuffer(rest, "<u4")
    assert (head.total, head.first, len(cycles)) == (25, 5, 20)
    assert cycles.max() <= stats.cycles_max


def test_a_group_of_inferences_has_one_period(boards: Boards, inputs: np.ndarray) -> None:
    link = _connected(boards())
    run = session.energy_run(link, inputs, n=11, period_us=30_000, batch=4)
    run.start()
    stats = None
    while stats is None:
        stats = run.poll(0.05)
    assert stats.n == 11
    if stats.missed == 0:
        assert 90_000 <= stats.t_us < 120_000


def test_a_lost_end_of_run_is_asked_for(
    boards: Boards, inputs: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_ASK_EVERY_S", 0.1)
    board = boards(late_us=50_000)  # or the event may come together with the answer
    link = _connected(board)
    run = session.energy_run(link, inputs, n=3, period_us=0)
    run.start()
    assert board.read(2.0)  # the event, which the client never sees
    stats = None
    for _ in range(20):
        stats = stats or run.poll(0.05)
    assert stats is not None
    assert stats.n == 3


def test_the_end_of_an_earlier_run_is_not_taken_for_this_one(
    boards: Boards, inputs: np.ndarray
) -> None:
    link = _connected(boards())
    earlier = session.energy_run(link, inputs, n=3, period_us=0)
    earlier.start()
    time.sleep(0.3)  # its end lies on the wire, unread
    run = session.energy_run(link, inputs, n=5, period_us=20_000)
    run.start()
    stats = None
    while stats is None:
        stats = run.poll(0.05)
    assert stats.n == 5


def test_a_run_can_be_stopped_and_keeps_the_model_to_itself(
    boards: Boards, inputs: np.ndarray
) -> None:
    link = _connected(boards(late_us=2000))
    slots = transfer.upload_inputs(link, inputs.tobytes())
    link.request(Command.RUN, pack(RunRequest(0, slots, 10_000, 0, 1)))
    record, _ = unpack(RunRecord, link.request(Command.RUN_STATUS))
    assert record.state == RunState.RUNNING
    with pytest.raises(RemoteError) as caught:
        link.request(Command.INFER, pack(InferRequest(0)))
    assert caught.value.code == Error.BUSY
    record, _ = unpack(RunRecord, link.request(Command.RUN_STOP))
    assert record.state == RunState.STOPPED
    assert 0 < record.n < 10_000
    link.request(Command.INFER, pack(InferRequest(0)))


def test_a_new_session_ends_the_run_of_a_host_that_has_gone(
    boards: Boards, inputs: np.ndarray
) -> None:
    board = boards(late_us=2000)
    link = _connected(board)
    slots = transfer.upload_inputs(link, inputs.tobytes())
    link.request(Command.RUN, pack(RunRequest(0, slots, 10_000, 0, 1)))
    later = _connected(board)
    record, _ = unpack(RunRecord, later.request(Command.RUN_STATUS))
    assert record.state == RunState.STOPPED
    later.request(Command.INFER, pack(InferRequest(0)))


@pytest.mark.parametrize(("first", "count"), [(0, 0), (0, 13), (12, 1), (5, 8), (2**32 - 1, 2)])
def test_a_run_outside_the_stored_set_is_refused(
    boards: Boards, inputs: np.ndarray, first: int, count: int
) -> None:
    link = _connected(boards())
    transfer.upload_inputs(link, inputs.tobytes())
    with pytest.raises(RemoteError, match="OUT_OF_RANGE, detail 12"):
        link.request(Command.RUN, pack(RunRequest(first, count, 1, 0, 1)))


def test_a_run_that_a_reset_cut_short_is_an_error(boards: Boards, inputs: np.ndarray) -> None:
    board = boards()
    link = _connected(board)
    run = session.energy_run(link, inputs, n=1000, period_us=5000)
    run.start()
    board.reset()
    with pytest.raises(SessionLost):
        run.poll(5.0)


def test_a_trace_build_returns_every_tensor(boards: Boards, inputs: np.ndarray) -> None:
    link = _connected(boards("-DMODEL_TRACE=1", "-DEK_LINK_MTU_BYTES=256u"))
    assert link.hello.mtu == 256
    negated = (-inputs[3].astype(np.int64)).astype(np.uint8).tobytes()
    assert session.trace_node(link, inputs[3], 0) == negated  # in two pieces
    assert session.trace_node(link, inputs[3], 1) == expected(inputs[3:4]).tobytes()
    with pytest.raises(RemoteError, match="OUT_OF_RANGE"):
        session.trace_node(link, inputs[3], 2)
    with pytest.raises(DeviceError, match="cannot trace"):
        session.trace_node(_connected(boards()), inputs[3], 0)


def test_inputs_and_outputs_larger_than_a_frame(boards: Boards) -> None:
    board = boards("-DTEST_MODEL_LARGE", store_bytes=3 * 3072 + 5)
    inputs = np.random.default_rng(3).integers(-128, 128, (7, 3072)).astype(np.int8)
    run = session.run_samples(board, inputs)
    np.testing.assert_array_equal(run.outputs, expected(inputs, 1500))


def test_marks_count_the_inferences(boards: Boards, inputs: np.ndarray) -> None:
    link = _connected(boards())
    transfer.upload_inputs(link, inputs.tobytes())

    def marks() -> int:
        return unpack(Info, link.request(Command.INFO))[0].device_id

    before = marks()
    for slot in range(5):
        link.request(Command.INFER, pack(InferRequest(slot)))
    assert marks() == before + 5
