"""What Net writes beyond layers: products, functions of one value, joins, 1-D layers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from onnx import TensorProto

KINDS = {"int8": TensorProto.INT8, "uint8": TensorProto.UINT8, "float32": TensorProto.FLOAT}
LOW = {"int8": -128, "uint8": 0}


@dataclass(frozen=True)
class Current:
    """A quantized tensor: its integer name, its dequantized name (QDQ) and its meaning."""

    name: str
    real: str
    shape: tuple[int, ...]
    scale: np.float32
    zero: int
    spread: float  # about the standard deviation of its integers


class Functions:
    """Methods of Net; each makes its result the current tensor."""

    if TYPE_CHECKING:
        current: Current
        form: str
        dtype: str

        def const(self, values: Any, dtype: str | None = None) -> str: ...
        def node(self, kind: str, inputs: list[str], domain: str = "", **more: Any) -> str: ...
        def params(self, current: Current) -> list[str]: ...
        def _scale(self, around: float) -> np.float32: ...
        def _zero(self) -> int: ...
        def _quantized(self, *given: Any) -> Current: ...
        def _moved(self, *given: Any) -> Self: ...
        def _linear(self, *given: Any, **more: Any) -> None: ...

    def sub(self, other: Current) -> Self:
        x = self.current
        spread = np.hypot(float(x.scale) * x.spread, float(other.scale) * other.spread)
        real = self.node("Sub", [x.real, other.real])
        self.current = self._quantized(real, x.shape, self._scale(spread / 45), self._zero(), 45.0)
        return self

    def mul(self, other: Current) -> Self:
        """The other factor has this shape, or (1, C, 1, 1)."""
        x = self.current
        scale = self._scale(float(x.scale * other.scale) * (x.spread * other.spread + 900) / 45)
        y = Current("", "", x.shape, scale, self._zero(), 45.0)
        if self.form == "qdq":
            real = self.node("Mul", [x.real, other.real])
            self.current = self._quantized(real, x.shape, y.scale, y.zero, y.spread)
            return self
        inputs = [x.name, *self.params(x), other.name, *self.params(other), *self.params(y)]
        self.current = replace(y, name=self.node("QLinearMul", inputs, "com.microsoft"))
        return self

    def unary(self, kind: str, low: float, high: float, **attributes: Any) -> Self:
        """A function of single values whose results lie in [low, high]."""
        x = self.current
        scale = self._scale((high - low) / 255)
        zero = LOW[self.dtype] + int(np.clip(round(-low / float(scale)), 0, 255))
        y = Current("", "", x.shape, scale, zero, 60.0)
        if self.form == "qdq":
            real = self.node(kind, [x.real], **attributes)
            self.current = self._quantized(real, x.shape, y.scale, y.zero, y.spread)
            return self
        inputs = [x.name, *self.params(x), *self.params(y)]
        name = self.node(f"QLinear{kind}", inputs, "com.microsoft", **attributes)
        self.current = replace(y, name=name)
        return self

    def concat(self, *others: Current, axis: int = 1, same: bool = False) -> Self:
        parts = [self.current, *others]
        shape = list(parts[0].shape)
        shape[axis] = sum(part.shape[axis] for part in parts)
        first = parts[0]
        y = replace(first, shape=tuple(shape), real="")
        if not same:
            y = replace(y, scale=self._scale(float(first.scale)), zero=self._zero())
        if self.form == "qdq":
            real = self.node("Concat", [part.real for part in parts], axis=axis)
            self.current = self._quantized(real, y.shape, y.scale, y.zero, y.spread)
            return self
        triples = [name for part in parts for name in (part.name, *self.params(part))]
        inputs = [*self.params(y), *triples]
        name = self.node("QLinearConcat", inputs, "com.microsoft", axis=axis)
        self.current = replace(y, name=name)
        return self

    def resize(
        self, height: int, width: int, *, by_scales: bool = False, **attributes: Any
    ) -> Self:
        x = self.current
        sizes = (*x.shape[:2], height, width)
        scales = [s / n for s, n in zip(sizes, x.shape, strict=True)]
        if by_scales:
            inputs = ["", self.const(scales, "float32")]
        else:
            inputs = ["", "", self.const(sizes, "int64")]
        return self._moved("Resize", inputs, sizes, {"mode": "nearest", **attributes})

    def reduce_mean(self, *, keep: bool = True) -> Self:
        x = self.current
        axes = list(range(2, len(x.shape)))
        cells = int(np.prod(x.shape[2:]))
        shape = (*x.shape[:2], *(1 for _ in axes)) if keep else x.shape[:2]
        real = self.node("ReduceMean", [x.real], axes=axes, keepdims=int(keep))
        spread = x.spread / np.sqrt(cells)
        scale = self._scale(float(x.scale) * spread / 40)
        self.current = self._quantized(real, shape, scale, self._zero(), 40.0)
        return self

    def conv1d(
        self,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        pads: tuple[int, int] = (0, 0),
        dilation: int = 1,
        depthwise: bool = False,
    ) -> Self:
        """A convolution over (1, C, W)."""
        _, channels, width = self.current.shape
        outputs = outputs * channels if depthwise else outputs
        weight = (outputs, 1 if depthwise else channels, kernel)
        size = (width + sum(pads) - (kernel - 1) * dilation - 1) // stride + 1
        attributes: dict[str, Any] = {"kernel_shape": [kernel], "strides": [stride]}
        attributes |= {"dilations": [dilation], "pads": pads}
        attributes |= {"group": channels if depthwise else 1}
        shape, fan_in = (1, outputs, size), int(np.prod(weight[1:]))
        self._linear("Conv", shape, weight, 0, outputs, fan_in, True, True, None, **attributes)
        return self

    def max_pool1d(self, kernel: int, stride: int) -> Self:
        x = self.current
        size = (x.shape[2] - kernel) // stride + 1
        attributes = {"kernel_shape": [kernel], "strides": [stride]}
        return self._moved("MaxPool", [], (*x.shape[:2], size), attributes)
