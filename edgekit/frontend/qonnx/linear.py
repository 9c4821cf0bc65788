"""MatMul, Gemm and Conv of an activation with quantized weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from edgekit.frontend.lowering import Weighted
from edgekit.frontend.onnx.model import Operator
from edgekit.frontend.onnx.windows import MAX_PAD, window
from edgekit.frontend.qonnx.quantizers import integer_weights
from edgekit.frontend.qonnx.values import Ints, Real, Walk, Weights, refuse_scales
from edgekit.ir.types import DType, Padding

_TYPES = (DType.BINARY, DType.TERNARY, DType.INT2, DType.INT4, DType.INT8)


def matmul(walk: Walk, operator: Operator) -> None:
    """MatMul of (1, K) with weights (K, N)."""
    value = walk.activation(operator)
    weights = _weights(walk, operator, 1)
    if len(value.shape) != 2 or weights.integers.ndim != 2:
        raise operator.refuse(
            f"shapes {value.shape} and {weights.integers.shape}; (1, K) and (K, N) are wanted"
        )
    turned = replace(weights, integers=weights.integers.T, scale=weights.scale.T)
    _dense(walk, operator, turned, None)


def gemm(walk: Walk, operator: Operator) -> None:
    """Gemm: (1, K) with weights (K, N), or (N, K) with transB, and a bias."""
    value = walk.activation(operator)
    weights = _weights(walk, operator, 1)
    if operator.real("alpha", 1.0) != 1 or operator.real("beta", 1.0) != 1:
        raise operator.refuse("alpha and beta other than 1 are not supported")
    if len(value.shape) != 2 or weights.integers.ndim != 2 or operator.integer("transA", 0):
        raise operator.refuse(
            f"shapes {value.shape} and {weights.integers.shape}; (1, K) and two axes are wanted"
        )
    if not operator.integer("transB", 0):
        weights = replace(weights, integers=weights.integers.T, scale=weights.scale.T)
    bias = walk.real(operator, 2).reshape(-1) if operator.input(2) else None
    _dense(walk, operator, weights, bias)


def conv(walk: Walk, operator: Operator) -> None:
    """Conv of (1, C, H, W) or (1, C, L): of all channels, or of each by itself (depthwise)."""
    value = walk.activation(operator)
    weights = _weights(walk, operator, 1)
    rank, group = len(value.shape), operator.integer("group", 1)
    integers = weights.integers
    if rank not in (3, 4) or integers.ndim != rank:
        raise operator.refuse(
            f"shapes {value.shape} and {integers.shape}; (1, C, H, W) or (1, C, L) is wanted"
        )
    channels, deep = integers.shape[0], integers.shape[1]
    if group not in (1, value.shape[1]) or deep * group != value.shape[1] or channels % group:
        raise operator.refuse(
            f"{group} groups, {value.shape[1]} channels and weights {integers.shape}; one group, "
            "or one for each channel, is wanted"
        )
    kernel = integers.shape[2:] if rank == 4 else (1, integers.shape[2])
    declared = operator.integers("kernel_shape")
    if declared is not None and declared != integers.shape[2:]:
        raise operator.refuse(f"kernel_shape {declared} and weights {integers.shape}")
    padding, cell = _margin(walk, operator)
    found = window(operator, value.shape, (kernel[0], kernel[1]))
    padding = _joined(operator, found.padding, padding, cell)
    scale = _row_scales(operator, weights)
    shaped = integers.reshape(channels, deep, *kernel)
    depthwise = group > 1
    layer = Weighted(
        label=operator.label,
        kind="depthwise" if depthwise else "conv2d",
        weight=shaped[:, 0].transpose(1, 2, 0) if depthwise else shaped.transpose(0, 2, 3, 1),
        dtype=_type(operator, integers),
        scale=scale,
        bias=_bias(walk, operator, channels),
        stride=found.stride,
        dilation=found.dilation,
        padding=padding,
        padding_value=cell,
    )
    spatial = found.output if rank == 4 else found.output[1:]
    walk.add(operator, layer, (1, channels, *spatial))


def _dense(walk: Walk, operator: Operator, weights: Weights, bias: Real | None) -> None:
    value = walk.activation(operator)
    integers = weights.integers
    rows, columns = integers.shape
    if columns != value.shape[1]:
        raise operator.refuse(f"weights of {columns} inputs for {value.shape[1]} features")
    if bias is not None and bias.size not in (1, rows):
        raise operator.refuse(f"its bias has {bias.size} values; {rows} are wanted")
    kind: Literal["dense"] = "dense"
    layer = Weighted(
        label=operator.label,
        kind=kind,
        weight=np.ascontiguousarray(integers),
        dtype=_type(operator, integers),
        scale=_row_scales(operator, weights),
        bias=None if bias is None else np.broadcast_to(bias, (rows,)),
    )
    walk.add(operator, layer, (1, rows))


def _weights(walk: Walk, operator: Operator, position: int) -> Weights:
    value = walk.value(operator, position)
    if isinstance(value, Weights):
        return value
    return integer_weights(operator, walk.constant(operator, position))


def _row_scales(operator: Operator, weights: Weights) -> Real:
    """Return one scale for each index of the first axis."""
    rows = weights.scale.reshape(weights.scale.shape[0], -1)
    if not rows.size or (rows != rows[:, :1]).any():
        raise refuse_scales(operator, weights.scale, f"the scales of {weights.label}")
    return np.ascontiguousarray(rows[:, 0])


def _type(operator: Operator, integers: Ints) -> DType:
    """Return the narrowest type that holds the weights."""
    least, most = int(integers.min()), int(integers.max())
    for dtype in _TYPES:
        if (
            dtype.low <= least
            and most <= dtype.high
            and (dtype is not DType.BINARY or integers.all())
        ):
            return dtype
    raise operator.refuse(f"weights from {least} to {most}; at most 8 signed bits are supported")


def _bias(walk: Walk, operator: Operator, channels: int) -> Real | None:
    if not operator.input(2):
        return None
    bias = walk.real(operator, 2).reshape(-1)
    if bias.size != channels:
        raise operator.refuse(f"its bias has {bias.size} values; {channels} are wanted")
    return bias


def _margin(walk: Walk, operator: Operator) -> tuple[Padding, int]:
    """Return the cells that a Pad in front has added to the shape, and their value."""
    margin, walk.margin = walk.margin, None
    if margin is None:
        return Padding(), 0
    if margin.value not in (-1.0, 0.0, 1.0):
        raise operator.refuse(f"{margin.label} before it pads with {margin.value:.9g}; 0 is wanted")
    return margin.padding, int(margin.value)


def _joined(operator: Operator, own: Padding, before: Padding, cell: int) -> Padding:
    if cell and own != Padding():
        raise operator.refuse("it pads with 0 what a Pad before it pads with another value")
    joined = Padding(
        own.top + before.top,
        own.left + before.left,
        own.bottom + before.bottom,
        own.right + before.right,
    )
    if max(joined.top, joined.left, joined.bottom, joined.right) > MAX_PAD:
        raise operator.refuse(f"it pads more than {MAX_PAD} cells")
    return joined
