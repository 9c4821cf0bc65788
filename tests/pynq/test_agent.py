"""The Arm-side program without a board: the link's rules, its file, waits that end."""

from __future__ import annotations

import hashlib
import io
import random
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from axi_shell_sim import BUILD_ID, CLOCK_HZ, IN_BEATS, IN_BYTES, OUT_WORDS, SLOTS, infer, packet
from board_tree import BASE, KEPT, WIRE_BYTES, core, identity
from cobs import cobs

from edgekit.device.agent import accelerator as accelerator_module
from edgekit.device.agent import cobs as plain_cobs
from edgekit.device.agent import loader
from edgekit.device.agent.accelerator import Accelerator
from edgekit.device.agent.devicetree import uio_overlay
from edgekit.device.agent.facts import Facts
from edgekit.device.agent.registers import (
    ID,
    RESULT_OFFSET,
    SPAN_BYTES,
    STORE_OFFSET,
    VERSION,
    Control,
    Reg,
    Status,
)
from edgekit.device.agent.serve import ColdStart, Server
from edgekit.device.agent.window import MappedWindow
from edgekit.device.agent_file import agent_file
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


def facts(**changes: object) -> Facts:
    told = {n: getattr(identity(), n) for n in identity().__dataclass_fields__}
    shape = {
        n: getattr(core(), n)
        for n in ("kept_bytes", "in_width", "in_beats", "out_width", "out_beats")
    }
    return Facts(**{**told, **shape, **changes})  # type: ignore[arg-type]


class FakeWindow:
    """The registers as a dictionary, with the network in Python behind START."""

    simulated = True

    def __init__(self) -> None:
        self.words = {int(Reg.ID): ID, int(Reg.VERSION): VERSION, int(Reg.SLOTS): SLOTS}
        self.words |= {int(Reg.CLOCK_HZ): CLOCK_HZ, int(Reg.IN_WORDS): 6, int(Reg.OUT_WORDS): 2}
        for i, byte in enumerate(range(0, 32, 4)):
            value = int.from_bytes(bytes(range(byte, byte + 4)), "little")
            self.words[Reg.BUILD_ID + 4 * i] = value
        self.hung = False

    def read(self, offset: int) -> int:
        return self.words.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        self.words[offset] = value
        if offset == Reg.CONTROL and value & Control.RESET:
            self.words[Reg.STATUS] = 0
        if offset == Reg.CONTROL and value & Control.START:
            self._run(bool(value & Control.LOOPBACK))

    def _run(self, loopback: bool) -> None:
        if self.hung:
            self.words[Reg.STATUS] = Status.BUSY
            return
        n, count = self.read(Reg.N), self.read(Reg.COUNT)
        slot = self.read(Reg.FIRST) + (n - 1) % count
        words = [self.read(STORE_OFFSET + 4 * (6 * slot + i)) for i in range(6)]
        if not loopback:
            data = b"".join(w.to_bytes(4, "little") for w in words)
            kept = b"".join(data[8 * b : 8 * b + IN_BYTES] for b in range(IN_BEATS))
            out = infer(kept)
            words = [int.from_bytes(out[3 * i : 3 * i + 3], "little") for i in range(OUT_WORDS)]
        for i, word in enumerate(words):
            self.words[RESULT_OFFSET + 4 * i] = word
        self.words |= {int(Reg.DONE): n, int(Reg.CYCLES): 10, int(Reg.CYCLES_MIN): 10}
        self.words |= {int(Reg.CYCLES_MAX): 10, int(Reg.CYCLES_SUM): 10 * n}
        self.words[Reg.RUN_CLOCKS] = -(-n // self.read(Reg.BATCH)) * self.read(Reg.PERIOD)
        self.words[Reg.STATUS] = Status.RESULT


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
    monkeypatch.setattr("edgekit.device.agent.serve._STUCK_S", 0.3)
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


def test_the_clock_is_timed_against_what_the_design_was_built_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = FakeWindow()
    window.simulated = False
    accelerator = Accelerator(window, facts())
    now = [0.0]
    monkeypatch.setattr(accelerator_module.time, "monotonic", lambda: now[0])

    def sleep(seconds: float) -> None:
        now[0] += seconds
        window.words[Reg.CLOCKS] = round(seconds * rate_hz) + 2**32 - 1000 & 0xFFFFFFFF

    monkeypatch.setattr(accelerator_module.time, "sleep", sleep)
    window.words[Reg.CLOCKS], rate_hz = 2**32 - 1000, CLOCK_HZ
    assert accelerator.check_clock() == pytest.approx(CLOCK_HZ)
    window.words[Reg.CLOCKS], rate_hz = 2**32 - 1000, 2 * CLOCK_HZ
    with pytest.raises(DeviceError, match=r"runs at 100\.0 MHz, .*timed for 50\.0 MHz"):
        accelerator.check_clock()


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (Reg.ID, 0xDEADBEEF, "the registers begin with 0xdeadbeef"),
        (Reg.VERSION, 2, "are version 2, wanted 1"),
        (Reg.MODEL_HASH, 0, "the bitstream's model is 00000000…"),
        (Reg.IN_WORDS, 7, r"shape \(7, 2, 4, 50000000\)"),
    ],
)
def test_another_accelerator_is_told(offset: int, value: int, message: str) -> None:
    window = FakeWindow()
    window.words[offset] = value
    with pytest.raises(DeviceError, match=message):
        Accelerator(window, facts())


