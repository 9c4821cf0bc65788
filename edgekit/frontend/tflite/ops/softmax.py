"""SOFTMAX: int8 in the graph, or float behind DEQUANTIZE on the host; LOG_SOFTMAX there only."""

from __future__ import annotations

import math

from edgekit.frontend.tflite.context import Context, HostTensor
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.schema import Options, TensorType
from edgekit.ir.arithmetic import softmax_table
from edgekit.ir.nodes import Node, Softmax
from edgekit.ir.types import DType, HostOp


def softmax(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate SOFTMAX over the last axis; output scale 1/256 and zero point -128."""
    context.operands(op, 1, 1)
    beta = context.options(op, Options.SOFTMAX).float32(0)
    if not (math.isfinite(beta) and beta > 0):
        context.refuse(op, f"beta {beta} found", "use a positive beta")
    behind = context.host.get(op.inputs[0])
    if behind is not None:
        if beta != 1.0:
            context.refuse(op, f"float softmax with beta {beta}", "use beta 1")
        return _on_host(context, op, behind, "softmax")
    x = context.activation(op, 0)
    context.check_shape(op, x.shape)
    y = context.result(op)
    if float(y.scale) != 1 / 256 or y.zero_point != -128:
        context.refuse(
            op,
            f"output scale {y.scale} and zero point {y.zero_point} found, 1/256 and -128 wanted",
            "quantize the model again",
        )
    table = softmax_table(beta, float(x.scale))
    name = context.add_constant(f"n{op.index}_table", table, DType.INT32)
    return (Softmax(label=op.label, x=x.name, y=y.name, table=name),)


def log_softmax(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate LOG_SOFTMAX of floats at the end of the model."""
    context.operands(op, 1, 1)
    behind = context.host.get(op.inputs[0])
    if behind is None:
        context.refuse(
            op,
            "it does not follow the DEQUANTIZE at the end of the model",
            "use SOFTMAX, or end the model with the layer before",
        )
    return _on_host(context, op, behind, "log_softmax")


def _on_host(context: Context, op: Operator, behind: HostTensor, kind: HostOp) -> tuple[Node, ...]:
    tensor = context.info(op, op.outputs[0])
    if behind.ops != ("dequantize",) or tensor.type_code != TensorType.FLOAT32:
        context.refuse(op, f"found after {behind.ops} on the host", "end the model with it")
    context.check_shape(op, context.model.tensors[op.inputs[0]].shape[1:])
    context.produce(op, tensor)
    context.host[tensor.index] = HostTensor(behind.origin, ("dequantize", kind))
    return ()
