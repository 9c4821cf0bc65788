"""Depths of the buffers: what a window spans, and how far the producer may run ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgekit.errors import DoesNotFitError
from edgekit.target.fpga.folded.units import Unit, Windows


def size_buffers(units: Sequence[Unit]) -> list[Unit]:
    """Return the units with depths: the next power of two that lets nobody wait for long.

    While a window is read, the words that the next one adds should come in: the buffer holds the
    span of a window and its largest move.
    """
    return [_sized(unit) if isinstance(unit, Windows) else unit for unit in units]


def _sized(unit: Windows) -> Windows:
    needed = unit.span + max(unit.moves)
    return replace(unit, depth=1 << max(1, (needed - 1).bit_length()))


def check_buffers(units: Sequence[Unit]) -> None:
    """Refuse buffers that would stop the stream for ever.

    A window is sent once all its words are in, and words leave when it moves on: a buffer smaller
    than the span is full before its first whole window, unless the whole image ends before.

    Raises:
        DoesNotFitError: naming the layer, its depth and the least that runs.
    """
    for unit in units:
        if isinstance(unit, Windows) and unit.depth < unit.span:
            raise DoesNotFitError(
                f"{unit.label}: a buffer of {unit.depth} words would stop for ever, a window "
                f"spans {unit.span}",
                hint=f"give it at least {unit.span} words",
            )
