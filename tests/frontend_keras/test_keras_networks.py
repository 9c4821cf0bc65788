"""Networks of Larq and QKeras layers: the graph's integers are the source's own arithmetic."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from keras_check import compared
from writers.keras_writer import STE_SIGN, KerasNet, larq, qkeras

from edgekit import frontend
from edgekit.frontend.bounded import BoundedProcess
from edgekit.frontend.keras import load
from edgekit.frontend.reference import Reference
from edgekit.ir import edges, interp
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import LowBitConv2D, MaxPool
from edgekit.ir.types import DType, InputGrid

pytestmark = pytest.mark.h5py
Check = Callable[..., Graph]
SIGNS = {"input_quantizer": STE_SIGN}
PIXELS = InputGrid(1 / 16, 128, "uint8")


def binary_net(seed: int = 1) -> KerasNet:
    net = KerasNet((8, 8, 1), seed).conv((3, 3), 1, 16, padding="same", **SIGNS).pool()
    net.norm(16, scale=False).conv((3, 3), 16, 32, padding="same", pad_values=1.0, **SIGNS)
    net.norm(32).depthwise((3, 3), 32, padding="same", input_quantizer=larq("SteTern"))
    net.norm(32).layer("Flatten").dense(512, 10, bias=True, **SIGNS).norm(10)
    return net.layer("Activation", {"activation": "softmax"})


def test_binary_net_in_both_containers(check: Check, tmp_path: Path) -> None:
    graph = check(binary_net())
    assert graph.inputs[0].dtype is DType.BINARY
    x = np.random.default_rng(0).normal(0, 1, (9, 8, 8, 1)).astype(np.float32)
    found = []
    for suffix, functional in ((".h5", False), (".h5", True), (".keras", False), (".keras", True)):
        net = binary_net()
        config = net.functional_config() if functional else net.model_config()
        graph = compared(net.save(tmp_path / f"net{suffix}", config), x)
        start = edges.quantize(graph.inputs[0], x)
        found.append(interp.run(graph, {"input": start})[graph.outputs[0].tensor])
    assert all((each == found[0]).all() for each in found)


def keras_3(config: dict) -> dict:
    """Return a functional configuration as Keras 3 writes it."""
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}}
    for layer in config["config"]["layers"]:
        layer["module"] = "keras.layers"
        settings, nodes = layer["config"], layer["inbound_nodes"]
        if layer["class_name"] == "InputLayer":
            settings["batch_shape"] = settings.pop("batch_input_shape")
            continue
        settings["dtype"] = policy
        history = {"dtype": "float32", "keras_history": nodes[0][0][:3]}
        tensor = {"class_name": "__keras_tensor__", "config": history}
        layer["inbound_nodes"] = [{"args": [tensor], "kwargs": {}}]
    for ends in ("input_layers", "output_layers"):
        config["config"][ends] = config["config"][ends][0]
    return config


def test_configuration_of_keras_3(tmp_path: Path) -> None:
    net = KerasNet((10,), 13).dense(10, 8, **SIGNS).norm(8).dense(8, 4, **SIGNS)
    config = keras_3(json.loads(json.dumps(net.functional_config())))
    x = np.random.default_rng(0).normal(0, 1, (9, 10)).astype(np.float32)
    for suffix in (".h5", ".keras"):
        compared(net.save(tmp_path / f"net{suffix}", config), x)


def test_equal_in_the_reference_process(tmp_path: Path, process: BoundedProcess) -> None:
    net = KerasNet((6, 6, 1), 2).conv((3, 3), 1, 8).pool().norm(8).layer("Flatten")
    path = net.dense(32, 4, **SIGNS).save(tmp_path / "net.keras")
    graph = load(path, PIXELS, process=process)
    assert graph.source.format == "keras"
    x = (np.random.default_rng(1).integers(0, 256, (30, 6, 6, 1)) - 128) / 16.0
    start = edges.quantize(graph.inputs[0], x).reshape(30, 6, 6, 1)
    mine = interp.run(graph, {"input": start})[graph.outputs[0].tensor]
    with Reference() as worker:
        np.testing.assert_array_equal(worker.run(path, graph, x), mine)
    assert frontend.load(path, grid=PIXELS).source == graph.source


@pytest.mark.parametrize("gamma", [1.0, -1.0, 0.0])
def test_gamma_of_every_sign(check: Check, gamma: float) -> None:
    for pooled in (False, True):
        net = KerasNet((6, 6, 4), 3).conv((3, 3), 4, 8, **SIGNS)
        net = net.pool().norm(8) if pooled else net.norm(8)
        net.layers[-1][2]["gamma"][:] = gamma
        net.layer("Flatten").dense(32 if pooled else 128, 5, **SIGNS)
        check(net)


@pytest.mark.parametrize(("scale", "center"), [(True, False), (False, True), (False, False)])
def test_batch_norm_without_parameters(check: Check, scale: bool, center: bool) -> None:
    net = KerasNet((20,), 4).dense(20, 16, **SIGNS).norm(16, scale=scale, center=center)
    check(net.dense(16, 6, **SIGNS))


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_padding_is_what_the_layer_says(check: Check, value: float, stride: int) -> None:
    net = KerasNet((7, 6, 5), 5).conv(
        (3, 2), 5, 6, padding="same", pad_values=value, strides=[stride, stride], **SIGNS
    )
    graph = check(net)
    node = graph.nodes[0]
    assert isinstance(node, LowBitConv2D)
    assert node.padding_value == value


@pytest.mark.parametrize(
    "quantizer",
    [
        larq("ApproxSign"),
        larq("SwishSign", beta=5.0),
        "ste_sign",
        larq("SteHeaviside"),
        larq("SteTern", threshold_value=0.4, ternary_weight_networks=False),
        larq("DoReFa", k_bit=2, mode="activations"),
        larq("DoReFa", k_bit=3, mode="activations"),
        qkeras("quantized_bits", bits=4, integer=1, symmetric=0, alpha=1),
        "quantized_bits(3,0,1,alpha=1.0)",
        "quantized_bits(1,0,alpha=0.5)",
        "quantized_relu(4,2)",
        "quantized_relu(3, 1, use_sigmoid=1)",
        "quantized_relu(4,1,negative_slope=0.25)",
        "quantized_relu(8,2)",
        "quantized_bits(8,2,alpha=1)",
        "binary(alpha=0.5)",
        qkeras("binary", use_01=True, alpha=1, use_stochastic_rounding=False),
        "stochastic_binary(alpha=1.0)",
        "ternary(alpha=1.0,threshold=0.5)",
        qkeras("stochastic_ternary", alpha=None, threshold=None, temperature=8.0),
    ],
    ids=str,
)
def test_quantizers_of_activations(check: Check, quantizer: object) -> None:
    net = KerasNet((18,), 6).dense(18, 16, input_quantizer=quantizer).norm(16)
    net.dense(16, 12, input_quantizer=quantizer, bias=True).norm(12)
    check(net.dense(12, 5, input_quantizer=quantizer))


@pytest.mark.parametrize(
    "quantizer",
    [
        larq("SteTern", threshold_value=0.3),
        larq("SteTern", ternary_weight_networks=True),
        larq("MagnitudeAwareSign"),
        larq("SteHeaviside"),
        larq("DoReFa", k_bit=1, mode="weights"),
        larq("DoReFa", k_bit=3, mode="weights"),
    ],
    ids=str,
)
def test_quantizers_of_weights(check: Check, quantizer: object) -> None:
    net = KerasNet((7, 7, 3), 7).conv((3, 3), 3, 8, kernel_quantizer=quantizer, **SIGNS).norm(8)
    net.depthwise((3, 3), 8, 2, depthwise_quantizer=quantizer, **SIGNS).norm(16)
    net.layer("Flatten").dense(144, 5, kernel_quantizer=quantizer, **SIGNS)
    check(net)


def test_one_dimension(check: Check) -> None:
    net = KerasNet((20, 3), 8)
    net.conv((3,), 3, 8, padding="causal", dilation_rate=[2], **SIGNS).pool("MaxPooling1D").norm(8)
    net.conv((3,), 8, 8, padding="same", strides=[2], pad_values=-1.0, **SIGNS).norm(8)
    graph = check(net.layer("Flatten").dense(40, 4, **SIGNS))
    assert graph.tensors["input"].shape == (1, 20, 3)


def test_pools(check: Check) -> None:
    net = KerasNet((9, 9, 2), 9).conv((2, 2), 2, 8, **SIGNS)
    net.pool(size=3, strides=[2, 2], padding="same").norm(8).layer("SteSign")
    net.pool(size=2, padding="same").pool("AveragePooling2D").norm(8)
    graph = check(net.layer("SteSign").layer("GlobalAveragePooling2D"))
    assert sum(isinstance(node, MaxPool) for node in graph.nodes) == 2


@pytest.mark.parametrize("kind", ["GlobalMaxPooling2D", "GlobalAveragePooling2D"])
@pytest.mark.parametrize("keep", [False, True])
def test_global_pools(check: Check, kind: str, keep: bool) -> None:
    net = KerasNet((6, 5, 2), 12).conv((2, 2), 2, 8, **SIGNS)
    if "Average" in kind:
        net.norm(8).layer("SteSign")
    net.layer(kind, {"keepdims": keep}).norm(8).layer("SteSign")
    check(net.layer("Flatten").dense(8, 4))


def test_functions_between(check: Check) -> None:
    net = KerasNet((12,), 10).layer("Rescaling", {"scale": 0.5, "offset": -0.25})
    net.layer("Dropout", {"rate": 0.2}).dense(12, 16, **SIGNS).norm(16)
    net.layer("ReLU", {"max_value": 6.0}).dense(16, 8, input_quantizer="quantized_relu(3,2)")
    net.norm(8).layer("Activation", {"activation": "hard_tanh"})
    check(net.dense(8, 4, input_quantizer="quantized_bits(2,0,alpha=1)"))


def test_first_layer_on_the_grid_of_its_input(check: Check) -> None:
    net = KerasNet((6, 6, 1), 11).conv((3, 3), 1, 8, padding="same").pool().norm(8)
    graph = check(net.layer("Flatten").dense(72, 3, **SIGNS), grid=PIXELS)
    assert graph.inputs[0].dtype is DType.INT8
    assert graph.inputs[0].source_offset == 128
