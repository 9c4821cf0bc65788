"""Frames of the device link: `00 | COBS(header | payload | CRC-32) | 00`. See docs/LINK.md."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from cobs import cobs

from edgekit.device.layout import MAGIC, MTU_MAX_BYTES, Header
from edgekit.device.wire import pack, wire

_HEADER_BYTES = wire(Header).size
_CRC_BYTES = 4
# COBS adds one byte in 254 and one: nothing longer than this between delimiters is a frame.
_LONGEST_BYTES = (_HEADER_BYTES + MTU_MAX_BYTES + _CRC_BYTES) * 255 // 254 + 1


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; the codes are layout.Type, Command and Flag, as plain numbers from the wire."""

    type: int
    command: int
    sequence: int
    session: int
    payload: bytes
    flags: int = 0


def encode(frame: Frame) -> bytes:
    """Return the frame as it goes over the wire, with both delimiters."""
    header = Header(
        MAGIC,
        frame.type,
        frame.command,
        frame.flags,
        frame.sequence,
        frame.session,
        len(frame.payload),
    )
    body = pack(header) + frame.payload
    crc = zlib.crc32(body).to_bytes(_CRC_BYTES, "little")
    return b"\0" + bytes(cobs.encode(body + crc)) + b"\0"


class Decoder:
    """Finds frames in a stream that may hold text, noise and damaged frames between them.

    `crc_errors` and `cobs_errors` count what was dropped. `text` is what came outside of frames:
    the latest 4 KiB of printable lines, for the boot banner.
    """

    def __init__(self) -> None:
        self.crc_errors = 0
        self.cobs_errors = 0
        self._text = b""
        self._partial = bytearray()

    @property
    def text(self) -> bytes:
        """Text outside of frames, with what has come since the last delimiter."""
        return self._text + (bytes(self._partial) if _printable(self._partial) else b"")

    def clear(self) -> None:
        """Forget text and a partial frame; the counters stay."""
        self._text = b""
        self._partial.clear()

    def feed(self, data: bytes) -> list[Frame]:
        """Take received bytes and return the frames they complete."""
        found: list[Frame] = []
        *chunks, rest = data.split(b"\0")
        for chunk in chunks:
            whole = bytes(self._partial) + chunk
            self._partial.clear()
            if whole:
                frame = self._decode(whole)
                if frame is not None:
                    found.append(frame)
        self._partial += rest
        if len(self._partial) > _LONGEST_BYTES:
            del self._partial[: len(self._partial) - _LONGEST_BYTES]
        return found

    def _decode(self, chunk: bytes) -> Frame | None:
        if _printable(chunk):
            self._text = (self._text + chunk)[-4096:]
            return None
        try:
            body = bytes(cobs.decode(chunk))
        except cobs.DecodeError:
            self.cobs_errors += 1
            return None
        if len(body) < _HEADER_BYTES + _CRC_BYTES:
            self.cobs_errors += 1
            return None
        if zlib.crc32(body[:-_CRC_BYTES]).to_bytes(_CRC_BYTES, "little") != body[-_CRC_BYTES:]:
            self.crc_errors += 1
            return None
        header = Header(*wire(Header).unpack_from(body))
        payload = body[_HEADER_BYTES:-_CRC_BYTES]
        if header.magic != MAGIC or header.length != len(payload):
            self.cobs_errors += 1
            return None
        return Frame(
            header.type, header.command, header.sequence, header.session, payload, header.flags
        )


def _printable(chunk: bytes | bytearray) -> bool:
    return len(chunk) > 0 and all(32 <= byte < 127 or byte in b"\r\n\t" for byte in chunk)
