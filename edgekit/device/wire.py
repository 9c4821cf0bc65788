"""Messages of layout.py to bytes and back."""

from __future__ import annotations

import struct
from dataclasses import Field, fields
from functools import cache
from typing import Any, ClassVar, Protocol, TypeVar, get_type_hints

from edgekit.errors import DeviceError


class _Message(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


T = TypeVar("T", bound=_Message)


@cache
def wire(message: type[Any]) -> struct.Struct:
    """Return the packed layout of a message class."""
    hints = get_type_hints(message, include_extras=True)
    return struct.Struct("<" + "".join(hints[f.name].__metadata__[0] for f in fields(message)))


def pack(message: _Message) -> bytes:
    """Return `message` as its bytes."""
    values = [getattr(message, f.name) for f in fields(message)]
    return wire(type(message)).pack(*values)


def unpack(message: type[T], data: bytes) -> tuple[T, bytes]:
    """Return the message at the start of `data` and what follows it.

    Raises DeviceError when `data` is shorter than the layout.
    """
    layout = wire(message)
    if len(data) < layout.size:
        raise DeviceError(
            f"the device's {message.__name__} has {len(data)} bytes, expected {layout.size}",
            hint="the firmware speaks another version of the link: build and flash it again",
        )
    return message(*layout.unpack_from(data)), data[layout.size :]
