"""The link's golden bytes, as Python writes and reads them."""

from __future__ import annotations

import itertools
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from edgekit.device import c_header
from edgekit.device.frames import Decoder, Frame, encode
from edgekit.device.layout import Error, ErrorReply, Hello, HelloRequest, RunRecord
from edgekit.device.wire import pack, unpack
from edgekit.errors import DeviceError

ROOT = Path(__file__).resolve().parent.parent.parent
VECTORS: dict[str, Any] = json.loads((ROOT / "tests/vectors/link.json").read_text())
FRAMES = {v["name"]: v for v in VECTORS["frames"]}


def _frame(v: dict[str, Any]) -> Frame:
    payload = bytes.fromhex(v["payload"])
    return Frame(v["type"], v["command"], v["sequence"], v["session"], payload, v["flags"])


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_has_these_bytes(name: str) -> None:
    wire = bytes.fromhex(FRAMES[name]["wire"])
    assert encode(_frame(FRAMES[name])) == wire
    assert Decoder().feed(wire) == [_frame(FRAMES[name])]
    assert wire.count(0) == 2


def test_crc_and_cobs_are_the_published_ones() -> None:
    assert {v["crc"] for v in VECTORS["crc32"]} >= {0xCBF43926}
    for v in VECTORS["crc32"]:
        assert zlib.crc32(bytes.fromhex(v["data"])) == v["crc"]
    for v in VECTORS["cobs"]:
        assert cobs.encode(bytes.fromhex(v["data"])).hex() == v["encoded"]


@pytest.mark.parametrize("v", VECTORS["damaged"], ids=lambda v: v["name"])
def test_a_damaged_frame_is_dropped_and_counted(v: dict[str, Any]) -> None:
    decoder = Decoder()
    assert decoder.feed(bytes.fromhex(v["wire"])) == []
    counts = (decoder.crc_errors, decoder.cobs_errors)
    assert counts in {"crc": [(1, 0)], "cobs": [(0, 1)], "any": [(1, 0), (0, 1)]}[v["why"]]


@given(st.lists(st.integers(0, 200), max_size=12))
def test_frames_are_found_however_the_stream_is_cut(cuts: list[int]) -> None:
    data = bytes.fromhex(VECTORS["stream"]["bytes"])
    points = sorted({0, len(data), *(c for c in cuts if c < len(data))})
    decoder = Decoder()
    found = []
    for a, b in itertools.pairwise(points):
        found += decoder.feed(data[a:b])
    assert found == [_frame(FRAMES[name]) for name in VECTORS["stream"]["frames"]]
    assert b"m-ready" in decoder.text
    assert b"noise" in decoder.text
    assert (decoder.crc_errors, decoder.cobs_errors) == (0, 0)


@given(st.binary(max_size=2000))
def test_any_bytes_are_survived(data: bytes) -> None:
    decoder = Decoder()
    decoder.feed(data)
    good = bytes.fromhex(FRAMES["hello reply"]["wire"])
    assert decoder.feed(b"\0" + good) == [_frame(FRAMES["hello reply"])]


def test_an_endless_frame_does_not_fill_memory() -> None:
    decoder = Decoder()
    for _ in range(100):
        decoder.feed(b"\x01" * 10_000)
    assert len(decoder.text) <= 9000
    assert decoder.feed(bytes.fromhex(FRAMES["empty payload"]["wire"])) != []


def test_messages_have_these_fields() -> None:
    request, rest = unpack(HelloRequest, bytes.fromhex(FRAMES["hello request"]["payload"]))
    assert (request, rest) == (HelloRequest(1, 1, 4096, 0x12345678), b"")
    payload = bytes.fromhex(FRAMES["hello reply"]["payload"])
    hello, rest = unpack(Hello, payload)
    assert rest == b""
    assert (hello.session, hello.clock_hz, hello.cold_cycles) == (0xBEEF, 120_000_000, 2_880_000)
    assert hello.board == b"nucleo-l4r5zi".ljust(24, b"\0")
    assert hello.build_id == bytes(range(16, 32))
    assert pack(hello) == payload
    error, text = unpack(ErrorReply, bytes.fromhex(FRAMES["error with text"]["payload"]))
    assert (error, text) == (ErrorReply(Error.BAD_ARG, 489), b"input has another size")
    record, _ = unpack(RunRecord, bytes.fromhex(FRAMES["run done event"]["payload"]))
    assert (record.n, record.cycles_sum, record.t_us) == (20, 3000, 20_000_000)


def test_a_short_message_is_an_error() -> None:
    with pytest.raises(DeviceError, match="Hello has 123 bytes, expected 124"):
        unpack(Hello, bytes(123))


def test_the_c_header_is_this_layout() -> None:
    path = ROOT / "firmware/link/ek_layout.h"
    assert path.read_text() == c_header.render(), (
        "run: python -m edgekit.device.c_header > firmware/link/ek_layout.h"
    )
