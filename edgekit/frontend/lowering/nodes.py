"""The graph under construction: names, tensors, constants and the nodes of a sum."""

from __future__ import annotations

import numpy as np

from edgekit.errors import UnsupportedError
from edgekit.frontend import limits
from edgekit.frontend.lowering.layers import Ints, Weighted
from edgekit.frontend.lowering.sums import Sum
from edgekit.ir.graph import NotCompared
from edgekit.ir.nodes import (
    Conv2D,
    Dense,
    DepthwiseConv2D,
    LowBitConv2D,
    LowBitDense,
    LowBitDepthwiseConv2D,
    Node,
)
from edgekit.ir.types import DType, Requant, Tensor


class Nodes:
    """Collects the nodes of a chain and what they read and write."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.tensors: dict[str, Tensor] = {}
        self.constants: dict[str, Ints] = {}
        self.not_compared: list[NotCompared] = []

    def activation(self, shape: tuple[int, ...], dtype: DType) -> str:
        """Return the name of a new tensor; UnsupportedError if it is out of bounds."""
        name = f"t{len(self.tensors)}" if self.tensors else "input"
        size = int(np.prod(shape, dtype=object))
        if min(shape) < 1 or size > limits.MAX_TENSOR_ELEMENTS:
            raise UnsupportedError(f"an activation of shape {shape} is out of bounds")
        self.tensors[name] = Tensor(name, shape, dtype)
        return name

    def constant(self, stem: str, values: Ints, dtype: DType, label: str) -> str:
        """Return the name of a new constant; UnsupportedError if `dtype` does not hold it."""
        if values.size and (values.min() < dtype.low or values.max() > dtype.high):
            raise UnsupportedError(
                f"{label}: its {stem} reach {values.min()} to {values.max()}; {dtype.name} holds "
                f"{dtype.low} to {dtype.high}",
                hint="make the layer smaller: its sums leave 32 bits",
            )
        name = f"{stem}_{len(self.tensors)}"
        stored = np.array(values, dtype=np.int64, order="C")
        stored.setflags(write=False)
        self.tensors[name] = Tensor(name, stored.shape, dtype)
        self.constants[name] = stored
        return name

    def add_scaled(self, total: Sum, layer: Weighted, y: str, requant: Requant) -> None:
        """Append the node that scales the sums of `total` to 8 bits."""
        label, x, zero_point = layer.label, total.source.tensor, total.source.zero_point
        weight = self.constant("weight", total.weight, total.dtype, label)
        bias = self.constant("bias", total.offset, DType.INT32, label)
        if layer.kind == "dense":
            self.nodes.append(Dense(label, x, y, weight, bias, zero_point, requant))
            return
        node = Conv2D if layer.kind == "conv2d" else DepthwiseConv2D
        self.nodes.append(
            node(
                label=label,
                x=x,
                y=y,
                weight=weight,
                bias=bias,
                stride=layer.stride,
                dilation=layer.dilation,
                padding=layer.padding,
                input_zero_point=zero_point,
                requant=requant,
            )
        )

    def add_sum(
        self, total: Sum, layer: Weighted, y: str, thresholds: str | None, low: int
    ) -> None:
        """Append the low-bit node that computes the sums of `total`."""
        label, x, zero_point = layer.label, total.source.tensor, total.source.zero_point
        weight = self.constant("weight", total.weight, total.dtype, label)
        bias = self.constant("bias", total.offset, DType.INT32, label)
        if layer.kind == "dense":
            self.nodes.append(LowBitDense(label, x, y, weight, bias, zero_point, thresholds, low))
            return
        node = LowBitConv2D if layer.kind == "conv2d" else LowBitDepthwiseConv2D
        self.nodes.append(
            node(
                label=label,
                x=x,
                y=y,
                weight=weight,
                bias=bias,
                stride=layer.stride,
                dilation=layer.dilation,
                padding=layer.padding,
                padding_value=layer.padding_value,
                input_zero_point=zero_point,
                thresholds=thresholds,
                low=low,
            )
        )
