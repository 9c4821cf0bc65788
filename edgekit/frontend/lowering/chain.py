"""The walk along a chain of layers: what is pending, and when it becomes nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

import numpy as np

from edgekit.errors import EdgekitError, UnsupportedError
from edgekit.frontend.lowering.layers import (
    NO_PADDING,
    AveragePool,
    Elementwise,
    Flatten,
    Ints,
    Layer,
    MaxPool,
    Quantizer,
    Softmax,
    Weighted,
)
from edgekit.frontend.lowering.nodes import Nodes
from edgekit.frontend.lowering.requants import requant_of
from edgekit.frontend.lowering.scores import linear_scale
from edgekit.frontend.lowering.steps import fold
from edgekit.frontend.lowering.sums import (
    Stored,
    Sum,
    holding,
    of_activation,
    of_layer,
    reads_reversed,
)
from edgekit.ir import nodes as ir
from edgekit.ir.geometry import window_shape
from edgekit.ir.graph import NotCompared
from edgekit.ir.types import DType, Padding


class Chain:
    """An activation, or a sum that waits for its quantizer, and the nodes so far."""

    def __init__(self, built: Nodes, start: Stored) -> None:
        self.built = built
        self.state: Stored | Sum = start
        self.softmax: Softmax | None = None

    def add(self, layer: Layer) -> None:
        """Append one layer.

        Raises:
            UnsupportedError: the layer has no exact integer meaning here; names it.
        """
        if self.softmax is not None:
            raise UnsupportedError(
                f"{layer.label}: it follows a softmax", hint="a softmax ends the model"
            )
        match layer:
            case Weighted():
                stored = self._stored(layer)
                if not reads_reversed(stored, layer):
                    self.state = self._upright(stored, layer)
                self.state = of_layer(self._stored(layer), layer, self._shape_after(layer))
            case Elementwise():
                self.state = self._sum(layer).then(layer)
            case Quantizer():
                self._quantize(self._sum(layer), layer)
            case MaxPool():
                self._max_pool(layer)
            case AveragePool():
                self._average_pool(layer)
            case Flatten():
                self._flatten(layer)
            case Softmax():
                self.softmax = layer
            case _:
                assert_never(layer)

    def _sum(self, layer: Layer) -> Sum:
        if isinstance(self.state, Sum):
            return self.state
        if self.state.places is not None and self.state.shape[:-1] != (1, 1):
            raise _refuse(layer, "it stands between a Flatten and a dense layer")
        return of_activation(self._upright(self.state, layer))

    def _upright(self, source: Stored, layer: Layer) -> Stored:
        """Return the activation with no reversed channels: where there are, one more node.

        q = low + high - s where s is stored reversed: a weight of -1 for each such channel.
        """
        flipped = source.flipped
        if not flipped.any():
            return source
        if len(source.shape) != 3:
            raise _refuse(layer, "it follows an activation whose order is reversed")
        label = f"{layer.label}: order"
        sign = np.where(flipped, -1, 1).astype(np.int64).reshape(1, 1, -1)
        offset = np.where(flipped, source.low + source.high, 0).astype(np.int64)
        step = 2 if source.dtype is DType.BINARY else 1
        row = np.arange(source.low + 1, source.high + 1, step, dtype=np.int64)
        rows = np.tile(row, (flipped.size, 1))
        y = self.built.activation(source.shape, source.dtype)
        self.built.nodes.append(
            ir.LowBitDepthwiseConv2D(
                label=label,
                x=source.tensor,
                y=y,
                weight=self.built.constant("weight", sign, DType.BINARY, label),
                bias=self.built.constant("bias", offset, DType.INT32, label),
                stride=(1, 1),
                dilation=(1, 1),
                padding=NO_PADDING,
                padding_value=0,
                input_zero_point=0,
                thresholds=self.built.constant("thresholds", rows, DType.INT32, label),
                low=source.low,
            )
        )
        return replace(source, tensor=y, flipped=np.zeros_like(flipped))

    def _stored(self, layer: Layer) -> Stored:
        """Return the activation that `layer` reads; sums without a quantizer become one."""
        if isinstance(self.state, Stored):
            return self.state
        total = self.state
        if total.layer is None or total.pool is not None:
            raise _refuse(layer, "there is no quantizer between it and the layer before")
        scale = linear_scale(total, layer.label)
        dtype = DType.INT16 if _fits(total, DType.INT16) else DType.INT32
        if dtype is DType.INT32:
            raise _refuse(layer, "it reads sums that 16 bits do not hold")
        y = self.built.activation(total.shape, dtype)
        self.built.add_sum(total, total.layer, y, None, 0)
        low, high = int(total.low.min()), int(total.high.max())
        keep = np.zeros(total.channels, bool)
        self.state = Stored(y, total.shape, dtype, low, high, scale, 0, keep)
        return self.state

    def _shape_after(self, layer: Weighted) -> tuple[int, ...]:
        shape = self._stored(layer).shape
        if layer.kind == "dense":
            if layer.weight.shape[1] != int(np.prod(shape)):
                raise _refuse(layer, f"its weights {layer.weight.shape} do not fit {shape}")
            return (layer.weight.shape[0],)
        if len(shape) != 3:
            raise _refuse(layer, f"its input has shape {shape}; (H, W, C) is wanted")
        if layer.kind == "conv2d":
            channels, kernel, deep = layer.weight.shape[0], layer.weight.shape[1:3], shape[2]
            fits = layer.weight.shape[3] == deep
        else:
            channels, kernel = layer.weight.shape[2], layer.weight.shape[:2]
            fits = channels % shape[2] == 0
        height, width = window_shape(
            (shape[0], shape[1]),
            (kernel[0], kernel[1]),
            layer.stride,
            layer.dilation,
            layer.padding,
        )
        if not fits or min(height, width) < 1:
            raise _refuse(layer, f"its weights {layer.weight.shape} do not fit {shape}")
        return (height, width, channels)

    def _quantize(self, total: Sum, quantizer: Quantizer) -> None:
        steps = fold(total, quantizer)
        if steps.doubtful:
            reason = (
                f"{steps.doubtful} sums lie so near a threshold of {quantizer.label} that the "
                "source's float32 rounding, which depends on its order of summation, decides"
            )
            self.built.not_compared.append(NotCompared(quantizer.label, reason))
        rows = steps.thresholds
        scaled = requant_of(total, quantizer, steps)
        y = self.built.activation(total.shape, quantizer.dtype)
        if total.layer is not None and scaled is not None:
            turned = negated(total, steps.rows)
            turned = replace(turned, offset=turned.offset + scaled[1])
            self.built.add_scaled(turned, total.layer, y, scaled[0])
        elif total.layer is None:
            rows = rows[:1] if (rows == rows[0]).all() else rows
            name = self.built.constant("thresholds", rows, DType.INT32, quantizer.label)
            node = ir.Threshold(quantizer.label, total.source.tensor, y, name, quantizer.low)
            self.built.nodes.append(node)
        else:
            name = self.built.constant("thresholds", rows, DType.INT32, quantizer.label)
            turned = negated(total, steps.rows)
            self.built.add_sum(turned, total.layer, y, name, quantizer.low)
        self.state = Stored(
            tensor=y,
            shape=total.shape,
            dtype=quantizer.dtype,
            low=quantizer.low,
            high=quantizer.high,
            scale=quantizer.scale,
            zero_point=quantizer.zero_point,
            flipped=steps.flipped,
        )
        if total.pool is not None:
            self._pooled(self.state, total.pool)

    def _max_pool(self, layer: MaxPool) -> None:
        if isinstance(self.state, Stored):
            self._pooled(self._upright(self.state, layer), layer)
        elif self.state.pool is not None:
            raise _refuse(layer, "there is no quantizer between two max-pools")
        else:
            _pool_shape(layer, self.state.shape, layer.padding)
            self.state = replace(self.state, pool=layer)

    def _pooled(self, source: Stored, layer: MaxPool) -> None:
        shape = _pool_shape(layer, source.shape, layer.padding)
        y = self.built.activation(shape, source.dtype)
        self.built.nodes.append(
            ir.MaxPool(
                label=layer.label,
                x=source.tensor,
                y=y,
                kernel=layer.kernel,
                stride=layer.stride,
                padding=layer.padding,
                low=source.low,
                high=source.high,
            )
        )
        self.state = replace(source, tensor=y, shape=shape)

    def _average_pool(self, layer: AveragePool) -> None:
        source = self._stored(layer)
        _pool_shape(layer, source.shape, NO_PADDING)
        ones = np.ones((*layer.kernel, source.shape[-1]), np.int64)
        scale = np.ones(1, np.float32)
        self.add(Weighted(layer.label, "depthwise", ones, DType.BINARY, scale, stride=layer.stride))
        cells = np.float32(layer.kernel[0] * layer.kernel[1])
        self.add(Elementwise(layer.label, lambda values: values / cells))

    def _flatten(self, layer: Flatten) -> None:
        shape = self.state.shape
        if len(shape) == 1 or shape[:-1] == (1, 1):
            return
        if isinstance(self.state, Sum):
            raise _refuse(layer, "it stands between a layer and its quantizer")
        if self.state.places is not None:
            return
        order = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)
        places = order.transpose(2, 0, 1) if layer.channels_first else order
        self.state = replace(self.state, places=places.reshape(-1))


def negated(total: Sum, rows: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Sum:
    """Return the sum with the weights of `rows` negated, in a type that holds them."""
    if total.layer is None or not rows.any():
        return total
    sign: Ints = np.where(rows, -1, 1)
    shape = (-1,) if total.layer.kind == "depthwise" else (-1, *(1,) * (total.weight.ndim - 1))
    weight = total.weight * sign.reshape(shape)
    dtype = holding(weight, total.layer)
    return replace(total, weight=weight, offset=total.offset * sign, dtype=dtype)


def _fits(total: Sum, dtype: DType) -> bool:
    return bool(dtype.low <= total.low.min() and total.high.max() <= dtype.high)


def _pool_shape(
    layer: MaxPool | AveragePool, shape: tuple[int, ...], padding: Padding
) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise _refuse(layer, f"its input has shape {shape}; (H, W, C) is wanted")
    size = window_shape((shape[0], shape[1]), layer.kernel, layer.stride, (1, 1), padding)
    if min(size) < 1:
        raise _refuse(layer, f"its window {layer.kernel} does not fit {shape}")
    return (*size, shape[2])


def _refuse(layer: Layer, problem: str) -> EdgekitError:
    return UnsupportedError(
        f"{layer.label}: {problem}",
        hint="a chain of layers is read: weights, batch norm, quantizer, and so on",
    )
