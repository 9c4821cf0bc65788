"""How long work reports itself: passed in by whoever shows it, silent by default."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives stages and counts; shows them, or not."""

    def stage(self, name: str, total: int | None = None) -> None:
        """Begin a stage of `total` steps (None: unknown)."""
        ...

    def advance(self, done: int) -> None:
        """Say that `done` steps of the current stage are complete."""
        ...


class Silent:
    """Shows nothing."""

    def stage(self, name: str, total: int | None = None) -> None:
        """Ignore."""

    def advance(self, done: int) -> None:
        """Ignore."""
