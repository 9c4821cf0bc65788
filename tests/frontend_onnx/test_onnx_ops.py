"""Every operator against onnxruntime, exactly: random shapes, strides, pads, groups, types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from writers.onnx_writer import Net

from edgekit import frontend
from edgekit.errors import UnsupportedError
from edgekit.frontend.onnx import reference
from edgekit.ir.graph import Graph

DTYPES = ("int8", "uint8")
FORMS = ("qdq", "qoperator")

Check = Callable[..., Graph]


def image(seed: int, dtype: str, form: str, float_input: bool = True) -> Net:
    rng = np.random.default_rng([seed, 7])
    shape = (1, int(rng.integers(1, 9)), int(rng.integers(4, 13)), int(rng.integers(4, 13)))
    return Net(seed, shape, dtype=dtype, form=form, float_input=float_input)


def window(rng: np.random.Generator, padded: bool = True) -> dict[str, tuple[int, ...]]:
    return {
        "kernel": tuple(int(v) for v in rng.integers(1, 4, 2)),
        "stride": tuple(int(v) for v in rng.integers(1, 4, 2)),
        "pads": tuple(int(v) for v in rng.integers(0, 3, 4)) if padded else (0, 0, 0, 0),
    }


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(8))
def test_conv(check: Check, seed: int, dtype: str, form: str) -> None:
    rng = np.random.default_rng(seed)
    net = image(seed, dtype, form)
    relu = [None, "relu", "clip"][seed % 3] if form == "qdq" else None
    dilation = (2, 1) if seed % 4 == 3 else (1, 1)
    net.conv(
        int(rng.integers(1, 12)),
        **window(rng),
        dilation=dilation,
        per_channel=bool(seed % 2),
        bias=bool(seed % 3),
        relu=relu,
    )
    check(net)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(6))
def test_depthwise_conv(check: Check, seed: int, dtype: str, form: str) -> None:
    rng = np.random.default_rng(seed)
    net = image(seed, dtype, form)
    net.conv(4, (1, 1))
    net.conv(1 + seed % 3, **window(rng), depthwise=True, per_channel=bool(seed % 2))
    check(net)


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("seed", range(3))
def test_auto_pad(check: Check, seed: int, mode: str) -> None:
    net = Net(seed, (1, 3, 8 + seed, 9))
    net.conv(4, (3, 2), (2, 2), auto_pad=mode)
    check(net)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(6))
def test_gemm(check: Check, seed: int, dtype: str, form: str) -> None:
    rng = np.random.default_rng(seed)
    net = Net(seed, (1, int(rng.integers(1, 200))), dtype=dtype, form=form)
    relu = "relu" if form == "qdq" and seed % 2 else None
    net.gemm(
        int(rng.integers(2, 70)),
        turned=bool(seed % 2),
        per_channel=seed % 3 == 1,
        bias=bool(seed % 4),
        relu=relu,
    )
    net.gemm(5)
    check(net, softmax=form == "qdq")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(4))
def test_matmul(check: Check, seed: int, dtype: str, form: str) -> None:
    net = Net(seed, (1, 20 + 30 * seed), dtype=dtype, form=form)
    check(net.matmul(11, per_channel=bool(seed % 2)))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(6))
def test_add(check: Check, seed: int, dtype: str, form: str) -> None:
    net = image(seed, dtype, form)
    net.conv(5, (1, 1))
    first = net.branch()
    net.conv(5, (3, 3), (1, 1), (1, 1, 1, 1))
    net.add(first, relu=form == "qdq" and bool(seed % 2))
    check(net)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(4))
def test_global_average_pool(check: Check, seed: int, dtype: str, form: str) -> None:
    net = image(seed, dtype, form)
    net.conv(16, (3, 3))
    kernel = net.current.shape[2:] if seed % 2 else None
    net.average_pool(kernel, kernel or (1, 1))
    check(net)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(4))
def test_max_pool(check: Check, seed: int, dtype: str, form: str) -> None:
    net = image(seed, dtype, form)
    net.conv(3, (1, 1))
    pads = (1, 0, 1, 0) if seed % 2 else (0, 0, 0, 0)
    net.max_pool((2, 3), (1 + seed % 2, 2), pads)
    net.conv(4, (1, 1))
    check(net)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_pad_then_conv(check: Check, dtype: str, form: str) -> None:
    net = Net(3, (1, 2, 6, 7), dtype=dtype, form=form)
    net.pad((0, 0, 1, 2), (0, 0, 3, 0)).conv(5)
    check(net)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("move", ["flatten", "reshape", "reshape_whole"])
def test_image_to_vector_permutes_weight_columns(check: Check, form: str, move: str) -> None:
    net = Net(5, (1, 3, 8, 7), form=form)
    net.conv(6, (3, 3), (2, 2))
    _, channels, height, width = net.current.shape
    if move == "flatten":
        net.flatten()
    else:
        net.reshape(1 if move == "reshape" else -1, channels * height * width)
    check(net.gemm(9))


@pytest.mark.parametrize("form", FORMS)
def test_vector_to_image(check: Check, form: str) -> None:
    net = Net(6, (1, 60), form=form)
    check(net.reshape(-1, 1, 10, 6).conv(4, (3, 3)))


@pytest.mark.parametrize("float_input", [True, False])
def test_channels_last_input_needs_no_transpose(check: Check, float_input: bool) -> None:
    net = Net(7, (1, 8, 7, 3), float_input=float_input)
    graph = check(net.transpose(0, 3, 1, 2).conv(4))
    assert graph.inputs[0].transpose is None


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_integer_input_and_output(check: Check, dtype: str, form: str) -> None:
    net = Net(8, (1, 3, 8, 8), dtype=dtype, form=form, float_input=False)
    graph = check(net.conv(4), integers=True)
    offset = 128 if dtype == "uint8" else 0
    edge = graph.outputs[0]
    assert graph.inputs[0].source_dtype == edge.source_dtype == dtype
    assert graph.inputs[0].source_offset == edge.source_offset == offset
    assert graph.inputs[0].transpose == edge.transpose == (0, 2, 3, 1)
    assert edge.host_ops == ()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["Conv", "Gemm"])
@pytest.mark.parametrize("seed", range(4))
def test_a_float_bias_is_quantized(check: Check, seed: int, kind: str, dtype: str) -> None:
    if kind == "Conv":
        net = Net(seed, (1, 3, 8, 8), dtype=dtype).conv(7, per_channel=bool(seed % 2))
    else:
        net = Net(seed, (1, 30), dtype=dtype).gemm(9, per_channel=bool(seed % 2))
    user = next(node for node in net.nodes if node.op_type == kind)
    dequantizer = next(node for node in net.nodes if node.output[0] == user.input[2])
    stored = {c.name: onnx.numpy_helper.to_array(c) for c in net.constants}
    integers, scale = (stored[name] for name in dequantizer.input[:2])
    net.nodes.remove(dequantizer)
    fractions = net.rng.uniform(-0.5, 0.5, integers.size)
    real = ((integers + fractions) * scale).astype(np.float32)
    net.constants.append(onnx.numpy_helper.from_array(real, user.input[2]))
    check(net)


@pytest.mark.parametrize("form", FORMS)
def test_axes_of_extent_one_come_and_go(check: Check, form: str) -> None:
    net = Net(14, (1, 3, 8, 8), form=form)
    net.conv(6, (3, 3)).average_pool(None)
    net._moved("Squeeze", [net.const([2, 3], "int64")], (1, 6), {})
    net.gemm(7)
    net._moved("Unsqueeze", [net.const([2, 3], "int64")], (1, 7, 1, 1), {})
    check(net.conv(5, (1, 1)))


@pytest.mark.parametrize("form", FORMS)
def test_identity(check: Check, form: str) -> None:
    net = Net(15, (1, 3, 8, 8), form=form).conv(4)
    x = net.current
    net.current = replace(x, name=net.node("Identity", [x.name]))
    if form == "qdq":
        net.current = replace(x, real=net.node("Identity", [x.real]))
    check(net.conv(3))


@pytest.mark.parametrize("dtype", DTYPES)
def test_quantizers_of_the_microsoft_domain(check: Check, dtype: str) -> None:
    net = Net(16, (1, 3, 8, 8), dtype=dtype)
    net.conv(8, (3, 3), relu="relu").conv(8, depthwise=True).average_pool(None).flatten().gemm(6)
    for node in net.nodes:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            node.domain = "com.microsoft"
    check(net, varied=8)


@pytest.mark.parametrize("dtype", DTYPES)
def test_quantized_softmax_is_left_to_the_host(check: Check, dtype: str) -> None:
    net = Net(17, (1, 40), dtype=dtype, form="qoperator").gemm(9)
    x = net.current
    y = replace(x, scale=np.float32(1 / 256), zero=0 if dtype == "uint8" else -128)
    inputs = [x.name, *net.params(x), *net.params(y)]
    name = net.node("QLinearSoftmax", inputs, "com.microsoft", axis=-1, opset=net.opset)
    net.form = "qdq"  # the file ends with a DequantizeLinear
    net.current = net._dequantized(replace(y, name=name))
    graph = check(net, not_compared=("QLinearSoftmax",))
    assert graph.outputs[0].host_ops == ("dequantize", "softmax")


def test_symbolic_batch_is_one(check: Check) -> None:
    graph = check(Net(9, (1, 3, 8, 8), batch="N").conv(4))
    assert graph.inputs[0].source_shape == (1, 3, 8, 8)


@pytest.mark.parametrize("limits", [(None, None), (-0.5, 0.9)])
def test_a_relu_of_its_own_is_a_clamp(check: Check, limits: tuple[float | None, ...]) -> None:
    net = Net(10, (1, 3, 6, 6)).conv(4)
    graph = check(net.relu(*limits).conv(3))
    assert "Clamp" in [type(node).__name__ for node in graph.nodes]


@pytest.mark.parametrize("factor", [0.77, 1.9, 3.3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_change_of_scale_is_requantized(check: Check, factor: float, dtype: str) -> None:
    net = Net(11, (1, 3, 6, 6), dtype=dtype, form="qoperator").conv(4)
    graph = check(net.rescale(factor).conv(3))
    assert "Requantize" in [type(node).__name__ for node in graph.nodes]


@pytest.mark.parametrize("between", ["nothing", "relu", "max_pool"])
def test_two_quantizers_in_a_row_are_refused(tmp_path: Path, between: str) -> None:
    net = Net(11, (1, 3, 6, 6)).conv(4)
    if between == "relu":
        net.current = replace(net.current, real=net.node("Relu", [net.current.real]))
    elif between == "max_pool":
        x = net.current
        pooled = net.node("MaxPool", [x.real], kernel_shape=(2, 2))
        net.current = replace(x, real=pooled, shape=(1, 4, 3, 3))
    path = tmp_path / "model.onnx"
    onnx.save(net.rescale(0.7).conv(3, (1, 1)).model(), str(path))
    with pytest.raises(UnsupportedError, match=r"QuantizeLinear \d+ .* merges"):
        frontend.load(path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(3))
def test_residual_network(check: Check, seed: int, dtype: str, form: str) -> None:
    net = Net(seed, (1, 3, 12, 12), dtype=dtype, form=form)
    net.conv(8, (3, 3), (1, 1), (1, 1, 1, 1), relu="relu" if form == "qdq" else None)
    first = net.branch()
    net.conv(8, (3, 3), (1, 1), (1, 1, 1, 1)).conv(1, (3, 3), (1, 1), (1, 1, 1, 1), depthwise=True)
    net.add(first).max_pool((2, 2), (2, 2)).conv(10, (1, 1)).average_pool(None)
    check(net.flatten().gemm(7), softmax=form == "qdq", varied=8)


def test_average_pool_of_part_of_the_image_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(Net(12, (1, 4, 8, 8)).conv(5).average_pool((2, 2), (2, 2)).model(), str(path))
    graph = frontend.load(path)
    assert [entry.label.split()[0] for entry in graph.not_compared] == ["AveragePool"]
    assert "float32" in graph.not_compared[0].reason


def test_a_relu_outside_its_quantizer_is_listed(tmp_path: Path) -> None:
    net = Net(13, (1, 4, 8, 8)).conv(5, relu="relu")
    zero = next(c for c in net.constants if c.name == net.nodes[-2].input[2])
    zero.CopyFrom(onnx.numpy_helper.from_array(np.array(0, np.int8), zero.name))
    last = next(c for c in net.constants if c.name == net.nodes[-1].input[2])
    last.CopyFrom(onnx.numpy_helper.from_array(np.array(0, np.int8), last.name))
    path = tmp_path / "model.onnx"
    onnx.save(net.model(), str(path))
    graph = frontend.load(path)
    assert [entry.label.split()[0] for entry in graph.not_compared] == ["Conv"]
    assert reference.float_operators(path, "int8") != ()
    assert graph.nodes[-1].requant.low == 0
