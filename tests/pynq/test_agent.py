"""The Arm-side program without a board: the link's rules, and waits that end."""

from __future__ import annotations

import hashlib
import random
import struct

import numpy as np
import pytest
from axi_shell_sim import BUILD_ID, SLOTS, infer
from board_tree import KEPT, WIRE_BYTES
from fake_window import FakeWindow, facts

from edgekit.device.agent import accelerator as accelerator_module
from edgekit.device.agent.accelerator import Accelerator
from edgekit.device.agent.serve import ColdStart, Server
from edgekit.device.frames import Decoder, Frame, encode
from edgekit.device.layout import (
    INLINE_SLOT,
    Command,
    Error,
    ErrorReply,
    Flag,
    InferRequest,
    OpenRequest,
    RunRecord,
    RunRequest,
    RunState,
    TransferKind,
    Type,
)
from edgekit.device.link import Link, RemoteError, SessionLost
from edgekit.device.session import run_samples, trace_node
from edgekit.device.transfer import upload_inputs
from edgekit.device.wire import pack, unpack
from edgekit.errors import DeviceError


class Pipe:
    """A server as a Port in this process."""

    name = "pipe"

    def __init__(self, window: FakeWindow | None = None) -> None:
        self.window = window or FakeWindow()
        self._back = b""
        accelerator = Accelerator(self.window, facts())
        self.server = Server(accelerator, ColdStart(7, 10), bytes(16), self._take)

    def _take(self, data: bytes) -> None:
        self._back += data

    def write(self, data: bytes) -> None:
        self.server.feed(data)

    def read(self, timeout_s: float) -> bytes:
        self.server.tick()
        data, self._back = self._back, b""
        return data

    def close(self) -> None:
        pass

    def frames(self) -> list[Frame]:
        return Decoder().feed(self.read(0))


@pytest.fixture
def link() -> Link:
    opened = Link(Pipe())
    opened.connect()
    return opened


def samples(count: int) -> np.ndarray:
    return np.random.default_rng(5).integers(-128, 128, (count, WIRE_BYTES), np.int8)


def answers(inputs: np.ndarray) -> np.ndarray:
    rows = [infer(bytes(row.view(np.uint8)[list(KEPT)])) for row in inputs]
    return np.array([np.frombuffer(row, np.int8) for row in rows])


def test_a_session_runs_all_samples() -> None:
    inputs = samples(9)
    run = run_samples(Pipe(), inputs, expected=BUILD_ID.hex())
    np.testing.assert_array_equal(run.outputs, answers(inputs))
    assert set(run.cycles) == {10}
    assert run.cold_start_us == 7
    assert run.link_stats["device_inferences"] == 9


def test_stored_inputs_are_checked_and_run_by_slot(link: Link) -> None:
    inputs = samples(SLOTS)
    assert upload_inputs(link, inputs.tobytes()) == SLOTS
    for slot in range(SLOTS):
        reply = link.request(Command.INFER, pack(InferRequest(slot)))
        assert reply[12:] == answers(inputs)[slot].tobytes()
    with pytest.raises(RemoteError, match="OUT_OF_RANGE, detail 4"):
        link.request(Command.INFER, pack(InferRequest(SLOTS)))
    with pytest.raises(DeviceError, match="the board can store 80"):
        upload_inputs(link, samples(SLOTS + 1).tobytes())


def test_an_interrupted_transfer_goes_on(link: Link) -> None:
    data = samples(2).tobytes()
    digest = hashlib.sha256(data).digest()
    opened = link.request(
        Command.OPEN, pack(OpenRequest(TransferKind.INPUTS, 0, 0, len(data), digest))
    )
    handle = opened[:2]
    offset = link.request(Command.WRITE, handle + bytes(2) + struct.pack("<I", 0) + data[:15])
    assert offset == struct.pack("<I", 15)
    wrong = link.request(Command.WRITE, handle + bytes(2) + struct.pack("<I", 3) + data[3:9])
    assert wrong == struct.pack("<I", 15)  # what is not next is not taken
    assert upload_inputs(link, data) == 2


