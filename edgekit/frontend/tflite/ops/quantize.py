"""QUANTIZE and DEQUANTIZE: ends of the model, or a change of scale inside it."""

from __future__ import annotations

import numpy as np

from edgekit.frontend.tflite.arithmetic import requant_of
from edgekit.frontend.tflite.context import Context, HostTensor
from edgekit.frontend.tflite.model import Operator, TensorInfo
from edgekit.frontend.tflite.schema import TensorType
from edgekit.ir.nodes import Node, Requantize

UINT8_OFFSET = 128


def quantize(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate QUANTIZE: float or uint8 model input, int8 to int8, or int8 to uint8 output."""
    context.operands(op, 1, 1)
    source = context.info(op, op.inputs[0])
    target = context.info(op, op.outputs[0])
    if source.type_code in (TensorType.FLOAT32, TensorType.UINT8):
        return _enter(context, op, source)
    x = context.activation(op, 0)
    wide = [tensor.type_code == TensorType.INT16 for tensor in (source, target)]
    if any(wide) and not all(wide):
        context.refuse(
            op,
            "a change between 16-bit activations and others",
            "let every operator write the type that the next one reads",
        )
    if target.type_code == TensorType.UINT8:
        _relabel_uint8(context, op, source, target)
        context.produce(op, target)
        context.host[target.index] = HostTensor(x.index, ())
        return ()
    context.check_shape(op, x.shape)
    y = context.result(op)
    real = np.float64(x.scale) / np.float64(y.scale)
    requant = requant_of(np.asarray([real]), y.zero_point, y.dtype.low, y.dtype.high)
    node = Requantize(
        label=op.label, x=x.name, y=y.name, input_zero_point=x.zero_point, requant=requant
    )
    return (node,)


def dequantize(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate DEQUANTIZE to float at the end of the model; the host does it."""
    context.operands(op, 1, 1)
    x = context.activation(op, 0)
    target = context.info(op, op.outputs[0])
    context.need_type(op, target, TensorType.FLOAT32)
    context.check_shape(op, x.shape)
    context.produce(op, target)
    context.host[target.index] = HostTensor(x.index, ("dequantize",))
    return ()


def _enter(context: Context, op: Operator, source: TensorInfo) -> tuple[Node, ...]:
    if source.index not in context.model.inputs or source.index in context.entry:
        context.refuse(
            op,
            f"tensor {source.name!r} is not an input of the model that is quantized once",
            "keep float operators outside the model; quantize fully to int8",
        )
    y = context.result(op)
    context.check_shape(op, source.shape[1:])
    if source.type_code == TensorType.UINT8:
        _relabel_uint8(context, op, context.model.tensors[y.index], source)
    context.entry[source.index] = y.index
    return ()


def _relabel_uint8(context: Context, op: Operator, signed: TensorInfo, other: TensorInfo) -> None:
    """Refuse uint8 ends that are more than the int8 values moved by 128."""
    scales = context.scales(op, other)
    zero_points = context.zero_points(op, other, 1)
    here = context.quantized(op, signed)
    if (
        other.shape != signed.shape
        or scales.size != 1
        or scales[0] != here.scale
        or zero_points[0] != here.zero_point + UINT8_OFFSET
    ):
        context.refuse(
            op,
            f"uint8 tensor {other.name!r} differs from its int8 form by more than 128",
            "export with int8 inputs and outputs",
        )
