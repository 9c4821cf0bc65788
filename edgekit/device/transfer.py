"""Chunked transfer of an input set into the device's memory, resumable, checked by SHA-256."""

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
    digest = hashlib.sha256(data).digest()
    progress.stage("upload inputs", len(data))
    for attempt in range(_COMMITS):
        opened = _open(link, data, digest)
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


def _open(link: Link, data: bytes, digest: bytes) -> OpenReply:
    request = OpenRequest(TransferKind.INPUTS, 0, 0, len(data), digest)
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
