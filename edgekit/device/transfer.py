"""Chunked transfer of inputs, or of weights, into the device's memory, resumable.

Every chunk is a frame with its CRC; a device that can checks the whole by SHA-256 too.
"""

from __future__ import annotations

import hashlib
import logging

from edgekit.device.layout import (
    Cap,
    Command,
    CommitReply,
    CommitRequest,
    Error,
    OpenReply,
    OpenRequest,
    TransferKind,
    WriteReply,
    WriteRequest,
)
from edgekit.device.link import Link, RemoteError
from edgekit.device.wire import pack, unpack, wire
from edgekit.errors import DeviceError
from edgekit.progress import Progress, Silent

_log = logging.getLogger(__name__)
_COMMITS = 3  # times the whole set is sent before giving up on its digest
_HASH_S_PER_BYTE = 4e-6  # SHA-256 on a slow core: 80 cycles a byte at 24 MHz


def upload_inputs(link: Link, data: bytes, progress: Progress | None = None) -> int:
    """Store `data` (whole model inputs, one after the other) on the device; return the slots.

    A transfer of the same bytes that was interrupted goes on where the device is.
    """
    progress = progress or Silent()
    if not link.hello.caps & Cap.STORE:
        raise DeviceError("this firmware cannot store inputs")
    if len(data) > link.hello.store_bytes:
        raise DeviceError(
            f"the input set has {len(data)} bytes, the board can store {link.hello.store_bytes}",
            hint="send fewer inputs",
        )
    progress.stage("upload inputs", len(data))
    return _upload(link, TransferKind.INPUTS, data, progress)


def upload_weights(link: Link, data: bytes, progress: Progress | None = None) -> None:
    """Give a device that keeps weights in memory without contents what its network needs.

    It holds them as long as it has power: a device that has them already takes nothing. Raises
    DeviceError when the device wants weights and there are none.
    """
    if not link.hello.caps & Cap.WEIGHTS:
        return
    if not data:
        raise DeviceError(
            "the board waits for its network's weights and this run has none",
            hint="the bitstream on the board is of another build: flash this one",
        )
    progress = progress or Silent()
    progress.stage("load weights", len(data))
    _upload(link, TransferKind.WEIGHTS, data, progress)


def _upload(link: Link, kind: TransferKind, data: bytes, progress: Progress) -> int:
    digest = hashlib.sha256(data).digest()
    for attempt in range(_COMMITS):
        opened = _open(link, kind, data, digest)
        _write(link, data, opened, progress)
        try:
            reply = link.request(
                Command.COMMIT,
                pack(CommitRequest(opened.handle, 0)),
                budget_s=len(data) * _HASH_S_PER_BYTE,
            )
        except RemoteError as exc:
            if exc.code != Error.HASH_MISMATCH or attempt + 1 == _COMMITS:
                raise
            _log.warning("the device holds other bytes than were sent, sending them again")
            continue
        committed, _ = unpack(CommitReply, reply)
        return committed.slots
    raise AssertionError("unreachable")


def _open(link: Link, kind: TransferKind, data: bytes, digest: bytes) -> OpenReply:
    request = OpenRequest(kind, 0, 0, len(data), digest)
    opened, _ = unpack(OpenReply, link.request(Command.OPEN, pack(request)))
    if opened.chunk == 0:
        raise DeviceError("the device offers transfer chunks of 0 bytes")
    if opened.offset:
        _log.info("resuming the transfer at byte %d of %d", opened.offset, len(data))
    return opened


def _write(link: Link, data: bytes, opened: OpenReply, progress: Progress) -> None:
    chunk = min(opened.chunk, link.hello.mtu - wire(WriteRequest).size)
    offset = opened.offset
    while offset < len(data):
        request = pack(WriteRequest(opened.handle, 0, offset)) + data[offset : offset + chunk]
        reply, _ = unpack(WriteReply, link.request(Command.WRITE, request))
        if reply.offset > len(data):
            raise DeviceError(f"the device asks for byte {reply.offset} of {len(data)}")
        offset = reply.offset
        progress.advance(offset)
