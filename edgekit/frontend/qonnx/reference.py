"""What the qonnx package computes for the same file, many samples at a time.

Runs inside the reference process (`edgekit.frontend.reference_worker`): it imports qonnx, which
executes one operator after the other, standard ones in onnxruntime. That takes as long for one
sample as for hundreds, so the model's batch axis is widened: declared shapes and the shapes that
Reshape operators name are the only places where it stands.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

from edgekit.errors import ConfigError, ToolError
from edgekit.frontend.onnx.model import Model, Operator
from edgekit.frontend.onnx.reader import read
from edgekit.frontend.qonnx.convert import walked
from edgekit.frontend.qonnx.values import Activation, Value, Walk, Weights

_BATCH = 500


def run(path: Path, x: NDArray[Any]) -> NDArray[np.float32]:
    """Return the float32 scores [samples, ...], before a softmax, TopK or ArgMax ends the model.

    Args:
        path: the model; its batch axis is 1 or symbolic.
        x: [samples, *input shape without batch], float32.

    Raises:
        ToolError: qonnx fails, or gives another answer for one sample than for many.
    """
    if not len(x):
        raise ConfigError("x holds no samples", hint="give at least one")
    model = read(path)
    walk = walked(model)
    proto = onnx.load_from_string(path.read_bytes())
    name = walk.before_softmax or walk.scores or model.output.name
    x = x.astype(np.float32)
    parts = [
        _executed(widened(proto, model, walk, name, len(part)), model.input.name, name, part)
        for part in np.split(x, range(_BATCH, len(x), _BATCH))
    ]
    found = np.concatenate(parts)
    alone = _executed(widened(proto, model, walk, name, 1), model.input.name, name, x[:1])
    if not np.allclose(alone[0], found[0], rtol=2.0**-18, atol=2.0**-18 * np.abs(found[0]).max()):
        raise ToolError(
            "qonnx gives another answer for one sample than for many",
            hint="the model mixes its samples; export it with a batch axis",
        )
    return found


def widened(
    proto: onnx.ModelProto, model: Model, walk: Walk, last: str, batch: int
) -> onnx.ModelProto:
    """Return the part of the model up to the tensor `last`, for `batch` samples at once."""
    wanted = {last}
    kept: list[Operator] = []
    for operator in reversed(model.operators):
        if not wanted.intersection(operator.outputs) or _is_plain(walk, operator):
            continue
        kept.insert(0, operator)
        wanted.update(operator.inputs)
    constants = {k: v for k, v in walk.values.items() if k in wanted and isinstance(v, np.ndarray)}
    nodes = []
    for operator in kept:
        node = onnx.NodeProto()
        node.CopyFrom(proto.graph.node[operator.index])
        value = walk.values[operator.outputs[0]]
        if operator.kind == "Reshape" and isinstance(value, Activation):
            node.input[1] = f"{operator.outputs[0]} shape"
            constants[node.input[1]] = np.array([batch, *value.shape[1:]], np.int64)
        nodes.append(node)
    graph = onnx.helper.make_graph(
        nodes,
        "widened",
        [_info(model.input.name, walk.values[model.input.name], batch)],
        [_info(last, walk.values[last], batch)],
        [onnx.numpy_helper.from_array(np.array(v), k) for k, v in constants.items()],
        value_info=[
            _info(name, walk.values[name], batch)
            for operator in kept
            for name in operator.outputs
            if name and name != last
        ],
    )
    made = onnx.helper.make_model(graph, opset_imports=proto.opset_import)
    made.ir_version = max(proto.ir_version, 4)
    return made


def _is_plain(walk: Walk, operator: Operator) -> bool:
    return all(isinstance(walk.values.get(name), np.ndarray) for name in operator.outputs)


def _info(name: str, value: Value, batch: int) -> onnx.ValueInfoProto:
    match value:
        case Activation():
            shape: tuple[int, ...] = (batch, *value.shape[1:])
        case Weights():
            shape = value.integers.shape
        case _:
            shape = value.shape
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def _executed(
    proto: onnx.ModelProto, source: str, last: str, x: NDArray[Any]
) -> NDArray[np.float32]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = execute_onnx(ModelWrapper(proto), {source: x})[last]
        except Exception as error:  # qonnx raises bare exceptions, and onnxruntime its own
            text = str(error).strip().splitlines()[:1] or [type(error).__name__]
            raise ToolError(
                f"qonnx failed to run the model: {text[0][:300]}",
                hint="check that the model runs in qonnx",
            ) from error
    if found.shape[0] != len(x):
        raise ToolError(f"qonnx gives {found.shape} for {len(x)} samples")
    return np.asarray(found, dtype=np.float32)
