"""A device-tree overlay that makes a register window a UIO device, as the kernel takes it.

The format is that of the Devicetree Specification 0.4, chapter 5 (flattened device tree, version
17), and of an overlay with one fragment that names its target by path.
"""

from __future__ import annotations

import struct

_MAGIC = 0xD00DFEED
_BEGIN, _END, _PROPERTY, _FINISH = 1, 2, 3, 9
_HEADER = struct.Struct(">10I")
_VERSION, _COMPATIBLE = 17, 16


class _Tree:
    def __init__(self) -> None:
        self.structure = b""
        self.strings = b""

    def begin(self, name: str) -> None:
        self.structure += struct.pack(">I", _BEGIN) + _padded(name.encode() + b"\0")

    def end(self) -> None:
        self.structure += struct.pack(">I", _END)

    def property(self, name: str, value: bytes) -> None:
        key = name.encode() + b"\0"
        if key not in self.strings:
            self.strings += key
        head = struct.pack(">III", _PROPERTY, len(value), self.strings.index(key))
        self.structure += head + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def uio_overlay(name: str, base_address: int, size_bytes: int) -> bytes:
    """Return the overlay (.dtbo) of a node `name` of `size_bytes` at `base_address`."""
    tree = _Tree()
    tree.begin("")
    tree.begin("fragment@0")
    tree.property("target-path", b"/\0")
    tree.begin("__overlay__")
    # The root of a 32-bit system has one cell for addresses and one for sizes.
    tree.begin(f"{name}@{base_address:x}")
    tree.property("compatible", b"generic-uio\0")
    tree.property("reg", struct.pack(">II", base_address, size_bytes))
    for _ in range(4):
        tree.end()
    tree.structure += struct.pack(">I", _FINISH)
    reserved = bytes(16)  # no memory is reserved: one empty entry
    at_structure = _HEADER.size + len(reserved)
    at_strings = at_structure + len(tree.structure)
    header = _HEADER.pack(
        _MAGIC,
        at_strings + len(tree.strings),
        at_structure,
        at_strings,
        _HEADER.size,
        _VERSION,
        _COMPATIBLE,
        0,
        len(tree.strings),
        len(tree.structure),
    )
    return header + reserved + tree.structure + tree.strings
