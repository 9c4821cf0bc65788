"""Depths of the buffers between units: what a window spans, and how far a producer runs ahead.

Every FIFO of a folded design is the memory of an ek_sliding_window: words go in at the producer's
pace and leave when the window moves on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgekit.errors import DoesNotFitError
from edgekit.target.fpga.folded.units import Unit, Windows


def size_buffers(units: Sequence[Unit]) -> list[Unit]:
    """Return the units with their buffers' depths in words, powers of two.

    While a window is read, the words that the next one adds come in: a buffer that holds the span
    of a window and its largest move lets neither side wait for the other's pauses, so the slowest
    unit alone sets the interval.
    """
    return [_sized(unit) if isinstance(unit, Windows) else unit for unit in units]


def _sized(unit: Windows) -> Windows:
    needed = unit.least + max(unit.moves)
    return replace(unit, depth=1 << max(1, (needed - 1).bit_length()))


def check_buffers(units: Sequence[Unit]) -> None:
    """Refuse buffers that would stop the stream for ever.

    A window is sent once all its words are in, and words leave when it moves on: a buffer smaller
    than the span is full before its first whole window. Only where the image ends before the
    window does (padding below it) and fits the buffer as a whole does it go on.

    Raises:
        DoesNotFitError: naming the layer, its depth and the least that runs.
    """
    for unit in units:
        if not isinstance(unit, Windows) or unit.depth >= unit.least:
            continue
        room = unit.depth - unit.least + unit.span
        if not (unit.beyond and room + unit.start >= unit.total):
            raise DoesNotFitError(
                f"{unit.label}: a buffer of {unit.depth} words would stop for ever, a window "
                f"spans {unit.least}",
                hint=f"give it at least {unit.least} words",
            )
