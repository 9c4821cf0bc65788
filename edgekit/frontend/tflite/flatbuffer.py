"""A bounded reader of flatbuffers: every offset and length is checked before it is used.

Only what the TFLite schema needs: tables, vectors, strings and scalars. Nothing recurses, and a
value is read only when it is asked for. A damaged file raises ConfigError.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError
from edgekit.frontend.limits import MAX_NAME_BYTES

Number = TypeVar("Number", np.uint8, np.int32, np.int64, np.float32)


def damaged(what: str) -> ConfigError:
    """Return the error for a container that contradicts itself."""
    return ConfigError(
        f"damaged TFLite file: {what}", hint="export or download the model file again"
    )


@dataclass(frozen=True, slots=True)
class Bytes:
    """The whole file, read with bounds."""

    data: bytes

    def check(self, position: int, count: int) -> None:
        """Raise ConfigError unless `count` bytes at `position` lie within the file."""
        if position < 0 or count < 0 or position + count > len(self.data):
            raise damaged(
                f"{count} bytes at offset {position} leave the file of {len(self.data)} bytes"
            )

    def scalar(self, form: str, position: int) -> int:
        """Return the little-endian integer of struct form `form` at `position`."""
        self.check(position, struct.calcsize("<" + form))
        value: int = struct.unpack_from("<" + form, self.data, position)[0]
        return value

    def target(self, position: int) -> int:
        """Follow the unsigned 32-bit offset stored at `position`."""
        offset = self.scalar("I", position)
        if offset == 0:
            raise damaged(f"null offset at {position}")
        self.check(position + offset, 4)
        return position + offset

    def root(self) -> Table:
        """Return the root table."""
        return self.table(self.target(0))

    def table(self, position: int) -> Table:
        """Return the table at `position` after checking its field directory."""
        vtable = position - self.scalar("i", position)
        size = self.scalar("H", vtable)
        body = self.scalar("H", vtable + 2)
        if size < 4 or size % 2 or body < 4:
            raise damaged(f"table at {position} has a field directory of {size} bytes")
        self.check(vtable, size)
        self.check(position, body)
        return Table(self, position, vtable, size, body)


@dataclass(frozen=True, slots=True)
class Table:
    """One table; fields are numbered as in the schema and absent fields take their default."""

    source: Bytes
    position: int
    vtable: int
    vtable_bytes: int
    body_bytes: int

    def _field(self, field: int, count: int) -> int | None:
        slot = 4 + 2 * field
        if slot + 2 > self.vtable_bytes:
            return None
        offset = self.source.scalar("H", self.vtable + slot)
        if offset == 0:
            return None
        if offset < 4 or offset + count > self.body_bytes:
            raise damaged(f"field {field} of the table at {self.position} lies outside it")
        return self.position + offset

    def place(self, field: int, count: int) -> int | None:
        """Return where a stored field's `count` bytes lie in the file; None: it is absent."""
        return self._field(field, count)

    def integer(self, field: int, form: str, default: int = 0) -> int:
        """Return an integer field of struct form `form`."""
        position = self._field(field, struct.calcsize("<" + form))
        return default if position is None else self.source.scalar(form, position)

    def float32(self, field: int, default: float = 0.0) -> float:
        """Return a float32 field; may be NaN or infinite."""
        position = self._field(field, 4)
        if position is None:
            return default
        value: float = struct.unpack_from("<f", self.source.data, position)[0]
        return value

    def table(self, field: int) -> Table | None:
        """Return a table field, or None where absent."""
        position = self._field(field, 4)
        if position is None:
            return None
        return self.source.table(self.source.target(position))

    def _vector(self, field: int, item_bytes: int, limit: int) -> tuple[int, int]:
        position = self._field(field, 4)
        if position is None:
            return (0, 0)
        start = self.source.target(position)
        count = self.source.scalar("I", start)
        if count > limit:
            raise damaged(f"vector at {start} has {count} items, at most {limit} are accepted")
        self.source.check(start + 4, count * item_bytes)
        return (start + 4, count)

    def has(self, field: int) -> bool:
        """Return whether the field is stored."""
        return self._field(field, 1) is not None

    def numbers(self, field: int, dtype: type[Number], limit: int) -> NDArray[Number]:
        """Return a vector of numbers (a view of the file), empty where absent."""
        item = np.dtype(dtype)
        start, count = self._vector(field, item.itemsize, limit)
        return np.frombuffer(self.source.data, item.newbyteorder("<"), count, start)

    def tables(self, field: int, limit: int) -> tuple[Table, ...]:
        """Return a vector of tables, empty where absent."""
        start, count = self._vector(field, 4, limit)
        source = self.source
        return tuple(source.table(source.target(start + 4 * index)) for index in range(count))

    def text(self, field: int) -> str:
        """Return a string field, undecodable bytes replaced; empty where absent."""
        start, count = self._vector(field, 1, MAX_NAME_BYTES)
        return self.source.data[start : start + count].decode("utf-8", "replace")
