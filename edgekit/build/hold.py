"""One process at a time in a directory, without a file of its own to leave behind."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgekit.errors import ConfigError


class InUseError(ConfigError):
    """Another process works in the directory, and what lies in it is that process's."""


@contextmanager
def hold(directory: Path, *, wait: bool) -> Iterator[None]:
    """Keep other processes out of `directory`, which exists; it is free when this process ends.

    With `wait` until it is free; else raises InUseError where another process holds it.
    """
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as exc:
            raise InUseError(
                f"work directory {directory} is in use by another run",
                hint="wait for its end, or choose another directory with --work",
            ) from exc
        yield
    finally:
        os.close(descriptor)
