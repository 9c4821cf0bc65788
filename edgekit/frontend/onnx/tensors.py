"""TensorProto to numpy, without trusting any of its sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from edgekit.errors import UnsupportedError
from edgekit.frontend import limits

_FIELDS = {
    onnx.TensorProto.FLOAT: ("float32", "float_data"),
    onnx.TensorProto.DOUBLE: ("float64", "double_data"),
    onnx.TensorProto.FLOAT16: ("float16", "int32_data"),
    onnx.TensorProto.INT8: ("int8", "int32_data"),
    onnx.TensorProto.UINT8: ("uint8", "int32_data"),
    onnx.TensorProto.INT16: ("int16", "int32_data"),
    onnx.TensorProto.UINT16: ("uint16", "int32_data"),
    onnx.TensorProto.INT32: ("int32", "int32_data"),
    onnx.TensorProto.INT64: ("int64", "int64_data"),
    onnx.TensorProto.BOOL: ("bool", "int32_data"),
}


class Budget:
    """Elements of constants that a file may still ask for."""

    def __init__(self) -> None:
        self._left = limits.MAX_CONSTANT_ELEMENTS

    def take(self, elements: int, where: str) -> None:
        """Subtract `elements`; UnsupportedError when there are not that many left."""
        if elements > limits.MAX_TENSOR_ELEMENTS or elements > self._left:
            raise UnsupportedError(
                f"{where} has {elements} elements; at most {limits.MAX_TENSOR_ELEMENTS} a tensor "
                f"and {limits.MAX_CONSTANT_ELEMENTS} in all are read"
            )
        self._left -= elements


def dtype_name(code: int) -> str:
    """Return the numpy name of an ONNX element type."""
    if code in _FIELDS:
        return _FIELDS[code][0]
    known = code in onnx.TensorProto.DataType.values() and code != onnx.TensorProto.UNDEFINED
    return onnx.TensorProto.DataType.Name(code).lower() if known else f"onnx type {code}"


def array_of(tensor: onnx.TensorProto, where: str, budget: Budget) -> NDArray[Any]:
    """Return a read-only array of a TensorProto, after checking type, shape and length."""
    if tensor.data_location == onnx.TensorProto.EXTERNAL or len(tensor.external_data):
        raise UnsupportedError(
            f"{where} keeps its data in another file, which is not read",
            hint="save the model in one file: onnx.save(model, path) with no external data",
        )
    if tensor.HasField("segment"):
        raise UnsupportedError(f"{where} is stored in segments, which are not read")
    if tensor.data_type not in _FIELDS:
        raise UnsupportedError(f"{where} has {dtype_name(tensor.data_type)}, which is not read")
    shape = tuple(int(extent) for extent in tensor.dims)
    if len(shape) > limits.MAX_RANK or any(not 0 <= e <= limits.MAX_EXTENT for e in shape):
        raise UnsupportedError(f"{where} has shape {shape[:8]}, which is out of bounds")
    elements = 1
    for extent in shape:
        elements *= extent
    budget.take(elements, where)
    name, typed = _FIELDS[tensor.data_type]
    array = _values(tensor, np.dtype(name), typed, elements, where).reshape(shape)
    array.setflags(write=False)
    return array


def _values(
    tensor: onnx.TensorProto, dtype: np.dtype[Any], typed: str, elements: int, where: str
) -> NDArray[Any]:
    if tensor.HasField("raw_data"):
        raw = tensor.raw_data
        if len(raw) != elements * dtype.itemsize:
            raise UnsupportedError(
                f"{where} holds {len(raw)} bytes; {elements * dtype.itemsize} are wanted"
            )
        return np.frombuffer(raw, dtype=dtype.newbyteorder("<")).astype(dtype)
    values = getattr(tensor, typed)
    if len(values) != elements:
        raise UnsupportedError(f"{where} holds {len(values)} values; {elements} are wanted")
    if dtype == np.float16:  # its bits are stored as integers
        bits = np.array(values, dtype=np.int64)
        if bits.size and not 0 <= bits.min() <= bits.max() < 1 << 16:
            raise UnsupportedError(f"{where} holds a value that its type {dtype} cannot")
        return bits.astype(np.uint16).view(np.float16)
    wide = np.array(values, dtype=np.float64 if dtype.kind == "f" else np.int64)
    array = wide.astype(dtype)
    if dtype.kind != "f" and not np.array_equal(array, wide):
        raise UnsupportedError(f"{where} holds a value that its type {dtype} cannot")
    return array
