"""Files that a later run reuses only while they hold what was written: a digest lies beside."""

from __future__ import annotations

import hashlib
from pathlib import Path

_SUFFIX = ".sha256"


def digest(path: Path) -> str:
    """Return the sha256 of a file's bytes as hex; OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(path: Path) -> None:
    """Write the digest of a finished file beside it."""
    _beside(path).write_text(digest(path) + "\n", encoding="ascii")


def is_whole(path: Path) -> bool:
    """Say whether a file is there and holds what it held when it was sealed."""
    try:
        return _beside(path).read_text(encoding="ascii").strip() == digest(path)
    except (OSError, ValueError):  # missing, or something else in the digest's place
        return False


def _beside(path: Path) -> Path:
    return path.with_name(path.name + _SUFFIX)
