"""The graph under construction: tensors, constants, nodes, and the layout of the input."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UnsupportedError
from edgekit.frontend import limits
from edgekit.frontend.onnx import layout
from edgekit.frontend.onnx.model import Model, Operator
from edgekit.frontend.onnx.values import (
    FloatInput,
    Order,
    Pending,
    Quant,
    Quantization,
    Real,
    Tail,
    Value,
    Weight,
    shape_text,
)
from edgekit.ir.graph import NotCompared
from edgekit.ir.nodes import Node, Reshape, Transpose
from edgekit.ir.types import DType, Tensor

INPUT = "input"


class Builder:
    """Collects nodes; knows every value of the source by name."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.values: dict[str, Value] = dict(model.constants)
        self.nodes: list[Node] = []
        self.tensors: dict[str, Tensor] = {}
        self.constants: dict[str, NDArray[np.int64]] = {}
        self.not_compared: list[NotCompared] = []
        self.uses = Counter(name for op in model.operators for name in op.inputs if name)
        self.uses[model.output.name] += 1
        self.input_shape = batch_of_one(model)
        self.input_quantization: Quantization | None = None
        self.input_axes: tuple[int, ...] | None = None  # None: no reader has settled it
        self._input_storage: Order | None = None
        self._numbers: Counter[str] = Counter()
        self._activation_elements = 0

    # Values of the source.

    def value(self, operator: Operator, position: int) -> Value:
        """Return the value of an input; UnsupportedError if it is absent."""
        name = operator.input(position)
        if not name:
            raise operator.refuse(f"input {position} is missing")
        return self.values[name]

    def real(self, operator: Operator, position: int) -> Real:
        """Return a dequantized activation, refusing everything else by name."""
        value = self.value(operator, position)
        if isinstance(value, Real) and not value.limited:
            if value.flattened:
                reason = (
                    f"{value.flattened} before it has no quantizers, so onnxruntime computes it "
                    "in float32; a Reshape there would be fused"
                )
                self.not_compared.append(NotCompared(operator.label, reason))
            return value
        raise operator.refuse(
            f"input {position} is {describe(value)}; a dequantized int8 or uint8 tensor is "
            "wanted, or onnxruntime computes the operator in float",
            hint="quantize every activation: QuantizeLinear and DequantizeLinear before this input",
        )

    def quant(self, operator: Operator, position: int) -> Quant:
        """Return an integer activation."""
        value = self.value(operator, position)
        if isinstance(value, Quant):
            return value
        raise operator.refuse(
            f"input {position} is {describe(value)}; an int8 or uint8 tensor is wanted"
        )

    def weight(self, operator: Operator, position: int) -> Weight:
        """Return a dequantized constant."""
        value = self.value(operator, position)
        if isinstance(value, Weight):
            return value
        raise operator.refuse(
            f"input {position} is {describe(value)}; a dequantized constant is wanted",
            hint="quantize weights to int8 and biases to int32, each with its DequantizeLinear",
        )

    def constant(self, operator: Operator, position: int) -> NDArray[Any]:
        """Return a plain constant of the file."""
        value = self.value(operator, position)
        if isinstance(value, np.ndarray):
            return value
        raise operator.refuse(f"input {position} is not a constant of the file")

    def define(self, operator: Operator, value: Value) -> None:
        """Give the operator's only output its value."""
        names = [name for name in operator.outputs if name]
        if len(names) != 1 or operator.outputs[0] != names[0]:
            raise operator.refuse(f"{len(names)} outputs are used; the first alone is supported")
        self.values[names[0]] = value

    # Tensors of the graph.

    def name(self, stem: str) -> str:
        """Return a fresh C identifier."""
        stem = re.sub(r"[^a-z0-9_]", "_", stem.lower())[:24]
        number = self._numbers[stem]
        self._numbers[stem] += 1
        return f"{stem}_{number}"

    def activation(self, operator: Operator, shape: tuple[int, ...]) -> str:
        """Declare an int8 activation of `shape` (no batch axis)."""
        size = int(np.prod(shape, dtype=object))
        self._activation_elements += size
        if min(shape, default=1) < 1 or size > limits.MAX_TENSOR_ELEMENTS:
            raise operator.refuse(f"its output of shape {shape} is out of bounds")
        if self._activation_elements > limits.MAX_CONSTANT_ELEMENTS:
            raise operator.refuse("the activations of the model are larger than edgekit reads")
        name = self.name(operator.kind)
        self.tensors[name] = Tensor(name, shape, DType.INT8)
        return name

    def store(self, stem: str, values: NDArray[Any], dtype: DType) -> str:
        """Declare a constant; its values fit `dtype`."""
        array = np.array(values, dtype=np.int64, order="C")
        array.setflags(write=False)
        self.constants[stem] = array
        self.tensors[stem] = Tensor(stem, array.shape, dtype)
        return stem

    # Layouts.

    def image(self, operator: Operator, quant: Quant) -> str:
        """Return the stored tensor (H, W, C) of a source tensor (1, C, H, W); (1, C, W): H is 1."""
        shape = quant.order.shape
        if len(shape) not in (3, 4) or shape[0] != 1:
            raise operator.refuse(
                f"its input has shape {shape_text(quant.order)}; (1, C, H, W) is wanted"
            )
        stored = (*(1 for _ in range(4 - len(shape))), *shape[2:], shape[1])
        return self.arranged(operator, quant, layout.channels_last(shape), stored)

    def arranged(
        self, operator: Operator, quant: Quant, wanted: Order, shape: tuple[int, ...]
    ) -> str:
        """Return the stored tensor as `shape`, its elements ordered as `wanted`."""
        self._settle(quant, wanted)
        tensor = quant.tensor
        if not layout.same(self.order(quant), wanted):
            tensor = self._moved(operator, tensor, self.order(quant), wanted)
        return self.viewed(operator, tensor, shape)

    def _moved(self, operator: Operator, tensor: str, order: Order, wanted: Order) -> str:
        """Return a transposed copy of a stored tensor: from one order of elements to another."""
        shapes = [self.tensors[tensor].shape]
        if layout.same(order, layout.rows(order.shape)):
            shapes.append(order.shape[1:])  # stored as the source has it
        for shape in shapes:
            axes = layout.stored_transposition(shape, order, wanted)
            if axes is None:
                continue
            viewed = self.viewed(operator, tensor, shape)
            name = self.activation(operator, tuple(shape[axis] for axis in axes))
            self.nodes.append(Transpose(f"{operator.label} input", viewed, name, axes))
            return name
        raise operator.refuse(
            "between it and its producer elements move, and no transpose does that",
            hint="keep the network in one layout",
        )

    def viewed(self, operator: Operator, tensor: str, shape: tuple[int, ...]) -> str:
        """Return a stored tensor under another shape."""
        if self.tensors[tensor].shape == shape:
            return tensor
        name = self.activation(operator, shape)
        self.nodes.append(Reshape(label=f"{operator.label} input", x=tensor, y=name))
        return name

    def order(self, quant: Quant) -> Order:
        """Return the positions of a value's elements; settles the input's layout as it is."""
        self._settle(quant, quant.order)
        if quant.tensor != INPUT or self._input_storage is None:
            return quant.order
        return self._input_storage[quant.order]

    def _settle(self, quant: Quant, wanted: Order) -> None:
        if quant.tensor != INPUT or self.input_axes is not None:
            return
        storage = np.empty(quant.order.size, dtype=np.int32)
        storage[quant.order.reshape(-1)] = wanted.reshape(-1)
        axes = layout.transposition(self.input_shape, storage)
        if axes is None:
            axes, storage = tuple(range(len(self.input_shape))), layout.rows((storage.size,))
        self.input_axes, self._input_storage = axes, storage
        stored = tuple(self.input_shape[axis] for axis in axes[1:])
        self.tensors[INPUT] = replace(self.tensors[INPUT], shape=stored)


