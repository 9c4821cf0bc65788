"""What a user gets for a model that cannot be represented: the operator, its place, what helps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from writers.onnx_writer import Net

from edgekit import frontend
from edgekit.errors import ConfigError, EdgekitError, UnsupportedError
from edgekit.frontend.onnx import reader

Change = Callable[[onnx.ModelProto], None]


def small(form: str = "qdq") -> onnx.ModelProto:
    return Net(1, (1, 3, 8, 8), form=form).conv(4).max_pool((2, 2)).flatten().gemm(5).model()


def load(tmp_path: Path, model: onnx.ModelProto) -> EdgekitError:
    path = tmp_path / "net_bad.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(EdgekitError) as caught:
        frontend.load(path)
    return caught.value


def node(model: onnx.ModelProto, kind: str) -> onnx.NodeProto:
    return next(n for n in model.graph.node if n.op_type == kind)


def constant(model: onnx.ModelProto, name: str) -> onnx.TensorProto:
    return next(t for t in model.graph.initializer if t.name == name)


def set_scale(model: onnx.ModelProto, value: float) -> None:
    tensor = constant(model, node(model, "QuantizeLinear").input[1])
    tensor.CopyFrom(numpy_helper.from_array(np.array(value, np.float32), tensor.name))


def external(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")


def subgraph(model: onnx.ModelProto) -> None:
    body = helper.make_graph([], "body", [], [])
    model.graph.node[3].attribute.append(helper.make_attribute("then_branch", body))


def cycle(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = model.graph.node[-1].output[0]


def duplicate(model: onnx.ModelProto) -> None:
    model.graph.node[3].output[0] = model.graph.node[0].output[0]


def truncated(model: onnx.ModelProto) -> None:
    tensor = constant(model, node(model, "DequantizeLinear").input[1])
    tensor.raw_data = tensor.raw_data[:-1]


def huge(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [2**40, 2**40]


def batch(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4


def dynamic(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"


def grouped(model: onnx.ModelProto) -> None:
    conv = node(model, "Conv")
    next(a for a in conv.attribute if a.name == "group").i = 2


CHANGES: tuple[tuple[Change, str], ...] = (
    (lambda m: set_scale(m, 0.0), "QuantizeLinear 0 (nt0): input 1 holds a scale that is not"),
    (lambda m: set_scale(m, np.nan), "input 1 holds a scale that is not a positive finite"),
    (lambda m: set_scale(m, -0.5), "input 1 holds a scale that is not a positive finite"),
    (external, "initializer c0 keeps its data in another file"),
    (subgraph, "attribute then_branch is a subgraph"),
    (cycle, "is used before it is produced: the nodes are not in order, or form a cycle"),
    (duplicate, "output 't0' is produced twice"),
    (truncated, "holds 3 bytes; 4 are wanted"),
    (huge, "which is out of bounds"),
    (batch, "has shape 4x3x8x8; a batch axis of 1"),
    (dynamic, "has shape 1x3x?x8; a batch axis of 1"),
    (grouped, "3 channels in 2 groups with weights of 3 channels"),
    (lambda m: m.graph.initializer.append(m.graph.initializer[0]), "appears twice"),
    (lambda m: setattr(m.functions.add(), "name", "F"), "defines function 'F'"),
    (lambda m: setattr(m.graph.node[0], "domain", "org.x"), "operator of domain 'org.x'"),
    (lambda m: setattr(m.opset_import[0], "version", 9), "imports opset 9; one of 10 to 25"),
    (lambda m: setattr(node(m, "Conv"), "op_type", "ConvTranspose"), "ConvTranspose 4 (nt4): "),
    (lambda m: m.graph.node[1].input.append("x"), "it has 4 inputs; opset 15 gives it 2 to 3"),
    (lambda m: m.graph.output.append(m.graph.output[0]), "the model has 1 inputs and 2 outputs"),
)


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_refusals_name_the_place(tmp_path: Path, change: Change, message: str) -> None:
    model = small()
    change(model)
    error = load(tmp_path, model)
    assert isinstance(error, UnsupportedError)
    assert message in error.message


def test_an_unsupported_operator_names_shape_and_alternatives(tmp_path: Path) -> None:
    net = Net(2, (1, 3, 8, 8)).conv(4)
    net.current = net._quantized(
        net.node("Elu", [net.current.real]), net.current.shape, np.float32(1 / 256), 0, 40.0
    )
    error = load(tmp_path, net.model())
    assert error.message.startswith("Elu 7 (nt7): operator Elu is not supported")
    assert "(1, 4, 6, 6)" in error.message
    assert "QLinearConv" in error.hint


def test_a_float_model_is_told_to_quantize(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "float",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 6, 6])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])
    error = load(tmp_path, model)
    assert "input 0 is the float input, not quantized yet" in error.message
    assert "QuantizeLinear" in error.hint


def test_a_float_end_is_refused(tmp_path: Path) -> None:
    model = small()
    graph = model.graph
    output = node(model, "Gemm").output[0]
    graph.output[0].name = output
    del graph.node[-2:]
    assert "it ends the model in float" in load(tmp_path, model).message


def test_two_readers_of_a_float_result_are_refused(tmp_path: Path) -> None:
    net = Net(3, (1, 3, 8, 8)).conv(4)
    conv = next(n for n in net.nodes if n.op_type == "Conv").output[0]
    net._quantized(conv, net.current.shape, np.float32(0.1), 0, 40.0)
    assert "its float output has 2 readers" in load(tmp_path, net.model()).message


def test_a_bias_of_another_scale_is_refused(tmp_path: Path) -> None:
    model = small()
    dequantizer = next(n for n in model.graph.node if n.output[0] == node(model, "Conv").input[2])
    tensor = constant(model, dequantizer.input[1])
    values = numpy_helper.to_array(tensor) * np.float32(2)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    assert "the scale of its bias is not input scale times" in load(tmp_path, model).message


def test_elements_that_no_transpose_moves_are_refused(tmp_path: Path) -> None:
    net = Net(4, (1, 3, 8, 8)).conv(4).reshape(1, 6, 4, 6).conv(3, (1, 1))
    assert "no transpose does that" in load(tmp_path, net.model()).message


@pytest.mark.parametrize("data", [b"", b"\x08", b"\x08\x08\x3a\xff\xff\xff\xff\x0f", b"TFL3" * 9])
def test_bytes_that_are_no_model(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(data)
    with pytest.raises((ConfigError, UnsupportedError)):
        frontend.load(path)


def test_a_file_over_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(small().SerializeToString())
    monkeypatch.setattr(reader, "MAX_FILE_BYTES", 100)
    with pytest.raises(UnsupportedError, match="at most 100 are read"):
        reader.read(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        reader.read(tmp_path / "none.onnx")
