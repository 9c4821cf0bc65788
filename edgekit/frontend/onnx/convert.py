"""From decoded operators to a Graph: the table of operators and the two edges."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from edgekit.errors import UnsupportedError
from edgekit.frontend.onnx import (
    elementwise,
    join,
    layout,
    linear,
    pooling,
    quantize,
    shapes,
    unary,
)
from edgekit.frontend.onnx.builder import INPUT, Builder
from edgekit.frontend.onnx.model import Model, Operator
from edgekit.frontend.onnx.values import (
    FloatInput,
    Order,
    Pending,
    Quant,
    Quantization,
    Real,
    SourceDType,
    Tail,
    Value,
)
from edgekit.ir.check import is_name
from edgekit.ir.graph import Graph, Source
from edgekit.ir.types import DType, Edge, HostOp, Tensor

Lower = Callable[[Builder, Operator], None]
EdgeDType = Literal["float32", "int8", "uint8"]

_OPERATORS: Mapping[str, Lower] = {
    "QuantizeLinear": quantize.quantize_linear,
    "DequantizeLinear": quantize.dequantize_linear,
    "Relu": quantize.relu,
    "Clip": quantize.clip,
    "Softmax": quantize.softmax,
    "Identity": shapes.identity,
    "Reshape": shapes.reshape,
    "Flatten": shapes.flatten,
    "Squeeze": shapes.squeeze,
    "Unsqueeze": shapes.unsqueeze,
    "Transpose": shapes.transpose,
    "Pad": shapes.pad,
    "Conv": linear.conv,
    "Gemm": linear.gemm,
    "MatMul": linear.matmul,
    "Add": elementwise.add,
    "Sub": elementwise.sub,
    "Mul": elementwise.mul,
    "Sigmoid": unary.sigmoid,
    "Tanh": unary.tanh,
    "LeakyRelu": unary.leaky_relu,
    "HardSigmoid": unary.hard_sigmoid,
    "HardSwish": unary.hard_swish,
    "Neg": unary.negative,
    "Abs": unary.absolute,
    "Concat": join.concat,
    "Resize": join.resize,
    "ReduceMean": pooling.reduce_mean,
    "AveragePool": pooling.average_pool,
    "GlobalAveragePool": pooling.global_average_pool,
    "MaxPool": pooling.max_pool,
    "QLinearConv": linear.qlinear_conv,
    "QLinearMatMul": linear.qlinear_matmul,
}
_MICROSOFT: Mapping[str, Lower] = {
    "QuantizeLinear": quantize.quantize_linear,
    "DequantizeLinear": quantize.dequantize_linear,
    "QGemm": linear.qgemm,
    "QLinearAdd": elementwise.qlinear_add,
    "QLinearConcat": join.qlinear_concat,
    "QLinearLeakyRelu": unary.qlinear_leaky_relu,
    "QLinearMul": elementwise.qlinear_mul,
    "QLinearSigmoid": unary.qlinear_sigmoid,
    "QLinearAveragePool": pooling.qlinear_average_pool,
    "QLinearGlobalAveragePool": pooling.qlinear_global_average_pool,
    "QLinearSoftmax": quantize.qlinear_softmax,
}
_TABLES = {"": _OPERATORS, "com.microsoft": _MICROSOFT}


def convert(model: Model) -> Graph:
    """Return the integer graph of a decoded model; UnsupportedError names what has no meaning."""
    builder, value = _lowered(model)
    if not builder.nodes:
        raise UnsupportedError("the model computes nothing in integers")
    output = _output(builder, value)
    entry = builder.input_quantization or _plain(builder)
    return Graph(
        name=_identifier(model.name),
        source=Source(_format(model), "onnxruntime", model.sha256),
        inputs=(_input_edge(builder, entry),),
        outputs=(output,),
        nodes=tuple(builder.nodes),
        tensors=builder.tensors,
        constants=builder.constants,
        not_compared=tuple(builder.not_compared),
    )


def last_integer(model: Model) -> tuple[str, Order]:
    """Return the name of the last integer tensor and, in the output's shape, indices into it."""
    _, value = _lowered(model)
    quant = _final(value)[0]
    return quant.name, quant.gather()


def _lowered(model: Model) -> tuple[Builder, Value]:
    builder = Builder(model)
    builder.values[model.input.name] = _input(builder, model)
    for operator in model.operators:
        _refuse_float_reader(builder, operator)
        lower = _TABLES[operator.domain].get(operator.kind)
        if lower is None:
            raise operator.refuse(
                f"operator {operator.kind} is not supported{_shape(builder, operator)}",
                hint="supported: " + ", ".join(sorted({*_OPERATORS, *_MICROSOFT})),
            )
        lower(builder, operator)
    return builder, builder.values[model.output.name]


