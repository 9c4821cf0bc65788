"""ONNX's own single-operator tests, from one zip file, as models that a compiler can take.

There every operand is a graph input. Here all but the first are stored in the model, and a first
axis longer than 1 of a tensor of at least two axes is taken as samples: it is the batch.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

MAX_FILE_BYTES = 1 << 20
MAX_BYTES = 1 << 24


@dataclass(frozen=True)
class NodeTest:
    """One test: the model as stored here, its samples, and what it must give."""

    name: str
    operator: str
    model: onnx.ModelProto
    x: NDArray[Any]
    expected: NDArray[Any] | None  # None: several outputs, or a type that numpy lacks


def read(path: Path) -> list[NodeTest]:
    """Return the tests of `path`, by name."""
    with zipfile.ZipFile(path) as archive:
        sizes = [item.file_size for item in archive.infolist()]
        assert max(sizes) <= MAX_FILE_BYTES, "a file of the set is larger than it may be"
        assert sum(sizes) <= MAX_BYTES, "the set is larger than it may be"
        files = {name: archive.read(name) for name in archive.namelist()}
    return [
        _test(name.split("/")[0], data, files)
        for name, data in sorted(files.items())
        if name.endswith("/model.onnx")
    ]


def _test(name: str, data: bytes, files: dict[str, bytes]) -> NodeTest:
    model = onnx.load_from_string(data)
    graph = model.graph
    inputs = [
        _tensor(files[f"{name}/test_data_set_0/input_{k}.pb"]) for k in range(len(graph.input))
    ]
    for info, tensor in list(zip(graph.input, inputs, strict=True))[1:]:
        graph.input.remove(info)
        tensor.name = info.name
        graph.initializer.append(tensor)
    x = _array(inputs[0])
    if x is not None:
        x = x[np.newaxis] if x.ndim < 2 else x
    _as_one_sample(graph)
    outputs = [
        _tensor(files[f"{name}/test_data_set_0/output_{k}.pb"]) for k in range(len(graph.output))
    ]
    expected = _array(outputs[0]) if len(outputs) == 1 else None
    operator = graph.node[0].op_type if len(graph.node) == 1 else f"{len(graph.node)} operators"
    return NodeTest(name, operator, model, np.zeros((1, 1)) if x is None else x, expected)


def _as_one_sample(graph: onnx.GraphProto) -> None:
    for info in (graph.input[0], graph.output[0]):
        declared = info.type.tensor_type.shape
        before = [axis.dim_value for axis in declared.dim]
        wanted = [1, *before[1:]] if len(before) > 1 else [1, *before]
        del declared.dim[:]
        for extent in wanted:
            declared.dim.add().dim_value = extent


def _tensor(data: bytes) -> onnx.TensorProto:
    tensor = onnx.TensorProto()
    tensor.ParseFromString(data)
    return tensor


def _array(tensor: onnx.TensorProto) -> NDArray[Any] | None:
    array = numpy_helper.to_array(tensor)
    return array if array.dtype.kind in "iuf" else None