def test_a_set_that_arrived_wrong_is_refused_and_sent_again(link: Link) -> None:
    data = samples(1).tobytes()
    request = OpenRequest(TransferKind.INPUTS, 0, 0, len(data), bytes(32))
    handle = link.request(Command.OPEN, pack(request))[:2]
    link.request(Command.WRITE, handle + bytes(6) + data)
    with pytest.raises(RemoteError, match="HASH_MISMATCH"):
        link.request(Command.COMMIT, handle + bytes(2))
    with pytest.raises(RemoteError, match="not complete"):
        link.request(Command.COMMIT, handle + bytes(2))


def hello(pipe: Pipe, sequence: int = 5, nonce: int = 77) -> Frame:
    request = struct.pack("<BBHI", 1, 1, 4096, nonce)
    pipe.write(encode(Frame(Type.REQ, Command.HELLO, sequence, 0, request)))
    frames = pipe.frames()
    return frames[0] if frames else Frame(0, 0, 0, 0, b"")


def ask(
    pipe: Pipe, command: Command, sequence: int, session: int, payload: bytes = b""
) -> list[Frame]:
    pipe.write(encode(Frame(Type.REQ, command, sequence, session, payload)))
    return pipe.frames()


def test_every_request_takes_effect_once() -> None:
    pipe = Pipe()
    session = hello(pipe).session
    assert hello(pipe).session == session  # the same attempt again
    request = pack(InferRequest(INLINE_SLOT)) + samples(1).tobytes()
    first = ask(pipe, Command.INFER, 6, session, request)
    again = ask(pipe, Command.INFER, 6, session, request)
    assert first[0].payload == again[0].payload
    assert (first[0].flags, again[0].flags) == (0, Flag.REPLAY)
    assert ask(pipe, Command.INFER, 5, session, request) == []  # older
    assert hello(pipe) == Frame(0, 0, 0, 0, b"")  # a late copy of the attempt
    stats = ask(pipe, Command.STATS, 7, session)[0].payload
    assert struct.unpack_from("<10I", stats)[9] == 1
    other = hello(pipe, 9, nonce=78)
    assert other.session != session
    lost = ask(pipe, Command.STATS, 10, session)
    assert (lost[0].type, unpack(ErrorReply, lost[0].payload)[0].code) == (
        Type.ERR,
        Error.BAD_SESSION,
    )


def test_damaged_frames_and_noise_are_counted_and_not_answered() -> None:
    pipe = Pipe()
    session = hello(pipe).session
    frame = bytearray(encode(Frame(Type.REQ, Command.STATS, 6, session, b"")))
    frame[6] ^= 0x40
    pipe.write(bytes(frame))
    pipe.write(b"\0" + random.Random(1).randbytes(9000).replace(b"\0", b"\1") + b"\0")
    assert pipe.frames() == []
    stats = struct.unpack_from("<10I", ask(pipe, Command.STATS, 7, session)[0].payload)
    assert stats[1] + stats[2] == 2


@pytest.mark.parametrize(
    ("command", "payload", "code"),
    [
        (Command.INFER, b"\1", Error.BAD_ARG),
        (Command.INFER, pack(InferRequest(INLINE_SLOT)) + b"abc", Error.BAD_ARG),
        (Command.OPEN, pack(OpenRequest(9, 0, 0, 20, bytes(32))), Error.BAD_ARG),
        (Command.OPEN, pack(OpenRequest(1, 0, 0, 21, bytes(32))), Error.BAD_ARG),
        (Command.OPEN, pack(OpenRequest(1, 0, 0, 2**31, bytes(32))), Error.BAD_ARG),
        (Command.OPEN, pack(OpenRequest(1, 0, 0, 100, bytes(32))), Error.NO_MEM),
        (Command.WRITE, bytes(8), Error.BAD_ARG),
        (Command.COMMIT, bytes(4), Error.BAD_ARG),
        (Command.RUN, pack(RunRequest(0, 1, 1, 0, 1)), Error.OUT_OF_RANGE),
        (Command.RUN, pack(RunRequest(0, 0, 0, 0, 1)), Error.BAD_ARG),
        (Command.OUTPUT, struct.pack("<I", 1), Error.OUT_OF_RANGE),
        (Command.READ, struct.pack("<I", 0), Error.OUT_OF_RANGE),
    ],
)
def test_wrong_requests_are_refused(
    link: Link, command: Command, payload: bytes, code: Error
) -> None:
    with pytest.raises(RemoteError) as caught:
        link.request(command, payload)
    assert caught.value.code == code