def batch_of_one(model: Model) -> tuple[int, ...]:
    """Return the input's shape with a batch of one; UnsupportedError if it is not fixed."""
    info = model.input
    shape = info.shape
    if len(shape) < 2 or shape[0] not in (1, None) or None in shape[1:]:
        raise UnsupportedError(
            f"input {info.name[:80]!r} has shape {info.shape_text}; a batch axis of 1 (or "
            "symbolic) and fixed other axes are wanted",
            hint="export with a fixed input shape and a batch of one",
        )
    fixed = (1, *(int(extent or 0) for extent in shape[1:]))
    if min(fixed) < 1 or int(np.prod(fixed, dtype=object)) > limits.MAX_TENSOR_ELEMENTS:
        raise UnsupportedError(
            f"input {info.name[:80]!r} has shape {info.shape_text}: out of bounds"
        )
    return fixed


def describe(value: Value) -> str:
    """Return what a value is, for a message."""
    match value:
        case Quant():
            return "an integer tensor"
        case Real():
            return "a dequantized tensor after a Relu or Clip that is not quantized again"
        case Weight():
            return "a dequantized constant"
        case FloatInput():
            return "the float input, not quantized yet"
        case Pending():
            return f"the float result of {value.operator.label}"
        case Tail():
            return "the float end of the model"
    return "a constant"
