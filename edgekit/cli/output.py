"""What reaches the user: results on stdout, progress and errors on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edgekit.errors import EdgekitError
from edgekit.progress import Progress, Silent

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

SCHEMA = 1
_WIDTH_OF_A_FILE = 110


def show(renderable: RenderableType) -> None:
    """Print a table or text; colour only on a terminal."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _WIDTH_OF_A_FILE
    Console(file=sys.stdout, width=width, soft_wrap=False).print(renderable)


def say(text: str) -> None:
    """Print plain text as it is."""
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def show_json(value: Mapping[str, Any]) -> None:
    """Print one object."""
    say(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))


def failure_json(kind: str, message: str, hint: str = "") -> dict[str, Any]:
    """Return the object that --json prints when a verb without a report fails."""
    return {"schema": SCHEMA, "error": {"kind": kind, "message": message, "hint": hint}}


def complain(message: str, hint: str = "") -> None:
    """Print an error and what to do; names from model files cannot move the cursor."""
    from edgekit.report.printable import printable

    lines = [f"error: {message}"] + ([f" hint: {hint}"] if hint else [])
    for line in "\n".join(lines).splitlines():
        sys.stderr.write(f"{printable(line)}\n")


def complain_of(error: EdgekitError) -> None:
    """Print `error`."""
    complain(error.message, error.hint)


@contextmanager
def progress() -> Iterator[Progress]:
    """Show stages with time left on stderr; nothing when stderr is no terminal."""
    if not sys.stderr.isatty():
        yield Silent()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    with RichProgress(
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bars:
        stages = _Stages(bars)
        yield stages
        stages.end()


class _Stages:
    """One bar per stage; a stage ends when the next begins."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task: TaskID | None = None

    def stage(self, name: str, total: int | None = None) -> None:
        """Begin a stage of `total` steps (None: unknown)."""
        self.end()
        self._task = self._bars.add_task(name, total=total)

    def advance(self, done: int) -> None:
        """Say that `done` steps of the current stage are complete."""
        if self._task is not None:
            self._bars.update(self._task, completed=done)

    def end(self) -> None:
        """Close the current stage as complete."""
        if self._task is None:
            return
        total = next(t.total for t in self._bars.tasks if t.id == self._task)
        final = 1 if total is None else total
        self._bars.update(self._task, total=final, completed=final)
        self._task = None
