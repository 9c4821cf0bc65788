"""The parsed file: plain values, checked for consistency with the container only."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgekit.frontend.tflite.flatbuffer import Table


@dataclass(frozen=True, slots=True, eq=False)
class Quantization:
    """Affine quantization as stored (views of the file); no scales where a tensor has none."""

    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    dimension: int = 0
    custom: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class TensorInfo:
    """One tensor of the file; `shape` includes the batch axis; `data` is None for activations."""

    index: int
    name: str
    shape: tuple[int, ...]
    type_code: int
    quantization: Quantization
    dynamic: bool
    variable: bool
    sparse: bool
    data: NDArray[np.uint8] | None = field(repr=False)

    @property
    def shape_text(self) -> str:
        """The shape as `1x49x10x1`."""
        return "x".join(str(extent) for extent in self.shape) or "scalar"


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of the file; an input index of -1 is an absent optional input."""

    index: int
    code: int
    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options_type: int
    options: Table | None

    @property
    def label(self) -> str:
        """Name and place, as used in messages and node labels."""
        return f"{self.name} {self.index}"


@dataclass(frozen=True, slots=True)
class Model:
    """The only subgraph of the file."""

    tensors: tuple[TensorInfo, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
