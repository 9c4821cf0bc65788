"""The link's golden bytes, as the C code writes and reads them."""

from __future__ import annotations

import ctypes
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from link_host import FIRMWARE, compile_host

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parent.parent / "vectors/link.json").read_text()
)
BAD = 0xFFFFFFFF


@pytest.fixture(scope="module")
def c(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    out = tmp_path_factory.mktemp("c") / "frames.so"
    sources = [FIRMWARE / "link" / name for name in ("ek_frames.c", "ek_sha256.c")]
    library = ctypes.CDLL(str(compile_host(out, "-shared", "-fPIC", sources=sources)))
    for name in ("ek_crc32", "ek_cobs_decode", "ek_cobs_block"):
        getattr(library, name).restype = ctypes.c_uint32
    return library


def _cobs_encode(c: ctypes.CDLL, data: bytes) -> bytes:
    used, more = ctypes.c_uint32(0), ctypes.c_uint32(1)
    block = ctypes.create_string_buffer(255)
    out = b""
    while more.value:
        size = c.ek_cobs_block(data, len(data), ctypes.byref(used), ctypes.byref(more), block)
        out += block.raw[:size]
    return out


def _cobs_decode(c: ctypes.CDLL, data: bytes) -> bytes | None:
    buffer = ctypes.create_string_buffer(data, max(len(data), 1))
    size = c.ek_cobs_decode(buffer, len(data))
    return None if size == BAD else buffer.raw[:size]


def test_crc(c: ctypes.CDLL) -> None:
    for v in VECTORS["crc32"]:
        data = bytes.fromhex(v["data"])
        assert c.ek_crc32(0, data, len(data)) == v["crc"]
        half = len(data) // 2
        first = c.ek_crc32(0, data[:half], half)
        assert c.ek_crc32(first, data[half:], len(data) - half) == v["crc"]


def test_cobs(c: ctypes.CDLL) -> None:
    for v in VECTORS["cobs"]:
        assert _cobs_encode(c, bytes.fromhex(v["data"])).hex() == v["encoded"]
        assert _cobs_decode(c, bytes.fromhex(v["encoded"])) == bytes.fromhex(v["data"])
    for encoded in VECTORS["not_cobs"]:
        assert _cobs_decode(c, bytes.fromhex(encoded)) is None


def test_sha256(c: ctypes.CDLL) -> None:
    for v in VECTORS["sha256"]:
        data = bytes.fromhex(v["data"])
        digest = ctypes.create_string_buffer(32)
        c.ek_sha256(data, len(data), digest)
        assert digest.raw.hex() == v["sha256"]


def test_frames(c: ctypes.CDLL) -> None:
    for v in VECTORS["frames"]:
        wire = bytes.fromhex(v["wire"])
        body = _cobs_decode(c, wire[1:-1])
        assert body is not None
        assert body[10:-4].hex() == v["payload"]
        assert c.ek_crc32(0, body[:-4], len(body) - 4) == int.from_bytes(body[-4:], "little")
        assert b"\0" + _cobs_encode(c, body) + b"\0" == wire


@given(st.binary(max_size=700) | st.binary(max_size=300).map(lambda d: d.replace(b"\0", b"\1")))
def test_cobs_of_anything(c: ctypes.CDLL, data: bytes) -> None:
    encoded = _cobs_encode(c, data)
    assert 0 not in encoded
    assert len(encoded) <= len(data) + len(data) // 254 + 1
    assert _cobs_decode(c, encoded) == data


@given(st.binary(max_size=300))
def test_decoding_anything_stays_inside(c: ctypes.CDLL, data: bytes) -> None:
    decoded = _cobs_decode(c, data)
    assert decoded is None or len(decoded) < max(len(data), 1)


def test_memory_functions(tmp_path: Path) -> None:
    out = compile_host(
        tmp_path / "mem.so",
        "-shared",
        "-fPIC",
        *(f"-D{name}=ek_{name}" for name in ("memcpy", "memmove", "memset", "memcmp")),
        sources=[FIRMWARE / "link" / "ek_mem.c"],
    )
    c = ctypes.CDLL(str(out))
    data = bytes(range(64))
    for start in range(4):
        for size in (0, 1, 3, 4, 17, 40):
            to = ctypes.create_string_buffer(80)
            c.ek_memcpy(ctypes.byref(to, start), data, size)
            assert to.raw[start : start + size] == data[:size]
            assert to.raw[start + size] == 0
            c.ek_memset(ctypes.byref(to, start), 0xA5, size)
            assert to.raw[start : start + size] == b"\xa5" * size
            assert to.raw[start + size] == 0
            move = ctypes.create_string_buffer(data, 64)
            c.ek_memmove(ctypes.byref(move, start), ctypes.byref(move, 2), size)
            assert move.raw[start : start + size] == data[2 : 2 + size]
    assert c.ek_memcmp(b"abc", b"abd", 3) < 0
    assert c.ek_memcmp(b"abd", b"abc", 3) > 0
    assert c.ek_memcmp(b"abx", b"aby", 2) == 0
