"""Typed access to one object of a Keras configuration; what is wrong is said with its place."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.errors import UnsupportedError
from edgekit.frontend.limits import MAX_EXTENT


@dataclass(frozen=True, slots=True)
class Fields:
    """Values by name; `label` says whose they are: class and name of the layer."""

    label: str
    values: Mapping[str, Any]

    def refuse(self, problem: str, hint: str = "") -> UnsupportedError:
        """Return (not raise) the error that names this layer or quantizer."""
        return UnsupportedError(f"{self.label}: {problem}", hint=hint)

    def only(self, known: Collection[str]) -> None:
        """Refuse a setting whose meaning is not known."""
        unknown = sorted(set(self.values) - set(known))
        if unknown:
            raise self.refuse(f"setting {unknown[0][:60]} is not known")

    def get(self, name: str) -> Any:  # noqa: ANN401 - JSON
        """Return the value as it is, None if absent."""
        return self.values.get(name)

    def integer(self, name: str, default: int) -> int:
        """Return a whole number; Keras writes some of them as 1.0 or true."""
        value = self.values.get(name, default)
        number = isinstance(value, int | float) and math.isfinite(value)
        if not number or value != int(value) or abs(value) > MAX_EXTENT:
            raise self.refuse(f"{name} is {_shown(value)}, a whole number is wanted")
        return int(value)

    def real(self, name: str, default: float) -> float:
        """Return a finite number."""
        value = self.values.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refuse(f"{name} is {_shown(value)}, a number is wanted")
        # An integer of hundreds of digits is no float.
        if abs(value) > 2**127 or not math.isfinite(value):
            raise self.refuse(f"{name} is {_shown(value)}, a finite number is wanted")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        """Return a truth value; 0 and 1 will do."""
        value = self.values.get(name, default)
        if not isinstance(value, bool) and value not in (0, 1):
            raise self.refuse(f"{name} is {_shown(value)}, true or false is wanted")
        return bool(value)

    def text(self, name: str, default: str) -> str:
        """Return a text."""
        value = self.values.get(name, default)
        if not isinstance(value, str):
            raise self.refuse(f"{name} is {_shown(value)}, a text is wanted")
        return value

    def extents(self, name: str, count: int, default: tuple[int, ...]) -> tuple[int, ...]:
        """Return `count` positive whole numbers; one number stands for all of them."""
        value = self.values.get(name)
        if value is None:
            return default
        listed = [value] * count if isinstance(value, int) else value
        if not isinstance(listed, list) or len(listed) != count:
            raise self.refuse(f"{name} is {_shown(value)}, {count} numbers are wanted")
        for extent in listed:
            if isinstance(extent, bool) or not isinstance(extent, int):
                raise self.refuse(f"{name} is {_shown(value)}, whole numbers are wanted")
            if not 1 <= extent <= MAX_EXTENT:
                raise self.refuse(f"{name} is {_shown(value)}, 1 to {MAX_EXTENT} is wanted")
        return tuple(listed)


def _shown(value: object) -> str:
    text = str(value) if not isinstance(value, int) else f"{value:.6g}"
    return text if len(text) <= 60 else f"{text[:60]}..."
