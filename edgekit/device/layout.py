"""The device link's bytes, declared once: codes, message layouts, and the C header made of them.

docs/LINK.md explains them; `firmware/link/ek_layout.h` is `c_header()` and a test holds it so.
Every integer is little-endian and every message is packed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Annotated

U8 = Annotated[int, "B"]
U16 = Annotated[int, "H"]
U32 = Annotated[int, "I"]
I32 = Annotated[int, "i"]
U64 = Annotated[int, "Q"]
Bytes16 = Annotated[bytes, "16s"]
Bytes24 = Annotated[bytes, "24s"]
Bytes32 = Annotated[bytes, "32s"]

MAGIC = 0xE1  # protocol family in the high nibble, version of the framing in the low
PROTOCOL = 1
MTU_MIN_BYTES = 256  # payload bytes every device accepts before HELLO has agreed on more
MTU_MAX_BYTES = 4096
INLINE_SLOT = 0xFFFFFFFF  # INFER: the input follows in the request
ERROR_TEXT_BYTES = 64
BATCH_MAX = 4096  # inferences of one group of a RUN on a processor; 65,536 on an FPGA
CYCLE_LOG_ENTRIES = 1024  # cycles of the latest inferences of a RUN, for READ


class Type(IntEnum):
    """What a frame is."""

    REQ = 1
    RSP = 2
    EVT = 3
    ERR = 4


class Command(IntEnum):
    """What a request asks for; replies and events repeat it."""

    HELLO = 0x01
    BYE = 0x02
    INFO = 0x03
    STATS = 0x04
    RESET = 0x05
    OPEN = 0x10
    WRITE = 0x11
    COMMIT = 0x12
    STATUS = 0x13
    INFER = 0x20
    OUTPUT = 0x21
    RUN = 0x22
    RUN_STATUS = 0x23
    RUN_STOP = 0x24
    READ = 0x25
    TRACE = 0x30


class Flag(IntFlag):
    """Header flags."""

    MORE = 1
    ACKREQ = 2
    REPLAY = 4  # a cached reply, sent again


class Cap(IntFlag):
    """What a device can do."""

    STORE = 1  # OPEN, WRITE, COMMIT, STATUS and INFER by slot
    RUN = 2  # RUN with sleep between inferences
    TRACE = 4  # built with MODEL_TRACE
    TEXT = 8  # answers the MLPerf Tiny text commands
    CYCLES = 16  # counts cycles
    SHA256 = 32  # COMMIT checks the digest
    WEIGHTS = 64  # wants its weights in a transfer before the first inference


class Kind(IntEnum):
    """What answers: silicon, or a virtual board."""

    HARDWARE = 0
    VIRTUAL = 1


class ResetReason(IntEnum):
    """Why the device started."""

    UNKNOWN = 0
    POWER = 1
    PIN = 2
    SOFTWARE = 3
    WATCHDOG = 4
    LOW_POWER = 5
    OTHER = 6


class Error(IntEnum):
    """Error codes of an ERR frame; 0x8000 and up are a vendor's own."""

    BAD_FRAME = 1
    BAD_CRC = 2
    BAD_VERSION = 3
    BAD_SESSION = 4
    UNKNOWN_CMD = 5
    BAD_ARG = 6
    BUSY = 7
    NO_MEM = 8
    OUT_OF_RANGE = 9
    HASH_MISMATCH = 10
    FLASH_ERASE = 11
    FLASH_WRITE = 12
    FLASH_VERIFY = 13
    NOT_READY = 14
    TIMEOUT = 15
    OVERRUN = 16
    MODEL_INCOMPATIBLE = 17
    SENSOR_FAULT = 18
    CAL_MISSING = 19
    POWER_OVERLIMIT = 20


RETRYABLE = frozenset({Error.BUSY, Error.NOT_READY, Error.OVERRUN})


class TransferKind(IntEnum):
    """What an OPEN carries."""

    INPUTS = 1
    WEIGHTS = 2  # of a network whose memory is empty after every start


class TransferState(IntEnum):
    """State of the device's one transfer."""

    NONE = 0
    OPEN = 1
    COMMITTED = 2


class RunState(IntEnum):
    """State of a RUN."""

    NONE = 0
    RUNNING = 1
    DONE = 2
    STOPPED = 3


