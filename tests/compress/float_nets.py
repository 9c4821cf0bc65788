"""Small float networks with seeded weights, and their ONNX files."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekit.compress import floatnet
from edgekit.compress.floatnet import FloatNet
from edgekit.ir.types import Padding


def dense_net(seed: int = 0, widths: tuple[int, ...] = (24, 30, 10)) -> FloatNet:
    draw = np.random.default_rng(seed)
    layers: list[floatnet.Layer] = []
    for number, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        if number:
            layers.append(floatnet.Relu(f"relu {number}"))
        weight, bias = normal(draw, outputs, inputs) / inputs**0.5, normal(draw, outputs) / 4
        layers.append(floatnet.Dense(f"dense {number}", weight, bias))
    return net_of((widths[0],), layers)


def image_net(seed: int = 0) -> FloatNet:
    """Convolution, depthwise, pools and dense layers on 10x9 images of 2 channels."""
    draw = np.random.default_rng(seed)
    layers: list[floatnet.Layer] = [
        floatnet.Conv2D(
            "conv", normal(draw, 8, 3, 3, 2) / 4, normal(draw, 8) / 4, padding=Padding(1, 1, 1, 1)
        ),
        floatnet.Relu("relu"),
        floatnet.MaxPool("pool", (2, 2), (2, 2)),
        floatnet.DepthwiseConv2D(
            "depthwise", normal(draw, 3, 3, 8) / 3, normal(draw, 8) / 4, padding=Padding(1, 1, 1, 1)
        ),
        floatnet.Relu("relu6", 6.0),
        floatnet.Conv2D("point", normal(draw, 12, 1, 1, 8) / 3, normal(draw, 12) / 4),
        floatnet.Relu("relu b"),
        floatnet.AveragePool("mean", (2, 2), (2, 2)),
        floatnet.Dense("dense", normal(draw, 5, 48) / 7, normal(draw, 5) / 4),
    ]
    return net_of((10, 9, 2), layers)


def net_of(shape: tuple[int, ...], layers: list[floatnet.Layer]) -> FloatNet:
    return FloatNet("small", "0" * 64, "x", (1, *shape), None, shape, tuple(layers), "y")


def normal(draw: np.random.Generator, *shape: int) -> np.ndarray:
    return draw.normal(size=shape).astype(np.float32)


def write_onnx(path: Path, *, seed: int = 0, opset: int = 17, fault: str = "") -> Path:
    """Write a network of every operator that compress reads, on (1, 3, 12, 10)."""
    draw = np.random.default_rng(seed)
    tensors = {
        "w1": normal(draw, 8, 3, 3, 3) / 4,
        "b1": normal(draw, 8),
        "gamma": np.abs(normal(draw, 8)) + 0.5,
        "beta": normal(draw, 8),
        "mean": normal(draw, 8),
        "var": np.abs(normal(draw, 8)) + 0.5,
        "w2": normal(draw, 16, 1, 3, 3) / 3,
        "plus": normal(draw, 16, 1, 1),
        "w3": normal(draw, 6, 16, 1, 1) / 3,
        "low": np.float32(0),
        "high": np.float32(6),
        "w4": normal(draw, 6 * 3 * 2, 16) / 6,
        "b4": normal(draw, 1, 16),
        "scale": normal(draw, 16),
        "w5": normal(draw, 5, 16) / 4,
        "b5": normal(draw, 5),
    }
    if fault == "nan":
        tensors["w4"][2, 3] = np.nan
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c1", "gamma", "beta", "mean", "var"], ["n1"]),
        helper.make_node("Relu", ["n1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p1", "w2"], ["c2"], group=8, pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c2", "plus"], ["a2"]),
        helper.make_node("Clip", ["a2", "low", "high"], ["r2"]),
        helper.make_node("Conv", ["r2", "w3"], ["c3"]),
        helper.make_node("Sigmoid" if fault == "sigmoid" else "Relu", ["c3"], ["r3"], name="third"),
        helper.make_node("AveragePool", ["r3"], ["p3"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p3"], ["f3"]),
        helper.make_node("MatMul", ["f3", "w4"], ["m4"]),
        helper.make_node("Add", ["m4", "b4"], ["a4"]),
        helper.make_node("Mul", ["a4", "scale"], ["s4"]),
        helper.make_node("Relu", ["s4"], ["r4"]),
        helper.make_node("Dropout", ["r4"], ["d4"]),
        helper.make_node("Gemm", ["d4", "w5", "b5"], ["g5"], transB=1),
        helper.make_node("Softmax", ["g5"], ["y"], axis=-1),
    ]
    if fault == "branch":
        nodes[8] = helper.make_node("Add", ["c3", "c3b"], ["r3"], name="third")
        nodes.insert(8, helper.make_node("Conv", ["r2", "w3"], ["c3b"]))
    graph = helper.make_graph(
        nodes,
        "float",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 12, 10])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 5])],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, path)
    return path
