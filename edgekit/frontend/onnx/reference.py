"""What onnxruntime computes for the same file: the last integer tensor, from its integer kernels.

Runs inside the reference process (`edgekit.frontend.reference_worker`): it imports onnxruntime.

Session options, the same on every machine:
- `ORT_ENABLE_ALL`: QDQ patterns become integer kernels.
- `session.qdqisint8allowed`: int8 stays int8, as on Arm by default. The x86 default rewrites int8
  to uint8, leaves a tensor with two readers out and then computes its neighbours in float32.
- `session.x64quantprecision`, for uint8 models (it breaks int8 ones): no 16-bit saturation on x86
  without VNNI. For either type a probe proves that this machine does not saturate.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from edgekit.errors import ConfigError, ToolError, UnsupportedError
from edgekit.frontend.onnx.convert import convert, last_integer
from edgekit.frontend.onnx.model import Model
from edgekit.frontend.onnx.reader import read
from edgekit.frontend.onnx.values import SourceDType

# Operators whose float result depends on the order of summation or on more than one rounding.
_INEXACT = frozenset(
    {"Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul", "MatMulIntegerToFloat"}
    | {"Add", "Mul", "Sum", "AveragePool", "GlobalAveragePool", "ReduceMean"}
)
_QUIET = 3  # errors only


def run(path: Path, x: NDArray[Any]) -> NDArray[np.int64]:
    """Return the last integer tensor in the source's own integers, in the output's shape.

    Args:
        path: the model; its batch axis is 1 or symbolic.
        x: [samples, *input shape without batch], in the input's dtype.

    Raises:
        UnsupportedError: onnxruntime computes in float what the graph computes in integers.
        ToolError: onnxruntime refuses the model, changes its outputs when the integer tensor is
            made visible, or saturates at 16 bits on this machine.
    """
    if not len(x):
        raise ConfigError("x holds no samples", hint="give at least one")
    model = read(path)
    graph = convert(model)
    name, gather = last_integer(model)
    dtype: SourceDType = "uint8" if graph.inputs[0].source_offset else "int8"
    _probe(dtype)
    source = path.read_bytes()
    plain, floats = _session(source, dtype)
    if floats and not graph.not_compared:
        raise UnsupportedError(
            f"onnxruntime computes {', '.join(floats[:4])} of this model in float32",
            hint="quantize the inputs and outputs of those operators with one type",
        )
    shown, _ = _session(_with_output(source, name), dtype)
    found = _run_all(model, plain, shown, name, x)
    return np.asarray(found.reshape(len(x), -1)[:, gather[0]])


def float_operators(path: Path, dtype: SourceDType) -> tuple[str, ...]:
    """Return the operators (kind and name) that onnxruntime computes in float, not exactly."""
    return _session(path.read_bytes(), dtype)[1]


def _run_all(
    model: Model,
    plain: onnxruntime.InferenceSession,
    shown: onnxruntime.InferenceSession,
    name: str,
    x: NDArray[Any],
) -> NDArray[np.int64]:
    results = []
    for sample in x:
        feed = {model.input.name: sample[np.newaxis]}
        try:
            expected = plain.run([model.output.name], feed)[0]
            outputs = shown.run([model.output.name, name], feed)
        except Exception as exc:  # onnxruntime raises its own types, and RuntimeError
            raise ToolError(
                f"onnxruntime failed to run the model: {_first_line(exc)}",
                hint="check that the model runs in onnxruntime",
            ) from exc
        if not np.array_equal(expected, outputs[0], equal_nan=expected.dtype.kind == "f"):
            raise ToolError(
                "onnxruntime computes other outputs when the last integer tensor is visible",
                hint="make that tensor an output of the model",
            )
        if outputs[1].dtype.kind not in "iu":
            raise ToolError(f"{name[:80]!r} is {outputs[1].dtype} in onnxruntime, not an integer")
        results.append(outputs[1].reshape(-1).astype(np.int64))
    return np.stack(results)


def _session(
    source: bytes, dtype: SourceDType
) -> tuple[onnxruntime.InferenceSession, tuple[str, ...]]:
    with tempfile.TemporaryDirectory(prefix="edgekit-onnx-") as folder:
        saved = Path(folder) / "optimized.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.optimized_model_filepath = str(saved)
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = _QUIET
        options.add_session_config_entry("session.qdqisint8allowed", "1")
        if dtype == "uint8":
            options.add_session_config_entry("session.x64quantprecision", "1")
        try:
            session = onnxruntime.InferenceSession(
                source, options, providers=["CPUExecutionProvider"]
            )
            optimized = onnx.load(str(saved))
        except Exception as exc:  # onnxruntime raises its own types, and RuntimeError
            raise ToolError(
                f"onnxruntime refuses the model: {_first_line(exc)}",
                hint="check that the model runs in onnxruntime",
            ) from exc
    # A HardSwish becomes HardSigmoid and Mul, both of which the loader's table computes.
    gates = {n.output[0] for n in optimized.graph.node if n.op_type == "HardSigmoid"}
    return session, tuple(
        f"{node.op_type} {node.name}".strip()
        for node in optimized.graph.node
        if node.op_type in _INEXACT and not gates.intersection(node.input)
    )


def _with_output(source: bytes, name: str) -> bytes:
    proto = onnx.ModelProto()
    proto.ParseFromString(source)
    if name not in {output.name for output in proto.graph.output}:
        # Without a type: onnxruntime infers it.
        proto.graph.output.append(onnx.ValueInfoProto(name=name))
    return bytes(proto.SerializeToString())


def _probe(dtype: SourceDType) -> None:
    """Refuse a machine whose kernels saturate: pairs of 255 * 127 do not fit 16 bits."""
    session, _ = _session(_probe_model(dtype), dtype)
    extreme = 255 if dtype == "uint8" else -128
    found = session.run(None, {"x": np.full((1, 64), extreme, dtype)})[0]
    # 64 products at the scale that makes the whole sum 100.
    if abs(int(found.reshape(-1)[0])) != 100:
        raise ToolError(
            "onnxruntime's integer kernels saturate at 16 bits on this processor",
            hint="run the reference on a processor with VNNI, or on Arm",
        )


def _probe_model(dtype: SourceDType) -> bytes:
    helper = onnx.helper
    kind = onnx.TensorProto.UINT8 if dtype == "uint8" else onnx.TensorProto.INT8
    total = 64 * 127 * (255 if dtype == "uint8" else 128)
    constants = [
        helper.make_tensor("one", onnx.TensorProto.FLOAT, [], [1.0]),
        helper.make_tensor("scale", onnx.TensorProto.FLOAT, [], [total / 100]),
        helper.make_tensor("zero", kind, [], [0]),
        helper.make_tensor("wz", onnx.TensorProto.INT8, [], [0]),
        helper.make_tensor("w", onnx.TensorProto.INT8, [64, 1], [127] * 64),
    ]
    inputs = ["x", "one", "zero", "w", "one", "wz", "scale", "zero"]
    graph = helper.make_graph(
        [helper.make_node("QLinearMatMul", inputs, ["y"])],
        "probe",
        [helper.make_tensor_value_info("x", kind, [1, 64])],
        [helper.make_tensor_value_info("y", kind, [1, 1])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    return bytes(model.SerializeToString())


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