def test_what_it_cannot_do_is_said(link: Link) -> None:
    with pytest.raises(DeviceError, match="cannot trace"):
        trace_node(link, samples(1)[0], 0)
    with pytest.raises(RemoteError, match="UNKNOWN_CMD"):
        link.request(Command.TRACE)


def test_no_request_whatever_breaks_it() -> None:
    rng = random.Random(11)
    pipe = Pipe()
    session = hello(pipe).session
    sequence = 6
    for _ in range(600):
        command = rng.choice([*Command, 0x7F, 0])
        length = rng.choice((0, 4, 8, 12, 20, 24, 40, 60))
        payload = bytes(rng.choice((0, 0, 1, 4, 255)) for _ in range(length))
        sequence = (sequence + 1) & 0xFFFF
        kind = rng.choice((Type.REQ,) * 9 + (Type.RSP,))
        pipe.write(encode(Frame(kind, command, sequence, session, payload)))
        pipe.read(0)
        if command in (Command.BYE, Command.RESET, Command.HELLO):
            session, sequence = hello(pipe, sequence, rng.getrandbits(32)).session, sequence
    assert run_samples(pipe, samples(2)).outputs.tobytes() == answers(samples(2)).tobytes()


def test_reset_is_told_by_the_banner(link: Link) -> None:
    link.request(Command.RESET)
    with pytest.raises(SessionLost):
        link.request(Command.STATS)
    assert link.connect().boot_count == 2


def test_a_network_that_hangs_is_reset_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator_module, "_TIMEOUT_S", 0.05)
    pipe = Pipe()
    link = Link(pipe)
    link.connect()
    pipe.window.hung = True
    request = pack(InferRequest(INLINE_SLOT)) + samples(1).tobytes()
    with pytest.raises(RemoteError, match=r"TIMEOUT.*did not answer within"):
        link.request(Command.INFER, request)
    pipe.window.hung = False
    assert link.request(Command.INFER, request)[12:] == answers(samples(1))[0].tobytes()


def test_a_run_that_stands_still_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.device.agent.commands._STUCK_S", 0.3)
    pipe = Pipe()
    link = Link(pipe)
    link.connect()
    upload_inputs(link, samples(2).tobytes())
    pipe.window.hung = True
    link.request(Command.RUN, pack(RunRequest(0, 2, 8, 0, 1)))
    pipe.write(encode(Frame(Type.REQ, Command.INFER, link._sequence + 1, link.hello.session, b"")))
    busy = pipe.frames()[0]
    assert (busy.type, unpack(ErrorReply, busy.payload)[0].code) == (Type.ERR, Error.BUSY)
    event = link.event(2.0)
    assert event is not None
    assert unpack(RunRecord, event.payload)[0].state == RunState.STOPPED


def test_cycles_of_a_run_can_be_read(link: Link) -> None:
    upload_inputs(link, samples(2).tobytes())
    link.request(Command.RUN, pack(RunRequest(0, 2, 6, 10, 2)))
    record, _ = unpack(RunRecord, link.request(Command.RUN_STATUS))
    assert (record.state, record.n, record.t_us) == (RunState.DONE, 6, 30)
    assert link.request(Command.READ, struct.pack("<I", 4)) == struct.pack("<4I", 6, 4, 10, 10)
