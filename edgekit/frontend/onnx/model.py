"""The parsed file: plain values, checked for consistency with the container only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from numpy.typing import NDArray

from edgekit.errors import UnsupportedError

Attribute: TypeAlias = int | float | str | tuple[int, ...] | tuple[float, ...] | NDArray[Any]
Constants: TypeAlias = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A declared graph input or output; None stands for a symbolic extent."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str  # numpy name, or "onnx type N"

    @property
    def shape_text(self) -> str:
        """The shape as `1x3x32x32`, `?` where symbolic."""
        return "x".join("?" if e is None else str(e) for e in self.shape) or "scalar"


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """One node of the file; an empty input name is an absent optional input."""

    index: int
    kind: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute] = field(repr=False)

    @property
    def label(self) -> str:
        """Operator, place and name, as used in messages and node labels."""
        return f"{self.kind} {self.index}" + (f" ({self.name[:80]})" if self.name else "")

    def input(self, position: int) -> str:
        """Return the name at `position`, empty if absent."""
        return self.inputs[position] if position < len(self.inputs) else ""

    def integer(self, name: str, default: int) -> int:
        """Return an integer attribute."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise self.refuse(f"attribute {name} is not an integer")
        return value

    def integers(self, name: str) -> tuple[int, ...] | None:
        """Return a list of integers, None if the attribute is absent."""
        value = self.attributes.get(name)
        if value is None:
            return None
        if not isinstance(value, tuple) or not all(isinstance(v, int) for v in value):
            raise self.refuse(f"attribute {name} is not a list of integers")
        return tuple(int(v) for v in value)

    def real(self, name: str, default: float) -> float:
        """Return a float attribute."""
        value = self.attributes.get(name, default)
        if not isinstance(value, float):
            raise self.refuse(f"attribute {name} is not a float")
        return value

    def text(self, name: str, default: str) -> str:
        """Return a string attribute."""
        value = self.attributes.get(name, default)
        if not isinstance(value, str):
            raise self.refuse(f"attribute {name} is not a string")
        return value

    def refuse(self, problem: str, hint: str = "") -> UnsupportedError:
        """Return (not raise) the error that names this operator."""
        return UnsupportedError(f"{self.label}: {problem}", hint=hint)


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A bounded, decoded ONNX file with one input and one output."""

    name: str
    sha256: str
    opset: int
    input: TensorInfo
    output: TensorInfo
    operators: tuple[Operator, ...]
    constants: Constants
