"""RESIZE_NEAREST_NEIGHBOR."""

from __future__ import annotations

import numpy as np

from edgekit.frontend.tflite.arithmetic import spatial
from edgekit.frontend.tflite.context import Context
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.schema import Options, TensorType
from edgekit.ir.nodes import Node, ResizeNearest

_LARGEST = 4096


def resize_nearest(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate RESIZE_NEAREST_NEIGHBOR; the size is a constant."""
    context.operands(op, 2, 2)
    x = context.activation(op, 0)
    height, width, channels = spatial(context, op, x)
    size = context.constant(op, 1, (TensorType.INT32,)).reshape(-1).tolist()
    if len(size) != 2 or not all(1 <= extent <= _LARGEST for extent in size):
        context.refuse(op, f"size {size} found", f"resize to 1 to {_LARGEST} rows and columns")
    options = context.options(op, Options.RESIZE_NEAREST_NEIGHBOR)
    align, half = (options.integer(field, "B") != 0 for field in (0, 1))
    context.check_shape(op, (*size, channels))
    y = context.result(op)
    context.same_quantization(op, x, y)
    node = ResizeNearest(
        label=op.label,
        x=x.name,
        y=y.name,
        rows=_places(height, size[0], align=align, half=half),
        columns=_places(width, size[1], align=align, half=half),
    )
    return (node,)


def _places(source: int, target: int, *, align: bool, half: bool) -> tuple[int, ...]:
    """Return the input index of each output index (SPEC 4.13), in float32 as the reference."""
    ratio = np.float32(source) / np.float32(target)
    if align and target > 1:
        ratio = np.float32(source - 1) / np.float32(target - 1)
    index = np.arange(target, dtype=np.float32) + np.float32(0.5 if half else 0)
    real = (index * ratio).astype(np.float32).astype(np.float64)
    found = np.floor(real + 0.5) if align else np.floor(real)  # nothing is negative
    return tuple(int(v) for v in np.minimum(found, source - 1))
