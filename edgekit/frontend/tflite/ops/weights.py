"""Weights and biases shared by convolutions and fully connected layers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.frontend.tflite.context import Context
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.schema import TensorType
from edgekit.ir.types import DType


def weight_scales(context: Context, op: Operator, channels: int, axis: int) -> NDArray[np.float32]:
    """Return the scales of filter input 1: one, or one per output channel along `axis`.

    Filter zero points must be 0: the reference convolution ignores them.
    """
    tensor = context.info(op, op.inputs[1])
    scales = channel_scales(context, op, channels, axis)
    if context.zero_points(op, tensor, scales.size).any():
        context.refuse(
            op,
            f"filter {tensor.name!r} has a zero point other than 0",
            "quantize weights symmetrically",
        )
    return scales


def channel_scales(context: Context, op: Operator, channels: int, axis: int) -> NDArray[np.float32]:
    """Return the scales of filter input 1: one, or one per output channel along `axis`."""
    tensor = context.info(op, op.inputs[1])
    scales = context.scales(op, tensor)
    dimension = tensor.quantization.dimension
    if scales.size != 1 and (scales.size != channels or dimension != axis):
        context.refuse(
            op,
            f"filter {tensor.name!r} has {scales.size} scales along axis {dimension}, "
            f"1 or {channels} along axis {axis} are wanted",
            "quantize weights per tensor or per output channel",
        )
    return scales


def bias_of(context: Context, op: Operator, slot: int, channels: int) -> str:
    """Add the bias of input `slot` (zeros where absent) and return the constant's name."""
    name = f"n{op.index}_bias"
    if len(op.inputs) <= slot or op.inputs[slot] < 0:
        return context.add_constant(name, np.zeros(channels, np.int64), DType.INT32)
    wide = context.model.tensors[op.inputs[0]].type_code == TensorType.INT16
    values = context.constant(op, slot, (TensorType.INT64 if wide else TensorType.INT32,))
    tensor = context.info(op, op.inputs[slot])
    quantization = tensor.quantization
    zeros = quantization.zero_points
    if values.shape != (channels,) or zeros.any() or zeros.size != quantization.scales.size:
        context.refuse(
            op,
            f"bias {tensor.name!r} has shape {values.shape} and zero points "
            f"{zeros[:4].tolist()}, ({channels},) and 0 for each scale are wanted",
            "quantize the model again",
        )
    if np.abs(values).max() >= 1 << 31:
        context.refuse(
            op,
            f"bias {tensor.name!r} reaches {np.abs(values).max()}, 32 bits are wanted",
            "quantize the model again",
        )
    return context.add_constant(name, values, DType.INT32)
