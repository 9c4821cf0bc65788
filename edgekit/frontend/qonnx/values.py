"""What a name of the source stands for: the one activation, a quantized constant, a constant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import EdgekitError
from edgekit.frontend.lowering import Layer
from edgekit.frontend.onnx.model import Model, Operator
from edgekit.ir.types import Padding

Ints: TypeAlias = NDArray[np.int64]
Real: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Activation:
    """The tensor after so many layers; `shape` as the source gives it, batch axis 1 included."""

    shape: tuple[int, ...]
    layers: int


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """A quantized constant: real = scale * integers, both of one shape."""

    integers: Ints
    scale: Real
    label: str  # the quantizer's

    @property
    def real(self) -> Real:
        """The float32 values, as the quantizer gives them."""
        return np.asarray(self.integers.astype(np.float32) * self.scale)


Value: TypeAlias = Activation | Weights | NDArray[Any]


@dataclass(frozen=True, slots=True)
class Margin:
    """Cells that a Pad puts around an image, for the convolution that reads it."""

    padding: Padding
    value: float
    label: str


class Walk:
    """The layers so far and the value of every name."""

    def __init__(self, model: Model, shape: tuple[int, ...]) -> None:
        self.model = model
        self.layers: list[Layer] = []
        self.values: dict[str, Value] = dict(model.constants)
        self.values[model.input.name] = Activation(shape, 0)
        self.margin: Margin | None = None
        self.scores = ""  # the source's tensor whose largest element is the answer, at the end
        self.before_softmax = ""  # the source's tensor that a softmax at the end reads

    def value(self, operator: Operator, position: int) -> Value:
        """Return the value of an input; UnsupportedError if it is absent."""
        name = operator.input(position)
        if not name:
            raise operator.refuse(f"input {position} is missing")
        return self.values[name]

    def activation(self, operator: Operator, position: int = 0) -> Activation:
        """Return the newest activation, refusing an older one: only chains are read."""
        value = self.value(operator, position)
        if not isinstance(value, Activation):
            raise operator.refuse(f"input {position} is a constant; an activation is wanted")
        if value.layers != len(self.layers):
            raise operator.refuse(
                f"input {position} has another reader, or is joined with another branch",
                hint="a chain of layers is read; models with branches are not",
            )
        if self.margin is not None and operator.kind not in ("Conv", "Pad"):
            raise operator.refuse(f"it reads what {self.margin.label} pads; a Conv may")
        if self.scores and operator.kind != "Identity":
            raise operator.refuse("it follows the end of the model")
        return value

    def constant(self, operator: Operator, position: int) -> NDArray[Any]:
        """Return a constant; a quantized one as the float32 that it stands for."""
        value = self.value(operator, position)
        if isinstance(value, Activation):
            raise operator.refuse(f"input {position} is an activation; a constant is wanted")
        return value.real if isinstance(value, Weights) else value

    def real(self, operator: Operator, position: int) -> Real:
        """Return a finite float32 constant."""
        values = self.constant(operator, position)
        if values.dtype.kind not in "fiu" or not values.size:
            raise operator.refuse(f"input {position} is {values.dtype}; numbers are wanted")
        found = values.astype(np.float32)
        if not np.isfinite(found).all():
            raise operator.refuse(
                f"input {position} ({operator.input(position)[:80]!r}) holds NaN or infinity",
                hint="check the training: the weights diverged",
            )
        return found

    def scalar(self, operator: Operator, position: int) -> float:
        """Return the one number of a constant."""
        values = self.real(operator, position)
        if values.size != 1:
            raise operator.refuse(f"input {position} has {values.size} values; one is wanted")
        return float(values.reshape(-1)[0])

    def add(self, operator: Operator, layer: Layer, shape: tuple[int, ...]) -> None:
        """Append a layer, whose result is the operator's first output."""
        self.layers.append(layer)
        self.define(operator, Activation(shape, len(self.layers)))

    def alter(self, operator: Operator, layer: Layer, shape: tuple[int, ...]) -> None:
        """Replace the last layer by one that includes the operator."""
        self.layers[-1] = layer
        self.define(operator, Activation(shape, len(self.layers)))

    def define(self, operator: Operator, value: Value) -> None:
        """Give the operator's first output its value."""
        if not operator.outputs or not operator.outputs[0]:
            raise operator.refuse("its first output is not used")
        self.values[operator.outputs[0]] = value

    def reshape(self, operator: Operator, value: Activation, shape: tuple[int, ...]) -> None:
        """Define the same elements in the same order under another shape."""
        self.define(operator, replace(value, shape=shape))


def refuse_scales(operator: Operator, scales: Real, what: str) -> EdgekitError:
    """Return the error about scales that differ where one is needed."""
    return operator.refuse(
        f"{what} do not fold: they reach from {float(scales.min()):.9g} to "
        f"{float(scales.max()):.9g}",
        hint="quantize activations with one scale, weights with one for each output channel",
    )