@dataclass(frozen=True, slots=True)
class Header:
    """In front of every payload."""

    magic: U8
    type: U8
    command: U8
    flags: U8
    sequence: U16
    session: U16
    length: U16


@dataclass(frozen=True, slots=True)
class HelloRequest:
    """Opens a session; the nonce names this attempt."""

    proto_min: U8
    proto_max: U8
    mtu: U16
    nonce: U32


@dataclass(frozen=True, slots=True)
class Hello:
    """Who the device is, and the session it opened."""

    proto: U8
    kind: U8
    mtu: U16
    session: U16
    rx_window: U16
    reset_reason: U16
    nodes: U16
    nonce: U32
    caps: U32
    boot_count: U32
    clock_hz: U32
    baud: U32
    input_bytes: U32
    output_bytes: U32
    store_bytes: U32
    cold_start_us: U32
    cold_cycles: U32
    uid: Bytes16
    build_id: Bytes16
    model_hash: Bytes16
    board: Bytes24


@dataclass(frozen=True, slots=True)
class Info:
    """More about the model; its name follows as text up to the payload's end."""

    nodes: U32
    arena_bytes: U32
    output_zero_point: I32
    output_scale_nano: U32
    store_bytes: U32
    device_id: U32
    uptime_us: U64


@dataclass(frozen=True, slots=True)
class Stats:
    """Counters since the device started."""

    rx_ok: U32
    crc_errors: U32
    cobs_errors: U32
    overruns: U32
    replays: U32
    stale: U32
    bad_session: U32
    tx_frames: U32
    text_commands: U32
    inferences: U32


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """Announces a transfer; the same digest again resumes it."""

    kind: U8
    restart: U8
    chunk: U16
    length: U32
    sha256: Bytes32


@dataclass(frozen=True, slots=True)
class OpenReply:
    """Where to continue."""

    handle: U16
    chunk: U16
    offset: U32


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """The data follows up to the payload's end."""

    handle: U16
    reserved: U16
    offset: U32


@dataclass(frozen=True, slots=True)
class WriteReply:
    """Where to continue, whether or not the data was taken."""

    offset: U32


@dataclass(frozen=True, slots=True)
class CommitRequest:
    """Asks for the digest to be checked and the data to become active."""

    handle: U16
    reserved: U16


@dataclass(frozen=True, slots=True)
class CommitReply:
    """What is active now."""

    length: U32
    slots: U32


@dataclass(frozen=True, slots=True)
class StatusReply:
    """The transfer as the device sees it."""

    handle: U16
    state: U8
    kind: U8
    offset: U32
    length: U32
    sha256: Bytes32


@dataclass(frozen=True, slots=True)
class InferRequest:
    """One inference over a stored slot, or over the input that follows (INLINE_SLOT)."""

    slot: U32


@dataclass(frozen=True, slots=True)
class InferReply:
    """The output follows, as far as it fits; OUTPUT fetches the rest."""

    cycles: U32
    status: U32
    output_bytes: U32


@dataclass(frozen=True, slots=True)
class OutputRequest:
    """The latest inference's output from `offset`; the reply is the bytes."""

    offset: U32


@dataclass(frozen=True, slots=True)
class RunRequest:
    """`n` inferences over stored slots first..first+count-1, one group of `batch` a period."""

    first: U32
    count: U32
    n: U32
    period_us: U32
    batch: U32


@dataclass(frozen=True, slots=True)
class RunRecord:
    """How a RUN went: RUN_DONE's payload and RUN_STATUS's reply."""

    state: U32
    n: U32
    cycles_min: U32
    cycles_max: U32
    cycles_sum: U64
    missed: U32
    reserved: U32
    t_us: U64


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Cycles of the current or latest RUN from inference `first` on."""

    first: U32


@dataclass(frozen=True, slots=True)
class ReadReply:
    """u32 cycles follow: inferences first, first+1, …; `total` were run."""

    total: U32
    first: U32


@dataclass(frozen=True, slots=True)
class TraceRequest:
    """At offset 0 runs the model over stored `slot` up to `node`; the tensor comes in pieces."""

    slot: U32
    node: U32
    offset: U32


@dataclass(frozen=True, slots=True)
class TraceReply:
    """The tensor's bytes from `offset` follow; `size` is its whole size."""

    size: U32
    offset: U32


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """Payload of an ERR frame; up to 64 bytes of UTF-8 follow."""

    code: U16
    detail: U16
