"""Bitstream files and bundles: what is read of them, and what is wrong with damaged ones."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from board_tree import BASE, bit_file, core, hwh_file, identity, make_bundle

from edgekit.device.agent.facts import facts_of, read_manifest
from edgekit.errors import ConfigError
from edgekit.target.fpga.bitstream import parse_bit, to_bin
from edgekit.target.fpga.bundle import read_bundle, write_bundle


def test_a_bit_file_is_read_and_swapped() -> None:
    content = bit_file()
    bitstream = parse_bit(content, "x.bit")
    assert (bitstream.design, bitstream.part) == ("design_wrapper", "7z020clg400")
    assert (bitstream.date, bitstream.time) == ("2026/11/01", "12:00:00")
    swapped = to_bin(bitstream)
    words = struct.unpack(f">{len(bitstream.data) // 4}I", bitstream.data)
    assert struct.unpack(f"<{len(words)}I", swapped) == words
    assert bytes.fromhex("665599aa") in swapped


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it begins with nothing"),
        (to_bin(parse_bit(bit_file(), "x")), "is no .bit file: it begins with ffff"),
        (bit_file()[:200], "is cut short: 90 of"),
        (bit_file()[:30], "has no field 'a' at byte 13: the file is damaged"),
        (bit_file().replace(b"b\0\x0c", b"q\0\x0c"), "has no field 'b'"),
        (bit_file().replace(bytes.fromhex("aa995566"), bytes(4)), "the synchronization word"),
    ],
)
def test_a_damaged_bit_file_is_told(content: bytes, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_bit(content, "x.bit")
    assert message in caught.value.message


def test_any_cut_of_a_bit_file_is_told() -> None:
    content = bit_file(words=8)
    for end in range(len(content)):
        with pytest.raises(ConfigError):
            parse_bit(content[:end], "x.bit")


def test_a_bundle_reads_back_and_tells_the_agent_what_it_needs(tmp_path: Path) -> None:
    written = make_bundle(tmp_path)
    bundle = read_bundle(written.directory, "pynq-z2")
    assert bundle.identity == identity()
    assert set(bundle.files) == {"design.bit", "design.hwh", "design.bin", "weights.bin"}
    facts = facts_of(read_manifest(bundle.directory))
    assert (facts.in_words, facts.out_words) == (6, 2)
    assert facts.kept_bytes == core().kept_bytes
    again = make_bundle(tmp_path / "again")
    manifests = [(b.directory / "manifest.json").read_bytes() for b in (written, again)]
    assert manifests[0] == manifests[1]


@pytest.mark.parametrize(
    ("bit", "hwh", "message"),
    [
        (bit_file("7z010clg400"), None, "is for 7z010clg400, the board has xc7z020clg400-1"),
        (bit_file("7z020clg484"), None, "is for 7z020clg484"),
        (None, hwh_file(device="7z010"), "is for 7z010clg400"),
        (None, hwh_file(base=BASE + 0x10000), "has the accelerator at 0x43c10000"),
        (None, hwh_file(instance="axi_dma_0"), "has no instance 'accelerator'"),
        (None, b"<html/>", "is no hardware description"),
    ],
)
def test_what_is_for_something_else_is_told(
    tmp_path: Path, bit: bytes | None, hwh: bytes | None, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        make_bundle(tmp_path, bit, hwh)
    assert message in caught.value.message


def test_an_overlay_without_its_description_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.bit").write_bytes(bit_file())
    with pytest.raises(ConfigError, match=r"x\.hwh cannot be read") as caught:
        write_bundle(
            tmp_path / "bundle",
            identity(),
            core(),
            bit=tmp_path / "x.bit",
            hwh=tmp_path / "x.hwh",
            tools={},
        )
    assert "an overlay needs its .hwh" in caught.value.hint


def test_a_changed_file_or_another_board_is_told(tmp_path: Path) -> None:
    directory = make_bundle(tmp_path).directory
    with pytest.raises(ConfigError, match=r"is for pynq-z2, not for ulx3s"):
        read_bundle(directory, "ulx3s")
    for name in ("design.bit", "design.hwh", "design.bin", "weights.bin"):
        good = (directory / name).read_bytes()
        (directory / name).write_bytes(good[:-1] + b"\0")
        with pytest.raises(ConfigError, match=f"{name} has SHA-256 .*its manifest says"):
            read_bundle(directory, "pynq-z2")
        (directory / name).unlink()
        with pytest.raises(ConfigError, match=f"{name} cannot be read"):
            read_bundle(directory, "pynq-z2")
        (directory / name).write_bytes(good)
    read_bundle(directory, "pynq-z2")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 9}, "has schema 9"),
        ({"build_id": None}, "lacks build_id"),
        ({"files": {}}, "has no design.bit"),
        ({"files": []}, "is no manifest"),
        ({"files": {"../../x": {"sha256": "0"}}}, "has no design.bit"),
        ({"build_id": "; rm -r ."}, "build_id is '; rm -r .', wanted 32 hexadecimal digits"),
        (
            {
                "files": {
                    n: {"sha256": "0"} for n in ("design.bit", "design.hwh", "design.bin", "$x")
                }
            },
            "names '$x', which no bundle has",
        ),
    ],
)
def test_a_wrong_manifest_is_told(tmp_path: Path, change: dict[str, object], message: str) -> None:
    directory = make_bundle(tmp_path).directory
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text()) | change
    path.write_text(json.dumps({k: v for k, v in manifest.items() if v is not None}))
    with pytest.raises(ConfigError) as caught:
        read_bundle(directory, "pynq-z2")
    assert message in caught.value.message
