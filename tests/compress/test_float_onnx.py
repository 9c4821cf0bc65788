from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from float_nets import write_onnx

from edgekit.compress import floatnet, onnx
from edgekit.errors import UnsupportedError


def reference(path: Path, x: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (name,) = [entry.name for entry in session.get_inputs()]
    return session.run(None, {name: x})[0]


def outputs(net: floatnet.FloatNet, x: np.ndarray) -> np.ndarray:
    y = floatnet.forward(net, floatnet.to_layout(net, x))
    if not net.host_ops:
        return y
    power = np.exp(y - y.max(axis=-1, keepdims=True))
    return power / power.sum(axis=-1, keepdims=True)


def test_a_float_network_is_read_as_onnxruntime_runs_it(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    net = onnx.load(path)
    x = np.random.default_rng(1).normal(size=(6, 3, 12, 10)).astype(np.float32)
    np.testing.assert_allclose(outputs(net, x), reference(path, x), atol=1e-5)
    kinds = [type(layer).__name__ for layer in net.layers]
    heads = ["Conv2D", "Relu", "MaxPool", "DepthwiseConv2D", "Relu", "Conv2D", "Relu"]
    assert kinds == [*heads, "AveragePool", "Dense", "Relu", "Dense"]
    assert (net.transpose, net.input_shape, net.output_shape) == ((0, 2, 3, 1), (12, 10, 3), (5,))


@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    [
        "qonnx_repo/mnist_conv_f32",
        "mlperf_results_onnx/alibaba_v07_ad_f32",
        "mlperf_results_onnx/alibaba_v07_vww_f32",
        "mlperf_results_onnx/kaijiang_v13_vww_f32",
    ],
)
def test_published_float_networks_are_read_as_onnxruntime_runs_them(
    shared_data: Path, name: str
) -> None:
    path = shared_data / "models" / f"{name}.onnx"
    net = onnx.load(path)
    x = np.random.default_rng(1).normal(size=(1, *net.source_shape[1:])).astype(np.float32)
    np.testing.assert_allclose(outputs(net, x), reference(path, x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("nan", "MatMul 11: its weights hold 1 NaN or infinite values"),
        ("sigmoid", "Sigmoid 8 (third): Sigmoid is not an operator that compress takes"),
        (
            "branch",
            "Conv 8: it reads r2; compress takes chains, where each layer reads the one before",
        ),
    ],
)
def test_what_is_no_float_chain_is_named(tmp_path: Path, fault: str, message: str) -> None:
    path = write_onnx(tmp_path / "net.onnx", fault=fault)
    with pytest.raises(UnsupportedError) as caught:
        onnx.load(path)
    assert caught.value.message == message


@pytest.mark.data
def test_a_quantized_model_says_what_is_possible(shared_data: Path) -> None:
    with pytest.raises(UnsupportedError) as caught:
        onnx.load(shared_data / "models/mlperf_results_onnx/kaijiang_v13_ic_qdq_int8.onnx")
    assert "quantized already; compress takes float networks" in caught.value.message
    assert "edgekit deploy" in caught.value.hint
