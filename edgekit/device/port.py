"""A byte pipe to a board or meter. The only place where pyserial is imported."""

from __future__ import annotations

from typing import Protocol


class Port(Protocol):
    """A byte pipe; every failure is a DeviceError."""

    name: str

    def write(self, data: bytes) -> None:
        """Write all of `data`."""
        ...

    def read(self, timeout_s: float) -> bytes:
        """Return the bytes that are there, at least one unless `timeout_s` runs out first."""
        ...

    def close(self) -> None:
        """Close; idempotent."""
        ...
