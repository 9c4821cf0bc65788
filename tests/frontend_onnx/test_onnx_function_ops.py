"""Functions of one value, products, differences, joins and one-dimensional layers, exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from writers.onnx_writer import Net

from edgekit.frontend.onnx import float32
from edgekit.ir.graph import Graph

DTYPES = ("int8", "uint8")
FORMS = ("qdq", "qoperator")
UNARY: dict[str, tuple[float, float, dict[str, Any], Callable[..., Any]]] = {
    "Sigmoid": (0.0, 1.0, {}, float32.sigmoid),
    "Tanh": (-1.0, 1.0, {}, float32.tanh),
    "LeakyRelu": (-0.4, 2.0, {"alpha": 0.2}, float32.leaky_relu(0.2)),
    "HardSigmoid": (0.0, 1.0, {"alpha": 0.3, "beta": 0.4}, float32.hard_sigmoid(0.3, 0.4)),
    "HardSwish": (-0.4, 2.0, {}, float32.hard_swish),
    "Neg": (-2.0, 2.0, {}, np.negative),
    "Abs": (0.0, 2.0, {}, np.abs),
}
FUSED = ("Sigmoid", "LeakyRelu")

Check = Callable[..., Graph]


def computed(kind: str, x: NDArray[np.float32], attributes: dict[str, Any]) -> Any:
    """Return what onnxruntime computes for float values."""
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, list(x.shape)) for n in "xy"]
    node = helper.make_node(kind, ["x"], ["y"], **attributes)
    graph = helper.make_graph([node], "one", infos[:1], infos[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize("kind", UNARY)
def test_float32_functions_are_the_runtimes(kind: str) -> None:
    _, _, attributes, function = UNARY[kind]
    rng = np.random.default_rng(5)
    for spread in (0.01, 1.0, 6.0, 300.0):
        x = rng.normal(0, spread, 5001).astype(np.float32)
        np.testing.assert_array_equal(function(x), computed(kind, x, attributes))


@pytest.mark.parametrize("kind", UNARY)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(4))
def test_unary(check: Check, seed: int, dtype: str, kind: str) -> None:
    low, high, attributes, _ = UNARY[kind]
    net = Net(seed, (1, 3, 7, 6), dtype=dtype).unary(kind, low, high, **attributes)
    graph = check(net if seed % 2 else net.conv(4))
    assert "Lut8" in [type(node).__name__ for node in graph.nodes]


@pytest.mark.parametrize("kind", FUSED)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(3))
def test_unary_as_one_operator(check: Check, seed: int, dtype: str, kind: str) -> None:
    low, high, attributes, _ = UNARY[kind]
    net = Net(seed, (1, 3, 7, 6), dtype=dtype, form="qoperator")
    check(net.unary(kind, low, high, **attributes))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(6))
def test_mul(check: Check, seed: int, dtype: str, form: str) -> None:
    net = Net(seed, (1, 3, 9, 8), dtype=dtype, form=form)
    net.conv(5, (1, 1))
    first = net.branch()
    net.conv(5, (3, 3), (1, 1), (1, 1, 1, 1))
    check(net.mul(first))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(3))
def test_a_gate_for_each_channel(check: Check, seed: int, dtype: str, form: str) -> None:
    """Squeeze and excitation."""
    net = Net(seed, (1, 3, 9, 8), dtype=dtype, form=form).conv(6)
    image = net.branch()
    net.average_pool(None).conv(6, (1, 1)).unary("Sigmoid", 0.0, 1.0)
    gate = net.current
    net.current = image
    check(net.mul(gate).conv(4))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(6))
def test_sub(check: Check, seed: int, dtype: str) -> None:
    net = Net(seed, (1, 3, 9, 8), dtype=dtype)
    net.conv(5, (1, 1))
    first = net.branch()
    net.conv(5, (3, 3), (1, 1), (1, 1, 1, 1))
    check(net.sub(first))


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("axis", [1, 2, 3])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_concat(check: Check, dtype: str, form: str, axis: int, same: bool) -> None:
    net = Net(3, (1, 3, 7, 6), dtype=dtype, form=form).conv(5, (1, 1))
    first = net.branch()
    net.conv(5, (3, 3), (1, 1), (1, 1, 1, 1))
    graph = check(net.concat(first, axis=axis, same=same).conv(4, (1, 1)))
    assert "Concat" in [type(node).__name__ for node in graph.nodes]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_concat_of_flattened_images(check: Check, dtype: str, form: str) -> None:
    net = Net(4, (1, 3, 8, 8), dtype=dtype, form=form).conv(4).flatten()
    first = net.branch()
    net.current = replace(first)
    net.gemm(9)
    check(net.concat(first).gemm(5))


RESIZES: tuple[dict[str, str], ...] = (
    {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "round_prefer_floor"},
    {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_floor"},
    {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"},
    {"coordinate_transformation_mode": "pytorch_half_pixel", "nearest_mode": "ceil"},
    {"coordinate_transformation_mode": "align_corners", "nearest_mode": "floor"},
    {"coordinate_transformation_mode": "align_corners", "nearest_mode": "round_prefer_ceil"},
)


@pytest.mark.parametrize("attributes", RESIZES, ids=lambda a: "-".join(a.values()))
@pytest.mark.parametrize("size", [(10, 12), (3, 4), (13, 5), (1, 1)])
@pytest.mark.parametrize("form", FORMS)
def test_resize(check: Check, form: str, size: tuple[int, int], attributes: dict[str, str]) -> None:
    net = Net(2, (1, 3, 5, 6), form=form).conv(4, (1, 1))
    check(net.resize(*size, by_scales=size == (10, 12), **attributes))


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_reduce_mean_is_listed(check: Check, dtype: str, keep: bool) -> None:
    net = Net(6, (1, 3, 8, 8), dtype=dtype).conv(16).reduce_mean(keep=keep)
    net = net.flatten() if keep else net
    check(net.gemm(20), not_compared=("ReduceMean",))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(4))
def test_one_dimensional_layers(check: Check, seed: int, dtype: str, form: str) -> None:
    net = Net(seed, (1, 3, 40), dtype=dtype, form=form)
    net.conv1d(6, 5, stride=1 + seed % 2, pads=(seed, 1), dilation=1 + seed % 3)
    net.conv1d(2, 3, depthwise=True).max_pool1d(2, 2)
    check(net.conv1d(5, 1).average_pool(None).flatten().gemm(14))


@pytest.mark.parametrize("form", FORMS)
def test_a_transpose_that_moves_data(check: Check, form: str) -> None:
    net = Net(4, (1, 3, 8, 7), form=form).conv(4).transpose(0, 2, 3, 1).conv(3, (1, 1))
    graph = check(net)
    assert "Transpose" in [type(node).__name__ for node in graph.nodes]


@pytest.mark.parametrize("image", [False, True])
@pytest.mark.parametrize("kind", ["Gemm", "QLinearMatMul", "Conv", "QLinearConv"])
def test_weights_of_nine_bits(check: Check, kind: str, image: bool) -> None:
    """uint8 weights less a zero point that is far from the middle."""
    form = "qoperator" if kind.startswith("QLinear") else "qdq"
    net = Net(5, (1, 3, 5, 4) if image else (1, 60), dtype="uint8", form=form)
    if kind.endswith("Conv"):
        net = net if image else net.reshape(1, 4, 15)
        net = net.conv(7, per_channel=False) if image else net.conv1d(7, 5)
    else:
        net = net.flatten() if image else net
        net = net.gemm(9) if kind == "Gemm" else net.matmul(9)
    _to_uint8(net, zero_point=100)
    graph = check(net)
    assert "Concat" in [type(node).__name__ for node in graph.nodes]


def _to_uint8(net: Net, zero_point: int) -> None:
    """Store the only weights as uint8, 128 more, with this zero point."""
    weights = next(c for c in net.constants if c.data_type == TensorProto.INT8 and len(c.dims) > 1)
    place = next(n for n in net.nodes if weights.name in n.input)
    zero = place.input[list(place.input).index(weights.name) + 2]
    zeros = next(c for c in net.constants if c.name == zero)
    shape = onnx.numpy_helper.to_array(zeros).shape
    values = (onnx.numpy_helper.to_array(weights).astype(int) + 128).astype(np.uint8)
    for tensor, array in ((weights, values), (zeros, np.full(shape, zero_point, np.uint8))):
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