def test_weights_are_loaded_after_every_reset() -> None:
    window = FakeWindow()
    loaded: list[int] = []
    real: Callable[[int, int], None] = window.write

    def write(offset: int, value: int) -> None:
        if offset == Reg.LOAD:
            loaded.append(value)
        real(offset, value)

    window.write = write  # type: ignore[method-assign]
    accelerator = Accelerator(window, facts(), core().weights)
    accelerator.self_test()
    assert loaded == [1, 2, 0x1234]


def test_a_mapped_window_is_words_at_their_offsets(tmp_path: Path) -> None:
    path = tmp_path / "uio0"
    with path.open("wb") as file:
        file.truncate(SPAN_BYTES)
    window = MappedWindow(path)
    window.write(STORE_OFFSET + 4, 0x01020304)
    window.write(SPAN_BYTES - 4, 0xFFFFFFFF)
    content = path.read_bytes()
    assert content[STORE_OFFSET + 4 : STORE_OFFSET + 8] == bytes([4, 3, 2, 1])
    assert window.read(SPAN_BYTES - 4) == 0xFFFFFFFF
    with pytest.raises(DeviceError, match="cannot be opened: No such file"):
        MappedWindow(tmp_path / "none")
    (tmp_path / "short").write_bytes(b"x")
    with pytest.raises(DeviceError, match="cannot be mapped"):
        MappedWindow(tmp_path / "short")


def test_inputs_lie_in_words_as_the_hardware_reads_them() -> None:
    window = FakeWindow()
    wire = samples(1)[0].tobytes()
    Accelerator(window, facts()).store(2, wire)
    words = [window.read(STORE_OFFSET + 4 * (12 + i)) for i in range(6)]
    assert words == packet(bytes(wire[i] for i in KEPT))


def test_plain_cobs_writes_and_reads_what_the_package_does() -> None:
    rng = random.Random(2)
    for _ in range(300):
        length = rng.choice((0, 1, 5, 253, 254, 255, 508, 600))
        data = bytes(rng.choice((0, 1, 255)) if rng.random() < 0.02 else 7 for _ in range(length))
        assert plain_cobs.encode(data) == cobs.encode(data)
        assert plain_cobs.decode(cobs.encode(data)) == data
        damaged = bytearray(cobs.encode(data))
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            wanted = cobs.decode(bytes(damaged))
        except cobs.DecodeError:
            with pytest.raises(plain_cobs.DecodeError):
                plain_cobs.decode(bytes(damaged))
        else:
            assert plain_cobs.decode(bytes(damaged)) == wanted


def test_the_agent_runs_on_a_bare_python(tmp_path: Path) -> None:
    data = agent_file()
    assert data == agent_file()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(tmp_path / "agent")
    done = subprocess.run(
        [sys.executable, "-ISB", tmp_path / "agent", "serve", tmp_path],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 6
    assert "no bitstream has been deployed to this board" in done.stderr


def test_an_overlay_is_a_device_tree_of_one_node() -> None:
    blob = uio_overlay("edgekit", BASE, SPAN_BYTES)
    magic, size, structure, strings = struct.unpack_from(">4I", blob)
    assert (magic, size) == (0xD00DFEED, len(blob))
    assert structure % 4 == 0
    assert blob[structure : structure + 8] == bytes([0, 0, 0, 1, 0, 0, 0, 0])
    assert blob[strings - 4 : strings] == bytes([0, 0, 0, 9])
    assert b"edgekit@43c00000\0" in blob
    assert b"generic-uio\0" in blob
    assert struct.pack(">II", BASE, SPAN_BYTES) in blob


def test_a_clock_that_no_divisor_gives_is_told(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    with (tmp_path / "dev/mem").open("wb") as file:
        file.truncate(0xF8001000)
        file.seek(0xF8000108)
        file.write(struct.pack("<I", 20 << 12))
    assert loader._set_clock(tmp_path, 125_000_000) == 125_000_000
    with pytest.raises(DeviceError, match="FCLK0 cannot be 130 MHz: from 1000 MHz the nearest is"):
        loader._set_clock(tmp_path, 130_000_000)
