"""Consistent overhead byte stuffing in plain Python, for a board without the cobs package.

In the agent's file this module takes the place of `cobs.cobs`; the functions are those that
edgekit.device.frames calls.
"""

from __future__ import annotations

_LONGEST = 254  # data bytes behind one length byte


class DecodeError(Exception):
    """Bytes that no encoder wrote."""


def encode(data: bytes) -> bytes:
    """Return `data` without a zero byte in it."""
    out = bytearray()
    pieces = data.split(b"\0")
    for index, piece in enumerate(pieces):
        while len(piece) >= _LONGEST:
            out.append(_LONGEST + 1)
            out += piece[:_LONGEST]
            piece = piece[_LONGEST:]
            if not piece and index + 1 == len(pieces):
                return bytes(out)
        out.append(len(piece) + 1)
        out += piece
    return bytes(out)


def decode(data: bytes) -> bytes:
    """Return what was encoded; DecodeError where that is not how an encoder writes."""
    out = bytearray()
    at = 0
    while at < len(data):
        length = data[at]
        piece = data[at + 1 : at + length]
        if length == 0 or 0 in piece:
            raise DecodeError("zero byte found in input")
        if len(piece) != length - 1:
            raise DecodeError("not enough input bytes for length code")
        out += piece
        at += length
        if length <= _LONGEST and at < len(data):
            out.append(0)
    return bytes(out)
