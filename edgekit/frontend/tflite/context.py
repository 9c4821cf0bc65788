"""What an operator function may ask of the model and add to the graph, with every check inside."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UnsupportedError
from edgekit.frontend.limits import MAX_CONSTANT_ELEMENTS, MAX_TENSOR_ELEMENTS
from edgekit.frontend.tflite.flatbuffer import Table
from edgekit.frontend.tflite.model import Model, Operator, TensorInfo
from edgekit.frontend.tflite.schema import Options, TensorType, type_name
from edgekit.ir.types import DType, HostOp, Tensor

_QUANTIZE_FULLY = "convert with full integer quantization (int8 weights and activations)"
# Operators that read or write 16-bit activations (TFLite's 16x8 quantization).
_WIDE_OPERATORS = (
    *("ADD", "CONCATENATION", "CONV_2D", "EXPAND_DIMS", "LEAKY_RELU", "PAD", "RESHAPE", "SLICE"),
    *("SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "SUB", "TRANSPOSE", "UNPACK"),
)
_WIDE = frozenset({"model input", "model output", "DEQUANTIZE", "QUANTIZE", *_WIDE_OPERATORS})
_TYPE_HINTS = {
    TensorType.FLOAT32: _QUANTIZE_FULLY + "; float and hybrid operators are not compiled",
    TensorType.UINT8: "convert again with int8 quantization; uint8 is the format before 2020",
    TensorType.INT16: "convert with 8-bit activations; these operators take 16-bit ones: "
    + ", ".join(_WIDE_OPERATORS),
}
_CONSTANT_TYPES: dict[int, type[np.int8] | type[np.int32] | type[np.int64]] = {
    TensorType.INT8: np.int8,
    TensorType.INT32: np.int32,
    TensorType.INT64: np.int64,
}
_NAME_LENGTH = 40


@dataclass(frozen=True, slots=True)
class ActivationTensor:
    """An activation of the graph with its per-tensor quantization; shape has no batch."""

    index: int
    name: str
    shape: tuple[int, ...]
    scale: np.float32
    zero_point: int
    dtype: DType = DType.INT8  # or INT16


@dataclass(frozen=True, slots=True)
class HostTensor:
    """A tensor at the end of the model that the host computes from integer tensor `origin`."""

    origin: int
    ops: tuple[HostOp, ...]


def identifier(tensor: TensorInfo) -> str:
    """Return the unique C identifier of a tensor: its index, then what is readable of its name."""
    words = re.sub(r"[^A-Za-z0-9]+", "_", tensor.name.split(";")[0]).strip("_")
    return f"t{tensor.index}_{words[-_NAME_LENGTH:].strip('_')}".rstrip("_")


@dataclass(slots=True)
class Context:
    """The graph under construction. Operator functions read and add through its methods only."""

    model: Model
    tensors: dict[str, Tensor] = field(default_factory=dict)
    constants: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    available: set[int] = field(default_factory=set)  # tensors that hold a value by now
    host: dict[int, HostTensor] = field(default_factory=dict)
    entry: dict[int, int] = field(default_factory=dict)  # model input -> its int8 tensor
    constant_elements: int = 0

    def refuse(self, op: Operator, what: str, hint: str) -> NoReturn:
        """Raise UnsupportedError naming operator, node index and the shapes of its inputs."""
        shapes = ", ".join(self.model.tensors[i].shape_text for i in op.inputs[:3] if i >= 0)
        place = f"node {op.index}, " if op.index >= 0 else ""
        raise UnsupportedError(f"{op.name} ({place}shape {shapes or 'none'}): {what}", hint=hint)

    def operands(self, op: Operator, least: int, most: int) -> None:
        """Check the number of inputs, and that there is one output."""
        if not least <= len(op.inputs) <= most or len(op.outputs) != 1:
            self.refuse(
                op,
                f"{len(op.inputs)} inputs and {len(op.outputs)} outputs found, "
                f"{least} to {most} and 1 wanted",
                "export the model again with a current converter",
            )

    def options(self, op: Operator, kind: Options) -> Table:
        """Return the options table, which must be of `kind`."""
        if op.options is None or op.options_type != kind:
            self.refuse(
                op,
                f"options of type {op.options_type} found, {kind.value} wanted",
                "export the model again with a current converter",
            )
        return op.options

    def info(self, op: Operator, index: int) -> TensorInfo:
        """Return tensor `index`, refusing what no operator supports: absent, variable, sparse."""
        if index < 0:
            self.refuse(op, "a required input is absent", "export the model again")
        tensor = self.model.tensors[index]
        for found, what in (
            (tensor.variable, "variable (state between inferences)"),
            (tensor.sparse, "stored sparse"),
            (tensor.quantization.custom, "quantized by a custom scheme"),
            (tensor.dynamic, "of dynamic shape"),
        ):
            if found:
                self.refuse(
                    op,
                    f"tensor {tensor.name!r} is {what}",
                    "export with fixed shapes, dense weights and no state",
                )
        return tensor

    def activation(self, op: Operator, slot: int) -> ActivationTensor:
        """Return input `slot`, an activation that an earlier operator produced."""
        index = op.inputs[slot]
        tensor = self.info(op, index)
        self.need_activation(op, tensor)
        if tensor.data is not None:
            self.refuse(
                op,
                f"input {slot} ({tensor.name!r}) is a constant, an activation is wanted",
                "fold constant operands into the layer before export",
            )
        if index not in self.available:
            self.refuse(
                op,
                f"input {slot} ({tensor.name!r}) is read before it is produced",
                "operators must be in execution order, without cycles or state",
            )
        return self.quantized(op, tensor)

    def result(self, op: Operator, slot: int = 0) -> ActivationTensor:
        """Return output `slot`, of the inputs' type, that nothing has produced before."""
        tensor = self.info(op, op.outputs[slot])
        self.need_activation(op, tensor)
        first = self.model.tensors[op.inputs[0]].type_code
        if first == TensorType.INT16:
            self.need_type(op, tensor, TensorType.INT16)
        elif first == TensorType.INT8:
            self.need_type(op, tensor, TensorType.INT8)
        self.produce(op, tensor)
        activation = self.quantized(op, tensor)
        self.tensors[activation.name] = Tensor(activation.name, activation.shape, activation.dtype)
        return activation

    def need_activation(self, op: Operator, tensor: TensorInfo) -> None:
        """Refuse an element type other than int8, or int16 where the operator has that form."""
        if tensor.type_code != TensorType.INT16 or op.name not in _WIDE:
            self.need_type(op, tensor, TensorType.INT8)

    def produce(self, op: Operator, tensor: TensorInfo) -> None:
        """Record that `op` writes `tensor`; each tensor has one producer."""
        if tensor.data is not None or tensor.index in self.available:
            self.refuse(
                op,
                f"output {tensor.name!r} already has a value",
                "each tensor may have one producer; export the model again",
            )
        self.available.add(tensor.index)

    def need_type(self, op: Operator, tensor: TensorInfo, wanted: TensorType) -> None:
        """Refuse an element type other than `wanted`, saying how to get there."""
        if tensor.type_code != wanted:
            hints: dict[int, str] = {int(key): hint for key, hint in _TYPE_HINTS.items()}
            self.refuse(
                op,
                f"tensor {tensor.name!r} ({tensor.shape_text}) is {type_name(tensor.type_code)}, "
                f"{type_name(wanted)} is wanted",
                hints.get(tensor.type_code, _QUANTIZE_FULLY),
            )

    def quantized(self, op: Operator, tensor: TensorInfo) -> ActivationTensor:
        """Return `tensor` with its scale, zero point and shape checked; batch 1."""
        if len(tensor.shape) < 2 or tensor.shape[0] != 1 or 0 in tensor.shape:
            self.refuse(
                op,
                f"tensor {tensor.name!r} has shape {tensor.shape_text}, 1x... is wanted",
                "export with batch size 1 on the first axis",
            )
        if math.prod(tensor.shape) > MAX_TENSOR_ELEMENTS:
            self.refuse(
                op,
                f"tensor {tensor.name!r} has {math.prod(tensor.shape)} elements, "
                f"at most {MAX_TENSOR_ELEMENTS} are accepted",
                "use a smaller input or fewer channels",
            )
        scales = self.scales(op, tensor)
        if len(scales) != 1:
            self.refuse(
                op,
                f"activation {tensor.name!r} has {len(scales)} scales, one is wanted",
                "quantize activations per tensor",
            )
        zero_point = int(self.zero_points(op, tensor, 1)[0])
        if not -128 <= zero_point <= 127:
            self.refuse(
                op,
                f"tensor {tensor.name!r} has zero point {zero_point}, -128 to 127 is wanted",
                "quantize the model again",
            )
        dtype = DType.INT16 if tensor.type_code == TensorType.INT16 else DType.INT8
        if dtype is DType.INT16 and zero_point:
            self.refuse(
                op,
                f"16-bit tensor {tensor.name!r} has zero point {zero_point}, 0 is wanted",
                "quantize the model again",
            )
        name = identifier(tensor)
        return ActivationTensor(tensor.index, name, tensor.shape[1:], scales[0], zero_point, dtype)

    def scales(self, op: Operator, tensor: TensorInfo) -> NDArray[np.float32]:
        """Return the scales: finite, normal and positive."""
        scales = tensor.quantization.scales
        if not scales.size:
            self.refuse(op, f"tensor {tensor.name!r} has no quantization", _QUANTIZE_FULLY)
        bad = ~(np.isfinite(scales) & (scales >= np.finfo(np.float32).tiny))
        if bad.any():
            place = int(np.argmax(bad))
            self.refuse(
                op,
                f"tensor {tensor.name!r} has scale {scales[place]} at channel {place}, "
                "a positive normal number is wanted",
                "quantize again with a representative data set that reaches this layer",
            )
        return scales

    def zero_points(self, op: Operator, tensor: TensorInfo, count: int) -> NDArray[np.int64]:
        """Return the zero points, which must be `count`."""
        stored = tensor.quantization.zero_points
        if stored.size != count:
            self.refuse(
                op,
                f"tensor {tensor.name!r} has {stored.size} zero points, {count} are wanted",
                "quantize the model again",
            )
        return stored

    def constant(self, op: Operator, slot: int, wanted: Sequence[TensorType]) -> NDArray[np.int64]:
        """Return input `slot` as int64 values in the tensor's shape; it must be stored."""
        tensor = self.info(op, op.inputs[slot])
        if tensor.data is None or tensor.index in self.available:
            self.refuse(
                op,
                f"input {slot} ({tensor.name!r}) is not a constant",
                "export with fixed shapes and weights stored in the model",
            )
        if tensor.type_code not in wanted:
            self.need_type(op, tensor, wanted[0])
        item = np.dtype(_CONSTANT_TYPES[tensor.type_code]).newbyteorder("<")
        count = math.prod(tensor.shape)
        if count * item.itemsize != tensor.data.size:
            self.refuse(
                op,
                f"constant {tensor.name!r} ({tensor.shape_text}) has {tensor.data.size} bytes, "
                f"{count * item.itemsize} are wanted",
                "the file is damaged; export the model again",
            )
        self.constant_elements += count
        if self.constant_elements > MAX_CONSTANT_ELEMENTS:
            self.refuse(
                op,
                f"more than {MAX_CONSTANT_ELEMENTS} weights so far",
                "no microcontroller holds this model; use a smaller one",
            )
        values = np.frombuffer(tensor.data.tobytes(), item).astype(np.int64)
        return values.reshape(tensor.shape)

    def add_constant(self, name: str, values: NDArray[np.int64], dtype: DType) -> str:
        """Add a read-only constant to the graph and return its name."""
        array = np.ascontiguousarray(values, np.int64)
        if array is values:
            array = values.copy()
        array.setflags(write=False)
        self.tensors[name] = Tensor(name, array.shape, dtype)
        self.constants[name] = array
        return name

    def check_shape(self, op: Operator, wanted: tuple[int, ...], slot: int = 0) -> None:
        """Refuse a stored output shape other than what the operator computes (no batch axis)."""
        found = self.model.tensors[op.outputs[slot]].shape
        if found != (1, *wanted):
            self.refuse(
                op,
                f"output shape {found} is stored, {(1, *wanted)} is computed",
                "the file is inconsistent; export with fixed shapes",
            )

    def same_quantization(self, op: Operator, x: ActivationTensor, y: ActivationTensor) -> None:
        """Refuse an operator that only moves values but changes their scale."""
        if x.scale != y.scale or x.zero_point != y.zero_point:
            self.refuse(
                op,
                f"input quantization ({x.scale}, {x.zero_point}) and output quantization "
                f"({y.scale}, {y.zero_point}) differ, equal ones are wanted",
                "quantize the model again",
            )
