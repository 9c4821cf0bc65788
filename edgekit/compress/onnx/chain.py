"""A float network while its ONNX operators are read, one after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.compress.floatnet import Floats, Layer, Permute, Shape, View
from edgekit.frontend.onnx.model import Operator
from edgekit.ir.types import HostOp

_CHANNELS_LAST = (0, 2, 3, 1)


@dataclass(slots=True, eq=False)
class Chain:
    """The network so far: its layers, and how the value at its end lies in memory.

    The source's value has `shape` (batch of 1 included); here it is `source.transpose(axes)`.
    """

    constants: dict[str, NDArray[Any]]
    value: str
    shape: Shape
    axes: tuple[int, ...]
    layers: list[Layer] = field(default_factory=list)
    host_ops: tuple[HostOp, ...] = ()

    def lay_out(self, label: str, axes: tuple[int, ...]) -> None:
        """Bring the value into the order `axes` of the source's axes; the batch stays."""
        if axes != self.axes:
            order = tuple(self.axes.index(axis) - 1 for axis in axes[1:])
            self.layers.append(Permute(label, order))
            self.axes = axes

    def constant(self, operator: Operator, position: int) -> NDArray[Any]:
        """Return a constant operand."""
        name = operator.input(position)
        if name not in self.constants:
            raise operator.refuse(f"input {name[:80]!r} is not a constant")
        return self.constants[name]

    def real(self, operator: Operator, position: int) -> Floats:
        """Return a constant operand of finite float32 numbers."""
        array = self.constant(operator, position)
        if array.dtype.kind != "f":
            raise operator.refuse(f"a constant is {array.dtype}; float32 is wanted")
        if not np.isfinite(array).all():
            bad = int((~np.isfinite(array)).sum())
            raise operator.refuse(
                f"its weights hold {bad} NaN or infinite values", hint="train the network again"
            )
        return array.astype(np.float32)


def lay_out_images(chain: Chain, operator: Operator) -> None:
    """Lay (1, C, H, W) or (1, C, W) out as (H, W, C)."""
    if len(chain.shape) == 4:
        chain.lay_out(operator.label, _CHANNELS_LAST)
        return
    if chain.axes != (0, 2, 1):
        chain.lay_out(operator.label, (0, 2, 1))
    _, channels, width = chain.shape
    chain.layers.append(View(operator.label, (1, width, channels)))


def reshape_to(chain: Chain, operator: Operator, shape: Shape) -> None:
    """Give the value a shape in the order of the source."""
    chain.lay_out(operator.label, tuple(range(len(chain.shape))))
    chain.layers.append(View(operator.label, shape[1:]))
    chain.shape, chain.axes = shape, tuple(range(len(shape)))
