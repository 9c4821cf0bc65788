"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR."""

from __future__ import annotations

import numpy as np

from edgekit.frontend.tflite.arithmetic import spatial
from edgekit.frontend.tflite.context import ActivationTensor, Context
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.schema import Options, TensorType
from edgekit.ir.nodes import Node, ResizeBilinear, ResizeNearest

_LARGEST = 4096


def resize_nearest(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate RESIZE_NEAREST_NEIGHBOR; the size is a constant."""
    x, y, size, (align, half) = _operands(context, op, Options.RESIZE_NEAREST_NEIGHBOR, 0)
    rows, columns = (
        _places(source, target, align=align, half=half)
        for source, target in zip(x.shape, size, strict=False)
    )
    return (ResizeNearest(label=op.label, x=x.name, y=y.name, rows=rows, columns=columns),)


def resize_bilinear(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate RESIZE_BILINEAR, which the reference computes in integers of 1/1024."""
    x, y, size, (align, half) = _operands(context, op, Options.RESIZE_BILINEAR, 2)
    rows, columns = (
        _between(context, op, source, target, align=align, half=half)
        for source, target in zip(x.shape, size, strict=False)
    )
    return (ResizeBilinear(label=op.label, x=x.name, y=y.name, rows=rows, columns=columns),)


def _operands(
    context: Context, op: Operator, kind: Options, field: int
) -> tuple[ActivationTensor, ActivationTensor, list[int], tuple[bool, bool]]:
    """Return input, output, size, and whether corners are aligned and centers half a pixel."""
    context.operands(op, 2, 2)
    x = context.activation(op, 0)
    _, _, channels = spatial(context, op, x)
    size = context.constant(op, 1, (TensorType.INT32,)).reshape(-1).tolist()
    if len(size) != 2 or not all(1 <= extent <= _LARGEST for extent in size):
        context.refuse(op, f"size {size} found", f"resize to 1 to {_LARGEST} rows and columns")
    options = context.options(op, kind)
    align, half = (options.integer(field + k, "B") != 0 for k in (0, 1))
    context.check_shape(op, (*size, channels))
    y = context.result(op)
    context.same_quantization(op, x, y)
    return x, y, size, (align, half)


def _places(source: int, target: int, *, align: bool, half: bool) -> tuple[int, ...]:
    """Return the input index of each output index (SPEC 4.13), in float32 as the reference."""
    ratio = np.float32(source) / np.float32(target)
    if align and target > 1:
        ratio = np.float32(source - 1) / np.float32(target - 1)
    index = np.arange(target, dtype=np.float32) + np.float32(0.5 if half else 0)
    real = (index * ratio).astype(np.float32).astype(np.float64)
    found = np.floor(real + 0.5) if align else np.floor(real)  # nothing is negative
    return tuple(int(v) for v in np.minimum(found, source - 1))


def _between(
    context: Context, op: Operator, source: int, target: int, *, align: bool, half: bool
) -> tuple[tuple[int, int, int], ...]:
    """Return (first, second, share of the second) of each output index (SPEC 4.14)."""
    ratio = (1024 * source + target // 2) // target
    if align and target > 1:
        ratio = (1024 * (source - 1) + (target - 1) // 2) // (target - 1)
    places = []
    for index in range(target):
        scaled = index * ratio + (ratio // 2 - 512 if half else 0)
        first = max(scaled, 0) // 1024
        second = min((scaled + 1023) // 1024, source - 1)
        if first > second:
            context.refuse(
                op, f"{source} pixels become {target}: index {first} is read", "resize by less"
            )
        places.append((first, second, scaled - 1024 * first if first != second else 0))
    return tuple(places)
