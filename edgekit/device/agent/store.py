"""The device's one transfer: a set of inputs that comes in pieces and is checked by its digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from edgekit.device.layout import TransferState


@dataclass(slots=True)
class Transfer:
    """What OPEN announced and WRITE has brought; `handle` changes with each new set."""

    handle: int = 0
    kind: int = 0
    length: int = 0
    sha256: bytes = bytes(32)
    state: TransferState = TransferState.NONE
    data: bytearray = field(default_factory=bytearray)

    def open(self, kind: int, length: int, sha256: bytes, restart: bool) -> None:
        """Begin, or go on where the same set was left."""
        same = (kind, length, sha256) == (self.kind, self.length, self.sha256)
        if same and self.state is not TransferState.NONE and not restart:
            return
        self.handle = (self.handle + 1) & 0xFFFF
        self.kind, self.length, self.sha256 = kind, length, sha256
        self.state = TransferState.OPEN
        self.data.clear()

    def write(self, offset: int, data: bytes) -> None:
        """Take `data` if it is what comes next, and no more than is wanted."""
        if offset == len(self.data) and len(data) <= self.length - offset:
            self.data += data

    def complete(self) -> bool:
        """Return whether all bytes are there and are those announced; starts over if not those."""
        if hashlib.sha256(self.data).digest() == self.sha256:
            self.state = TransferState.COMMITTED
            return True
        self.data.clear()
        return False
