"""Writes TFLite files from plain descriptions, through the schema package.

Nothing is checked here: tests and the fuzzer describe wrong models on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite
from numpy.typing import NDArray

FLOAT32, INT32, UINT8, INT64, INT16, INT8 = 0, 2, 3, 4, 7, 9
NUMPY = {
    FLOAT32: np.float32,
    INT32: np.int32,
    UINT8: np.uint8,
    INT64: np.int64,
    INT16: np.int16,
    INT8: np.int8,
}


@dataclass
class TensorSpec:
    """One tensor; `data` None is an activation (buffer 0)."""

    name: str
    shape: list[int]
    type_code: int = INT8
    scales: list[float] | None = None
    zero_points: list[int] | None = None
    dimension: int = 0
    data: bytes | None = None
    signature: list[int] | None = None
    variable: bool = False
    buffer: int | None = None  # overrides the buffer index


@dataclass
class OpSpec:
    """One operator; `options` is (table name, fields); list fields become vectors."""

    code: str | int
    inputs: list[int]
    outputs: list[int]
    options: tuple[str, dict[str, Any]] | None = None
    options_type: int | None = None  # overrides the union tag
    custom: str | None = None
    opcode_index: int | None = None  # overrides the place in the table of codes


@dataclass
class ModelSpec:
    """A whole file with one subgraph (or `subgraphs` copies of it)."""

    tensors: list[TensorSpec] = field(default_factory=list)
    ops: list[OpSpec] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    version: int = 3
    subgraphs: int = 1
    identifier: bytes = b"TFL3"


def constant(name: str, values: NDArray[Any], type_code: int, **more: Any) -> TensorSpec:
    """Describe a constant tensor."""
    data = values.astype(NUMPY[type_code]).tobytes()
    return TensorSpec(name, list(values.shape), type_code, data=data, **more)


def write(spec: ModelSpec) -> bytes:
    """Return the file."""
    builder = flatbuffers.Builder(1024)
    stored = [t.data for t in spec.tensors if t.data is not None]
    buffers = [_buffer(builder, data) for data in (b"", *stored)]
    places = iter(range(1, len(buffers)))
    tensors = [_tensor(builder, t, next(places) if t.data is not None else 0) for t in spec.tensors]
    codes = [_code(builder, op) for op in spec.ops]
    ops = [_op(builder, op, place) for place, op in enumerate(spec.ops)]
    graph = _table(
        builder,
        "SubGraph",
        {
            "Tensors": _offsets(builder, tensors),
            "Inputs": _numbers(builder, spec.inputs, np.int32),
            "Outputs": _numbers(builder, spec.outputs, np.int32),
            "Operators": _offsets(builder, ops),
        },
    )
    model = _table(
        builder,
        "Model",
        {
            "Version": spec.version,
            "OperatorCodes": _offsets(builder, codes),
            "Subgraphs": _offsets(builder, [graph] * spec.subgraphs),
            "Buffers": _offsets(builder, buffers),
        },
    )
    builder.Finish(model, file_identifier=spec.identifier)
    return bytes(builder.Output())


def _table(builder: flatbuffers.Builder, name: str, fields: dict[str, Any]) -> int:
    getattr(tflite, f"{name}Start")(builder)
    for key, value in fields.items():
        if value is not None:
            getattr(tflite, f"{name}Add{key}")(builder, value)
    return int(getattr(tflite, f"{name}End")(builder))


def _offsets(builder: flatbuffers.Builder, items: list[int]) -> int:
    builder.StartVector(4, len(items), 4)
    for item in reversed(items):
        builder.PrependUOffsetTRelative(item)
    return int(builder.EndVector())


def _numbers(builder: flatbuffers.Builder, items: list[Any] | None, dtype: Any) -> int | None:
    return None if items is None else int(builder.CreateNumpyVector(np.asarray(items, dtype)))


def _buffer(builder: flatbuffers.Builder, data: bytes) -> int:
    vector = builder.CreateNumpyVector(np.frombuffer(data, np.uint8)) if data else None
    return _table(builder, "Buffer", {"Data": vector})


def _tensor(builder: flatbuffers.Builder, spec: TensorSpec, buffer: int) -> int:
    quantization = None
    if spec.scales is not None or spec.zero_points is not None:
        quantization = _table(
            builder,
            "QuantizationParameters",
            {
                "Scale": _numbers(builder, spec.scales, np.float32),
                "ZeroPoint": _numbers(builder, spec.zero_points, np.int64),
                "QuantizedDimension": spec.dimension,
            },
        )
    return _table(
        builder,
        "Tensor",
        {
            "Shape": _numbers(builder, spec.shape, np.int32),
            "Type": spec.type_code,
            "Buffer": buffer if spec.buffer is None else spec.buffer,
            "Name": builder.CreateString(spec.name),
            "Quantization": quantization,
            "IsVariable": spec.variable,
            "ShapeSignature": _numbers(builder, spec.signature, np.int32),
        },
    )


def _code(builder: flatbuffers.Builder, op: OpSpec) -> int:
    code = getattr(tflite.BuiltinOperator, op.code) if isinstance(op.code, str) else op.code
    custom = None if op.custom is None else builder.CreateString(op.custom)
    return _table(
        builder,
        "OperatorCode",
        {
            "DeprecatedBuiltinCode": min(code, 127),
            "CustomCode": custom,
            "Version": 1,
            "BuiltinCode": code,
        },
    )


def _op(builder: flatbuffers.Builder, op: OpSpec, place: int) -> int:
    options, tag = None, 0
    if op.options is not None:
        name, fields = op.options
        ready = {
            key: _numbers(builder, value, np.int32) if isinstance(value, list) else value
            for key, value in fields.items()
        }
        options = _table(builder, name, ready)
        tag = getattr(tflite.BuiltinOptions, name)
    return _table(
        builder,
        "Operator",
        {
            "OpcodeIndex": place if op.opcode_index is None else op.opcode_index,
            "Inputs": _numbers(builder, op.inputs, np.int32),
            "Outputs": _numbers(builder, op.outputs, np.int32),
            "BuiltinOptionsType": tag if op.options_type is None else op.options_type,
            "BuiltinOptions": options,
        },
    )