def _input(builder: Builder, model: Model) -> Value:
    order = layout.rows(builder.input_shape)
    if model.input.dtype == "float32":
        return FloatInput(order)
    builder.tensors[INPUT] = Tensor(INPUT, builder.input_shape[1:], DType.INT8)
    if model.input.dtype == "int8":
        return Quant(INPUT, model.input.name, order, "int8", None)
    if model.input.dtype == "uint8":
        return Quant(INPUT, model.input.name, order, "uint8", None)
    raise UnsupportedError(
        f"input {model.input.name[:80]!r} is {model.input.dtype}; float32, int8 or uint8 is wanted"
    )


def _refuse_float_reader(builder: Builder, operator: Operator) -> None:
    for name in operator.inputs:
        value = builder.values.get(name)
        if not isinstance(value, Pending):
            continue
        quantize.once(builder, value, name)
        if operator.kind not in ("QuantizeLinear", "Relu", "Clip"):
            raise value.operator.refuse(
                f"its output goes to {operator.label} without a QuantizeLinear, so onnxruntime "
                "computes it in float",
                hint="quantize the output of every operator",
            )


def _shape(builder: Builder, operator: Operator) -> str:
    for name in operator.inputs:
        value = builder.values.get(name)
        if isinstance(value, Quant | FloatInput | Pending):
            return f" (input shape {value.order.shape})"
        if isinstance(value, Real):
            return f" (input shape {value.quant.order.shape})"
    return ""


def _final(value: Value) -> tuple[Quant, Quantization | None, tuple[HostOp, ...]]:
    match value:
        case Quant():
            return value, value.quantization, ()
        case Real() if not value.limited:
            return value.quant, value.quantization, ("dequantize",)
        case Tail():
            return value.real.quant, value.real.quantization, ("dequantize", "softmax")
        case Pending():
            raise value.operator.refuse(
                "it ends the model in float, so there is no integer to compare",
                hint="quantize its output: QuantizeLinear, then DequantizeLinear",
            )
    raise UnsupportedError("the output of the model is not a quantized activation")


def _output(builder: Builder, value: Value) -> Edge:
    quant, q, host_ops = _final(value)
    if q is None:
        q = _plain(builder)
    if not quant.name:
        raise UnsupportedError(
            "the model ends with a MaxPool or Pad of dequantized values",
            hint="quantize its output: QuantizeLinear, then DequantizeLinear",
        )
    shape = quant.order.shape
    if not shape or shape[0] != 1:
        raise UnsupportedError(f"the output has shape {shape}; a batch axis of 1 is wanted")
    axes = layout.transposition(shape, builder.order(quant))
    if axes is None:
        raise UnsupportedError(
            "the output is a reshape of an image that would move data",
            hint="end the model before that reshape",
        )
    return Edge(
        tensor=quant.tensor,
        source_name=builder.model.output.name,
        source_shape=shape,
        source_dtype=_declared(builder, "float32" if host_ops else q.dtype),
        scale=float(q.scale),
        zero_point=q.graph_zero,
        source_offset=q.offset,
        transpose=None if axes == tuple(range(len(axes))) else axes,
        rounding="half_even",
        host_ops=host_ops,
    )


def _plain(builder: Builder) -> Quantization:
    """Return what integers mean where nothing in the model gives them a scale: themselves."""
    dtype: SourceDType = "uint8" if builder.model.input.dtype == "uint8" else "int8"
    return Quantization(np.float32(1), 0, dtype)


def _declared(builder: Builder, dtype: EdgeDType) -> EdgeDType:
    declared = builder.model.output.dtype
    if declared not in (dtype, "onnx type 0"):
        raise UnsupportedError(f"the output is declared as {declared}, and is {dtype}")
    return dtype


def _input_edge(builder: Builder, q: Quantization) -> Edge:
    axes = builder.input_axes or tuple(range(len(builder.input_shape)))
    info = builder.model.input
    return Edge(
        tensor=INPUT,
        source_name=info.name,
        source_shape=builder.input_shape,
        source_dtype="float32" if info.dtype == "float32" else q.dtype,
        scale=float(q.scale),
        zero_point=q.graph_zero,
        source_offset=q.offset,
        transpose=None if axes == tuple(range(len(axes))) else axes,
        rounding="half_even",
        host_ops=("quantize",) if info.dtype == "float32" else (),
    )


def _format(model: Model) -> Literal["onnx-qdq", "onnx-qoperator"]:
    kinds = {operator.kind for operator in model.operators}
    qoperator = any(kind.startswith("QLinear") or kind == "QGemm" for kind in kinds)
    return "onnx-qoperator" if qoperator else "onnx-qdq"


def _identifier(name: str) -> str:
    # The name may be a digit or a C keyword, which the prefix makes an identifier.
    cleaned = re.sub(r"[^A-Za-z0-9_]", "_", name)[:48]
    return cleaned if is_name(cleaned) else f"model_{cleaned}"
