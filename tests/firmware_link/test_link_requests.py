"""The real C link against the real Python client: sessions, exactly-once requests, errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from link_host import BUILD_ID, INPUT_BYTES, OUTPUT_BYTES, HostBoard, expected

from edgekit.device.frames import Decoder, Frame, encode
from edgekit.device.layout import (
    INLINE_SLOT,
    PROTOCOL,
    Cap,
    Command,
    Error,
    ErrorReply,
    Flag,
    Hello,
    HelloRequest,
    InferRequest,
    Info,
    Kind,
    ResetReason,
    Stats,
    Type,
)
from edgekit.device.link import Link, RemoteError, SessionLost
from edgekit.device.wire import pack, unpack

Boards = Callable[..., HostBoard]


def _stats(link: Link) -> Stats:
    return unpack(Stats, link.request(Command.STATS))[0]


class Raw:
    """Frames sent and received by hand, to do what the client would not."""

    def __init__(self, board: HostBoard) -> None:
        self.board = board
        board.banner()  # what comes before it is not heard
        self.decoder = Decoder()
        self.frames: list[Frame] = []
        self.session = 0
        self.sequence = 0x7FFE  # so that the numbers wrap within a test

    def send(self, command: int, payload: bytes = b"", *, step: int = 1) -> None:
        self.sequence = (self.sequence + step) & 0xFFFF
        frame = Frame(Type.REQ, command, self.sequence, self.session, payload)
        self.board.write(encode(frame))

    def receive(self, timeout_s: float = 1.0) -> Frame | None:
        while not self.frames and (data := self.board.read(timeout_s)):
            self.frames += self.decoder.feed(data)
        return self.frames.pop(0) if self.frames else None

    def hello(self, nonce: int = 1) -> Hello:
        self.session = 0
        frame = None
        for _ in range(10):  # after a reset the board is deaf for a moment
            self.send(Command.HELLO, pack(HelloRequest(PROTOCOL, PROTOCOL, 1024, nonce)))
            frame = self.receive(0.5)
            if frame is not None:
                break
        assert frame is not None
        hello, _ = unpack(Hello, frame.payload)
        self.session = hello.session
        return hello


def test_hello_says_who_it_is(boards: Boards) -> None:
    link = Link(boards())
    hello = link.connect()
    assert hello.build_id.hex() == BUILD_ID
    assert hello.model_hash[:2] == b"\xaa\xbb"
    assert hello.board.rstrip(b"\0") == b"host-process"
    assert (hello.kind, hello.proto, hello.mtu) == (Kind.VIRTUAL, PROTOCOL, 1024)
    assert (hello.input_bytes, hello.output_bytes, hello.nodes) == (INPUT_BYTES, OUTPUT_BYTES, 2)
    assert hello.boot_count == 1
    assert hello.cold_cycles > 0
    assert hello.cold_start_us >= 1000
    assert hello.caps == Cap.STORE | Cap.RUN | Cap.TEXT | Cap.CYCLES | Cap.SHA256
    info, name = unpack(Info, link.request(Command.INFO))
    assert name == b"kws01"
    assert (info.output_zero_point, info.output_scale_nano) == (-128, 3906250)


def test_a_version_the_device_lacks_is_refused(boards: Boards) -> None:
    raw = Raw(boards())
    raw.send(Command.HELLO, pack(HelloRequest(PROTOCOL + 1, PROTOCOL + 3, 1024, 1)))
    frame = raw.receive()
    assert frame is not None
    assert frame.type == Type.ERR
    assert unpack(ErrorReply, frame.payload)[0].code == Error.BAD_VERSION


def test_every_start_and_every_hello_has_its_own_session(boards: Boards) -> None:
    board = boards()
    raw = Raw(board)
    seen = {raw.hello(nonce).session for nonce in range(20)}
    board.reset()
    seen |= {raw.hello(nonce).session for nonce in range(20)}
    assert len(seen) == 40
    assert raw.hello(99).boot_count == 2
    assert raw.hello(100).reset_reason == ResetReason.PIN


def test_a_repeated_request_takes_effect_once(boards: Boards, inputs: np.ndarray) -> None:
    raw = Raw(boards())
    raw.hello()
    request = pack(InferRequest(INLINE_SLOT)) + inputs[0].tobytes()
    raw.send(Command.INFER, request)
    first = raw.receive()
    for _ in range(3):
        raw.send(Command.INFER, request, step=0)
        again = raw.receive()
        assert first is not None
        assert again is not None
        assert again.flags == Flag.REPLAY
        assert (again.sequence, again.payload) == (first.sequence, first.payload)
    raw.send(Command.STATS)
    frame = raw.receive()
    assert frame is not None
    stats, _ = unpack(Stats, frame.payload)
    assert stats.inferences == 2  # the cold start's and one
    assert stats.replays == 3


def test_a_request_older_than_the_latest_is_not_answered(boards: Boards) -> None:
    raw = Raw(boards())
    raw.hello()
    raw.send(Command.INFO)
    raw.send(Command.INFO)
    assert raw.receive() is not None
    assert raw.receive() is not None
    raw.send(Command.INFO, step=-1)
    assert raw.receive(0.1) is None


def test_a_late_copy_of_hello_does_not_disturb_the_session(
    boards: Boards, inputs: np.ndarray
) -> None:
    board = boards()
    raw = Raw(board)
    late = encode(
        Frame(Type.REQ, Command.HELLO, 7, 0, pack(HelloRequest(PROTOCOL, PROTOCOL, 1024, 5)))
    )
    raw.sequence = 6
    hello = raw.hello(5)
    raw.send(Command.INFO)
    first = raw.receive()
    board.write(late)
    raw.send(Command.INFO, step=0)
    assert first is not None
    again = raw.receive()
    assert again is not None
    assert again.payload == first.payload  # and not HELLO's, which would have replaced it
    assert again.session == hello.session


def test_another_session_is_refused_and_leaves_the_kept_reply(boards: Boards) -> None:
    raw = Raw(boards())
    hello = raw.hello()
    raw.send(Command.INFO)
    first = raw.receive()
    raw.session = hello.session ^ 1
    raw.send(Command.INFO)
    refused = raw.receive()
    assert refused is not None
    assert unpack(ErrorReply, refused.payload)[0].code == Error.BAD_SESSION
    raw.session = hello.session
    raw.send(Command.INFO, step=-1)
    again = raw.receive()
    assert first is not None
    assert again is not None
    assert again.payload == first.payload


@pytest.mark.parametrize(
    ("command", "payload", "code"),
    [
        (0x7F, b"", Error.UNKNOWN_CMD),
        (Command.TRACE, b"\0" * 12, Error.UNKNOWN_CMD),  # not a trace build
        (Command.INFER, b"", Error.BAD_ARG),
        (Command.INFER, b"\xff\xff\xff\xff" + b"\0" * (INPUT_BYTES - 1), Error.BAD_ARG),
        (Command.INFER, b"\xff\xff\xff\xff" + b"\0" * (INPUT_BYTES + 1), Error.BAD_ARG),
        (Command.INFER, b"\0\0\0\0", Error.OUT_OF_RANGE),  # nothing is stored
        (Command.RUN, b"\0" * 20, Error.NO_MEM),
        (Command.WRITE, b"\0" * 3, Error.BAD_ARG),
        (Command.OPEN, b"\1" * 40, Error.BAD_ARG),
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
    assert frame is not None
    assert frame.type == Type.ERR
    assert unpack(ErrorReply, frame.payload)[0].code == code


def test_the_client_names_a_refusal(boards: Boards) -> None:
    link = Link(boards())
    link.connect()
    with pytest.raises(RemoteError, match="refused INFER with BAD_ARG, detail 3: input has anoth"):
        link.request(Command.INFER, pack(InferRequest(INLINE_SLOT)) + b"123")


def test_bye_ends_the_session_and_text_works_at_once(boards: Boards) -> None:
    board = boards()
    link = Link(board)
    link.connect()
    link.bye()
    assert board.text("name%") == "m-name-dut-[edgekit]\r\nm-ready\r\n"
    raw = Raw(board)
    raw.session = 5
    raw.send(Command.INFO)
    frame = raw.receive()
    assert frame is not None
    assert unpack(ErrorReply, frame.payload)[0].code == Error.BAD_SESSION


def test_a_text_command_ends_the_session(boards: Boards) -> None:
    board = boards()
    link = Link(board)
    link.connect()
    board.text("", quiet_s=0.7)  # two quiet ticks: back to text
    assert "m-ready" in board.text("name%")
    with pytest.raises(SessionLost):
        link.request(Command.INFO)
    assert link.connect().boot_count == 1


def test_reset_by_request_restarts_after_the_answer(boards: Boards) -> None:
    link = Link(boards())
    link.connect()
    assert link.request(Command.RESET) == b""
    with pytest.raises(SessionLost):
        link.request(Command.INFO)
    hello = link.connect()
    assert (hello.boot_count, hello.reset_reason) == (2, ResetReason.SOFTWARE)


def test_noise_and_endless_frames_are_dropped_and_counted(boards: Boards) -> None:
    board = boards()
    board.banner()
    board.write(b"\0" + b"\x05" * 5000 + b"\0" + bytes(range(1, 200)) + b"\0\0")
    link = Link(board)
    link.connect()
    board.write(b"\0\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\0")
    stats = _stats(link)
    assert stats.cobs_errors + stats.crc_errors == 3
    assert stats.crc_errors >= 1


def test_inference_equals_the_model(boards: Boards, inputs: np.ndarray) -> None:
    link = Link(boards())
    link.connect()
    for sample, want in zip(inputs, expected(inputs), strict=True):
        reply = link.request(Command.INFER, pack(InferRequest(INLINE_SLOT)) + sample.tobytes())
        np.testing.assert_array_equal(np.frombuffer(reply[12:], np.int8), want)
