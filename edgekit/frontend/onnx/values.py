"""What a name of the source stands for while its operators are turned into nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgekit.frontend.onnx.model import Operator

Order: TypeAlias = NDArray[np.int32]
SourceDType: TypeAlias = Literal["int8", "uint8"]
OFFSET: dict[SourceDType, int] = {"int8": 0, "uint8": 128}  # source integer - graph integer


@dataclass(frozen=True, slots=True)
class Quantization:
    """Affine quantization of a whole tensor, in the source's own integers."""

    scale: np.float32
    zero_point: int
    dtype: SourceDType

    @property
    def offset(self) -> int:
        """Source integer minus graph integer."""
        return OFFSET[self.dtype]

    @property
    def graph_zero(self) -> int:
        """The zero point in graph integers."""
        return self.zero_point - self.offset


@dataclass(frozen=True, slots=True, eq=False)
class Quant:
    """An integer activation.

    `order` has the shape that the source gives the tensor (batch axis included, always 1) and
    holds each element's position in the stored tensor: a transpose or reshape only relabels it.
    `quantization` is None where nothing has said it yet (an integer graph input).
    `name` is the source's integer tensor with these elements, laid out as `shown` (None: as
    `order`), or empty if the source has none. `requantized` is set where the integers come from a
    QuantizeLinear, directly or moved.
    """

    tensor: str
    name: str  # in the source
    order: Order
    dtype: SourceDType
    quantization: Quantization | None
    requantized: bool = False
    shown: Order | None = None

    def named(self, name: str) -> Quant:
        """Return this value as the source's integer tensor `name`."""
        return replace(self, name=name, shown=None)

    def relabelled(self, order: Order) -> Quant:
        """Return the same elements under another shape, not yet an integer tensor of its own."""
        return replace(self, order=order, shown=self.order if self.shown is None else self.shown)

    def gather(self) -> Order:
        """Return, for each element of `order`, its index in the tensor `name`."""
        shown = self.order if self.shown is None else self.shown
        index = np.empty(shown.size, dtype=np.int32)
        index[shown.reshape(-1)] = np.arange(shown.size, dtype=np.int32)
        return np.asarray(index[self.order])


@dataclass(frozen=True, slots=True, eq=False)
class Real:
    """The dequantized form of an integer activation, limited to [low, high].

    `flattened` names a Flatten with no quantizers of its own, which onnxruntime does not move.
    """

    quant: Quant
    quantization: Quantization
    low: float = -np.inf
    high: float = np.inf
    flattened: str = ""

    @property
    def limited(self) -> bool:
        """Whether a ReLU or Clip stands between this and the integers."""
        return bool(self.low > -np.inf or self.high < np.inf)


@dataclass(frozen=True, slots=True, eq=False)
class Weight:
    """A dequantized constant: integers, one scale and zero point, or one each along `axis`."""

    values: NDArray[Any]
    scale: NDArray[np.float32]
    zero_point: NDArray[np.int64]
    axis: int


@dataclass(frozen=True, slots=True, eq=False)
class FloatInput:
    """The float graph input before its quantizer; `order` as in Quant."""

    order: Order


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """The float result of an operator that its quantizer will turn into a node.

    `finish(quantization, low, high)` emits the node; low and high are graph integers.
    """

    operator: Operator
    dtype: SourceDType
    order: Order
    finish: Callable[[Quantization, int, int], Quant]
    low: float = -np.inf
    high: float = np.inf
    clipped: bool = False  # by a Clip, not by a Relu


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """A float value after the last integer tensor, computed on the host."""

    real: Real


Value: TypeAlias = Quant | Real | Weight | FloatInput | Pending | Tail | NDArray[Any]


def limited(value: Real | Pending, low: float, high: float) -> Real | Pending:
    """Return `value` clipped further."""
    return replace(value, low=float(np.clip(value.low, low, high)), high=min(value.high, high))


def shape_text(order: Order) -> str:
    """The shape of a value as `1x3x32x32`."""
    return "x".join(str(extent) for extent in order.shape) or "scalar"
