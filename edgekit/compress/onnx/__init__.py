"""Float ONNX files as float networks: chains of layers, batch norms and biases folded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.compress import floatnet
from edgekit.compress.floatnet import Dense, FloatNet, Layer, Permute, Shape, View
from edgekit.compress.onnx.chain import Chain
from edgekit.compress.onnx.layers import (
    arithmetic,
    average_pool,
    clip,
    conv,
    dense,
    global_pool,
    max_pool,
    normalize,
    relu,
)
from edgekit.compress.onnx.shapes import (
    constant_reshape,
    constant_transpose,
    reshape,
    same,
    softmax,
    transpose,
)
from edgekit.errors import UnsupportedError
from edgekit.frontend.onnx import reader
from edgekit.frontend.onnx.model import Model, Operator

_QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "QGemm")
_OLDEST_OPSET = 7  # since when operands broadcast as they do now


def load(path: Path) -> FloatNet:
    """Return the float network in an ONNX file.

    Raises:
        ConfigError: the file cannot be read or is no ONNX.
        UnsupportedError: an operator is not one of a float chain, or weights are not finite.
    """
    return convert(reader.read(path, oldest=_OLDEST_OPSET))


def convert(model: Model) -> FloatNet:
    """Return the float network of a parsed ONNX model; see `load`."""
    for operator in model.operators:
        if operator.kind in _QUANTIZED:
            raise UnsupportedError(
                f"{operator.label}: the model is quantized already; compress takes float networks",
                hint="pass the float model it was made from; `edgekit deploy` takes this one as "
                "it is, and folds away its dead channels",
            )
    shape = tuple(1 if axis == 0 else extent for axis, extent in enumerate(model.input.shape))
    if model.input.dtype != "float32" or None in shape or len(shape) not in (2, 3, 4):
        raise UnsupportedError(
            f"input {model.input.name} is {model.input.dtype} {model.input.shape_text}; float32 "
            "with 1 to 3 axes of known extent behind the batch is wanted"
        )
    known = tuple(int(extent) for extent in shape if extent is not None)
    chain = Chain(dict(model.constants), model.input.name, known, tuple(range(len(known))))
    for operator in model.operators:
        _take(chain, operator)
    if chain.value != model.output.name:
        raise UnsupportedError(f"output {model.output.name} is not the end of the chain")
    return _finished(model, known, chain)


def _finished(model: Model, shape: Shape, chain: Chain) -> FloatNet:
    layers, transpose = chain.layers, None
    if layers and isinstance(layers[0], Permute):
        transpose = (0, *(axis + 1 for axis in layers[0].order))
        layers = layers[1:]
    inner = shape[1:] if transpose is None else tuple(shape[axis] for axis in transpose[1:])
    net = FloatNet(
        name=model.name,
        sha256=model.sha256,
        source_name=model.input.name,
        source_shape=shape,
        transpose=transpose,
        input_shape=inner,
        layers=tuple(layers),
        output_name=model.output.name,
        host_ops=chain.host_ops,
    )
    net = _folded(net)
    if not floatnet.weighted(net):
        raise UnsupportedError(f"{model.name} has no layer with weights")
    return net


def _folded(net: FloatNet) -> FloatNet:
    """Fold a change of order before a fully connected layer into its columns."""
    found = floatnet.shapes(net)
    layers: list[Layer] = []
    for index, layer in enumerate(net.layers):
        if isinstance(layer, Dense):
            if layers and isinstance(layers[-1], View):
                layers.pop()
            if layers and isinstance(layers[-1], Permute):
                order = layers.pop()
                assert isinstance(order, Permute)
                at = max(k for k in range(index) if net.layers[k] is order)
                places = np.arange(layer.weight.shape[1]).reshape(found[at])
                columns = np.empty_like(layer.weight)
                columns[:, places.transpose(order.order).ravel()] = layer.weight
                layer = replace(layer, weight=columns)
        layers.append(layer)
    return replace(net, layers=tuple(layers))


def _take(chain: Chain, operator: Operator) -> None:
    if operator.kind in _CONSTANT and all(name in chain.constants for name in operator.inputs):
        chain.constants[operator.outputs[0]] = _CONSTANT[operator.kind](chain, operator)
        return
    convert = _CHAINED.get(operator.kind) if not operator.domain else None
    if convert is None:
        raise operator.refuse(
            f"{operator.kind} is not an operator that compress takes",
            hint=f"a chain of {', '.join(sorted(_CHAINED))} is",
        )
    readers = [name for name in operator.inputs if name and name not in chain.constants]
    if readers != [chain.value]:
        raise operator.refuse(
            f"it reads {', '.join(name[:80] for name in readers)}; compress takes chains, where "
            "each layer reads the one before",
            hint="networks with branches deploy from a quantized (QDQ) model",
        )
    if chain.host_ops:
        raise operator.refuse("it follows a softmax, which only the end of a network may have")
    convert(chain, operator)
    chain.value = operator.outputs[0]


_CHAINED: Mapping[str, Callable[[Chain, Operator], None]] = {
    **dict.fromkeys(("Gemm", "MatMul"), dense),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), arithmetic),
    **dict.fromkeys(("GlobalAveragePool", "ReduceMean"), global_pool),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), reshape),
    **dict.fromkeys(("Softmax", "LogSoftmax"), softmax),
    **dict.fromkeys(("Dropout", "Identity"), same),
    "Conv": conv,
    "BatchNormalization": normalize,
    "Relu": relu,
    "Clip": clip,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "Transpose": transpose,
}


_CONSTANT: Mapping[str, Callable[[Chain, Operator], NDArray[Any]]] = {
    "Reshape": constant_reshape,
    "Transpose": constant_transpose,
}
