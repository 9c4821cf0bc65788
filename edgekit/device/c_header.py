"""Writes firmware/link/ek_layout.h from layout.py, so that the bytes are declared in one place.

`python -m edgekit.device.c_header > firmware/link/ek_layout.h` after a change of layout.py; a test
compares the two.
"""

from __future__ import annotations

import re
import struct
import sys
from dataclasses import fields
from enum import IntEnum, IntFlag
from typing import Any, get_type_hints

from edgekit.device import layout

_ENUMS: tuple[tuple[str, type[IntEnum] | type[IntFlag]], ...] = (
    ("TYPE", layout.Type),
    ("CMD", layout.Command),
    ("FLAG", layout.Flag),
    ("CAP", layout.Cap),
    ("KIND", layout.Kind),
    ("RESET", layout.ResetReason),
    ("ERR", layout.Error),
    ("TRANSFER_KIND", layout.TransferKind),
    ("TRANSFER", layout.TransferState),
    ("RUN", layout.RunState),
)
_NUMBERS: tuple[tuple[str, int], ...] = (
    ("MAGIC", layout.MAGIC),
    ("PROTOCOL", layout.PROTOCOL),
    ("MTU_MIN_BYTES", layout.MTU_MIN_BYTES),
    ("MTU_MAX_BYTES", layout.MTU_MAX_BYTES),
    ("INLINE_SLOT", layout.INLINE_SLOT),
    ("ERROR_TEXT_BYTES", layout.ERROR_TEXT_BYTES),
    ("BATCH_MAX", layout.BATCH_MAX),
    ("CYCLE_LOG_ENTRIES", layout.CYCLE_LOG_ENTRIES),
)

_MESSAGES: tuple[type[Any], ...] = (
    layout.Header,
    layout.HelloRequest,
    layout.Hello,
    layout.Info,
    layout.Stats,
    layout.OpenRequest,
    layout.OpenReply,
    layout.WriteRequest,
    layout.WriteReply,
    layout.CommitRequest,
    layout.CommitReply,
    layout.StatusReply,
    layout.InferRequest,
    layout.InferReply,
    layout.OutputRequest,
    layout.RunRequest,
    layout.RunRecord,
    layout.ReadRequest,
    layout.ReadReply,
    layout.TraceRequest,
    layout.TraceReply,
    layout.ErrorReply,
)


def _upper(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def numbers() -> dict[str, int]:
    """Return codes and sizes by the names they have in ek_layout.h, without `EK_`."""
    found = dict(_NUMBERS)
    for prefix, enum in _ENUMS:
        found |= {f"{prefix}_{m.name}": m.value for m in enum}
    for message in _MESSAGES:
        found |= {name: offset for name, offset, _ in _places(message)}
    return found


def _places(message: type[Any]) -> list[tuple[str, int, int]]:
    """Return name, offset and size of each field of `message`, and at last of its end."""
    prefix = _upper(message.__name__)
    hints = get_type_hints(message, include_extras=True)
    found: list[tuple[str, int, int]] = []
    offset = 0
    for item in fields(message):
        size = struct.calcsize("<" + hints[item.name].__metadata__[0])
        found.append((f"{prefix}_{item.name.upper()}", offset, size))
        offset += size
    return [*found, (f"{prefix}_BYTES", offset, 0)]


def render() -> str:
    """Return the text of ek_layout.h."""
    lines = [
        "/* Codes and byte offsets of the device link, see docs/LINK.md.",
        " * Written by edgekit/device/c_header.py from edgekit/device/layout.py: edit that. */",
        "#ifndef EK_LAYOUT_H",
        "#define EK_LAYOUT_H",
        "",
        *(f"#define EK_{name} {value:#x}u" for name, value in _NUMBERS),
    ]
    for prefix, enum in _ENUMS:
        lines += ["", *(f"#define EK_{prefix}_{m.name} {m.value:#x}u" for m in enum)]
    for message in _MESSAGES:
        *places, (end, total, _) = _places(message)
        lines.append("")
        lines += [f"#define EK_{name} {at}u /* {size} bytes */" for name, at, size in places]
        lines.append(f"#define EK_{end} {total}u")
    return "\n".join([*lines, "", "#endif", ""])


if __name__ == "__main__":
    sys.stdout.write(render())
