"""From decoded operators to a chain of layers, and from there to a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgekit.errors import UnsupportedError
from edgekit.frontend.lowering import InputSpec, lower
from edgekit.frontend.onnx.builder import batch_of_one
from edgekit.frontend.onnx.model import Model, Operator
from edgekit.frontend.onnx.reader import QONNX
from edgekit.frontend.qonnx import functions, linear, quantizers, shapes
from edgekit.frontend.qonnx.values import Activation, Walk
from edgekit.ir.graph import Graph, Source
from edgekit.ir.types import InputGrid

Add = Callable[[Walk, Operator], None]

_QUANTIZERS: Mapping[str, Add] = {
    "Quant": quantizers.quant,
    "IntQuant": quantizers.quant,
    "BipolarQuant": quantizers.bipolar_quant,
    "Trunc": quantizers.trunc,
    "MultiThreshold": quantizers.multi_threshold,
}
_OPERATORS: Mapping[str, Add] = {
    "Add": functions.binary,
    "Sub": functions.binary,
    "Mul": functions.binary,
    "Div": functions.binary,
    "Pow": functions.binary,
    "Max": functions.binary,
    "Min": functions.binary,
    "Relu": functions.relu,
    "Clip": functions.clip,
    "BatchNormalization": functions.batch_normalization,
    "Softmax": functions.softmax,
    "LogSoftmax": functions.softmax,
    "TopK": functions.top_1,
    "ArgMax": functions.top_1,
    "Sign": quantizers.sign,
    "MatMul": linear.matmul,
    "Gemm": linear.gemm,
    "Conv": linear.conv,
    "Identity": shapes.identity,
    "Dropout": shapes.identity,
    "Cast": shapes.cast,
    "Shape": shapes.shape_of,
    "Gather": shapes.gather,
    "Concat": shapes.concat,
    "Reshape": shapes.reshape,
    "Flatten": shapes.flatten,
    "Squeeze": shapes.squeeze,
    "Unsqueeze": shapes.unsqueeze,
    "Transpose": shapes.transpose,
    "Pad": shapes.pad,
    "MaxPool": shapes.max_pool,
    "AveragePool": shapes.average_pool,
    "GlobalAveragePool": shapes.average_pool,
}
_TABLES = {"": _OPERATORS, QONNX: _QUANTIZERS}


def is_qonnx(model: Model) -> bool:
    """Return whether the file holds an operator of QONNX or FINN."""
    return any(operator.domain == QONNX for operator in model.operators)


def convert(model: Model, grid: InputGrid | None = None) -> Graph:
    """Return the integer graph of a decoded model; UnsupportedError names what has no meaning."""
    walk = walked(model)
    spec = InputSpec(model.input.name, batch_of_one(model), channels_first=True)
    source = Source("qonnx", "qonnx", model.sha256)
    return lower(model.name, source, spec, walk.layers, grid, walk.scores or model.output.name)


def walked(model: Model) -> Walk:
    """Return the layers of a decoded model; UnsupportedError names what has no meaning."""
    if model.input.dtype != "float32":
        raise UnsupportedError(f"the input is {model.input.dtype}; float32 is wanted")
    walk = Walk(model, batch_of_one(model))
    for operator in model.operators:
        add = _TABLES.get(operator.domain, {}).get(operator.kind)
        if add is None:
            raise operator.refuse(
                f"operator {operator.kind} is not supported in a QONNX model",
                hint="supported: " + ", ".join(sorted({*_OPERATORS, *_QUANTIZERS})),
            )
        add(walk, operator)
    end = walk.values[model.output.name]
    if not isinstance(end, Activation) or end.layers != len(walk.layers):
        raise UnsupportedError("the output of the model is not the end of its chain of layers")
    return walk
