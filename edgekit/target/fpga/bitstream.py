"""A Xilinx .bit file: its header, and its content in the byte order that the Arm side wants.

The header is a list of fields, all lengths big-endian: a fixed field of 9 bytes, the number 1, then
fields keyed a (design name), b (part), c (date), d (time), each a text ended by a zero byte behind
a length of 2 bytes, and e (the configuration data) behind a length of 4 bytes. The data are 32-bit
words, most significant byte first; the processor's configuration port takes them little-endian, so
a .bin for the kernel's FPGA manager has the bytes of every word reversed. The configuration begins
with the synchronization word AA995566 (UG470, table 5-12) behind padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.errors import ConfigError

_PREAMBLE = bytes.fromhex("00090ff00ff00ff00ff0000001")
_SYNC = bytes.fromhex("aa995566")
_SYNC_WITHIN = 4096  # bytes of padding and bus-width words before it
_TEXTS = "abcd"


@dataclass(frozen=True, slots=True, eq=False)
class Bitstream:
    """What a .bit file says of itself, and its configuration data as they are in the file."""

    design: str
    part: str  # such as 7z020clg400: without "xc" and speed grade
    date: str
    time: str
    data: bytes


def parse_bit(content: bytes, name: str) -> Bitstream:
    """Return the parts of a .bit file; `name` stands in the errors.

    Raises ConfigError where `content` is no .bit file, is cut short or holds no configuration.
    """
    if not content.startswith(_PREAMBLE):
        raise ConfigError(
            f"{name} is no .bit file: it begins with {content[:8].hex() or 'nothing'}",
            hint="pass the .bit that Vivado wrote, not a .bin or an .xsa",
        )
    at = len(_PREAMBLE)
    texts = {}
    for key in _TEXTS:
        length = int.from_bytes(content[at + 1 : at + 3], "big")
        if content[at : at + 1] != key.encode() or at + 3 + length > len(content):
            raise ConfigError(f"{name} has no field {key!r} at byte {at}: the file is damaged")
        texts[key] = content[at + 3 : at + 3 + length].rstrip(b"\0").decode("ascii", "replace")
        at += 3 + length
    length = int.from_bytes(content[at + 1 : at + 5], "big")
    data = content[at + 5 : at + 5 + length]
    if content[at : at + 1] != b"e" or len(data) != length or length == 0:
        raise ConfigError(
            f"{name} is cut short: {len(data)} of {length} bytes of configuration are there",
            hint="copy it again, or run the build again",
        )
    if length % 4 or _SYNC not in data[:_SYNC_WITHIN]:
        raise ConfigError(f"{name} holds no configuration: the synchronization word is missing")
    design = texts["a"].split(";")[0]
    return Bitstream(design, texts["b"], texts["c"], texts["d"], data)


def to_bin(bitstream: Bitstream) -> bytes:
    """Return what the kernel's FPGA manager takes: the bytes of each word reversed."""
    return np.frombuffer(bitstream.data, ">u4").astype("<u4").tobytes()
