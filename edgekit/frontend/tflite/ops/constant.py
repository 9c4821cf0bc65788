"""Constant operands of elementwise operators."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.frontend.tflite.context import Context
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.schema import TensorType


@dataclass(frozen=True, slots=True, eq=False)
class Constant8:
    """A stored int8 operand with its per-tensor quantization."""

    values: NDArray[np.int64]
    scale: np.float32
    zero_point: int


def is_constant(context: Context, op: Operator, slot: int) -> bool:
    """Say whether input `slot` is stored in the file."""
    index = op.inputs[slot]
    return index >= 0 and context.model.tensors[index].data is not None


def quantized_constant(context: Context, op: Operator, slot: int) -> Constant8:
    """Return input `slot`, a stored int8 tensor with one scale."""
    values = context.constant(op, slot, (TensorType.INT8,))
    tensor = context.info(op, op.inputs[slot])
    scales = context.scales(op, tensor)
    zero_points = context.zero_points(op, tensor, 1)
    if scales.size != 1 or not -128 <= int(zero_points[0]) <= 127:
        context.refuse(
            op,
            f"operand {tensor.name!r} has {scales.size} scales and zero point {zero_points[0]}, "
            "one scale and -128 to 127 are wanted",
            "quantize the model again",
        )
    return Constant8(values, scales[0], int(zero_points[0]))


def channel_constant(
    context: Context, op: Operator, slot: int, shape: tuple[int, ...]
) -> Constant8:
    """Return input `slot`: one value, or one for each channel of `shape`, values (1,) or (C,)."""
    constant = quantized_constant(context, op, slot)
    found = constant.values.shape
    count = constant.values.size
    if count != 1 and not (count == shape[-1] == found[-1] and len(found) <= len(shape) + 1):
        context.refuse(
            op,
            f"operand {slot} is a constant of shape {found}, one value or {shape[-1]} are wanted",
            "fold it into the layer before it, as the converter does for batch normalization",
        )
    return Constant8(constant.values.reshape(-1), constant.scale, constant.zero_point)


def scalar_constant(context: Context, op: Operator, slot: int) -> Constant8:
    """Return input `slot`, a stored int8 tensor of one value."""
    constant = quantized_constant(context, op, slot)
    if constant.values.size != 1:
        context.refuse(
            op,
            f"operand {slot} is a constant of shape {constant.values.shape}, one value is wanted",
            "fold it into the layer before it, as the converter does for batch normalization",
        )
    return Constant8(constant.values.reshape(1), constant.scale, constant.zero_point)
