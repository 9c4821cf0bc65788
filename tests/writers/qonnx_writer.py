"""Small QONNX files, operator by operator, and random networks of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

GENERAL = "qonnx.custom_op.general"


class Net:
    """One chain of operators; every method appends one and the newest tensor is `top`."""

    def __init__(self, shape: tuple[int, ...], domain: str = GENERAL) -> None:
        self.domain = domain
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.shape = shape
        self.top = "x"

    def constant(self, values: object, dtype: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.array(values, dtype), name))
        return name

    def node(self, kind: str, *inputs: str, domain: str = "", **attributes: object) -> str:
        name = f"t{len(self.nodes)}"
        made = onnx.helper.make_node(kind, inputs, [name], name, domain=domain, **attributes)
        self.nodes.append(made)
        return name

    def add(self, kind: str, *inputs: str, domain: str = "", **attributes: object) -> Net:
        self.top = self.node(kind, self.top, *inputs, domain=domain, **attributes)
        return self

    def quantized(
        self,
        x: str,
        scale: object = 1.0,
        zero: object = 0.0,
        bits: float = 2.0,
        signed: int = 1,
        narrow: int = 0,
        rounding: str = "ROUND",
        kind: str = "Quant",
    ) -> str:
        constants = (self.constant(scale), self.constant(zero), self.constant(bits))
        flags = {"signed": signed, "narrow": narrow, "rounding_mode": rounding}
        return self.node(kind, x, *constants, domain=self.domain, **flags)

    def quant(self, **how: object) -> Net:
        self.top = self.quantized(self.top, **how)
        return self

    def bipolar(self, scale: float = 1.0) -> Net:
        return self.add("BipolarQuant", self.constant(scale), domain=self.domain)

    def dense(self, weights: np.ndarray, how: dict[str, object] | None = None) -> Net:
        """MatMul with weights (N_out, N_in), quantized as `how` says, None: to one bit."""
        return self.add("MatMul", self.node("Transpose", self._weights(weights, how), perm=[1, 0]))

    def conv(
        self, weights: np.ndarray, how: dict[str, object] | None = None, **attributes: object
    ) -> Net:
        return self.add("Conv", self._weights(weights, how), **attributes)

    def _weights(self, weights: np.ndarray, how: dict[str, object] | None) -> str:
        if how is None:
            scale = self.constant(1.0)
            return self.node("BipolarQuant", self.constant(weights), scale, domain=self.domain)
        return self.quantized(self.constant(weights), **how)

    def norm(
        self, gamma: np.ndarray, beta: np.ndarray, mean: np.ndarray, variance: np.ndarray
    ) -> Net:
        parts = (self.constant(part) for part in (gamma, beta, mean, variance))
        return self.add("BatchNormalization", *parts, epsilon=1e-5)

    def thresholds(self, rows: np.ndarray, scale: float = 1.0, bias: float = 0.0) -> Net:
        return self.add(
            "MultiThreshold",
            self.constant(rows),
            domain=self.domain,
            out_dtype="INT8",
            out_scale=scale,
            out_bias=bias,
        )

    def model(self, opset: int = 13) -> onnx.ModelProto:
        graph = onnx.helper.make_graph(
            self.nodes,
            "net",
            [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, self.shape)],
            [onnx.helper.make_tensor_value_info(self.top, onnx.TensorProto.FLOAT, None)],
            self.constants,
        )
        # The shape of an output need not be known, but a rank must be.
        graph.output[0].type.tensor_type.shape.Clear()
        graph.output[0].type.tensor_type.shape.dim.add().dim_value = 1
        graph.output[0].type.tensor_type.shape.dim.add().dim_param = "n"
        imports = [onnx.helper.make_opsetid("", opset), onnx.helper.make_opsetid(self.domain, 1)]
        return onnx.helper.make_model(graph, opset_imports=imports, ir_version=8)

    def save(self, path: Path, opset: int = 13) -> Path:
        path.write_bytes(self.model(opset).SerializeToString())
        return path


def random_norm(rng: np.random.Generator, channels: int, reach: float) -> tuple[np.ndarray, ...]:
    """Return batch-norm parameters with gammas of either sign and 0, means within `reach`."""
    gamma = rng.normal(0, 1, channels) * rng.choice([-1.0, 1.0], channels)
    gamma[rng.random(channels) < 0.15] = 0.0
    beta, mean = rng.normal(0, 0.7, channels), rng.normal(0, reach / 4, channels)
    parts = (gamma, beta, mean, rng.uniform(0.5, 2, channels) * reach)
    return tuple(part.astype(np.float32) for part in parts)


def random_activation(rng: np.random.Generator, net: Net) -> None:
    """Append a quantizer of 1 to 4 bits."""
    choice = int(rng.integers(5))
    if choice == 0:
        net.bipolar(float(rng.choice([1.0, 0.5])))
    elif choice == 1:
        net.quant(scale=0.5, bits=2.0, narrow=1)
    elif choice == 2:
        net.quant(scale=0.25, bits=float(rng.integers(2, 5)))
    elif choice == 3:
        net.add("Relu").quant(scale=0.25, bits=float(rng.integers(2, 5)), signed=0)
    else:
        net.thresholds(np.sort(rng.normal(0, 1, (1, 3))), 0.5, -0.5)


def random_weights(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[np.ndarray, object]:
    """Return float weights and how they are quantized: 1, 2 (narrow), 2 or 4 bits, by channel."""
    weights = rng.normal(0, 1, shape).astype(np.float32)
    choice = int(rng.integers(4))
    if choice == 0:
        return weights, None
    if choice == 1:
        return weights, {"scale": 0.5, "bits": 2.0, "narrow": 1}
    if choice == 2:
        return weights, {"scale": 1.0, "bits": 2.0}
    scales = 2.0 ** rng.integers(-4, -1, shape[0]).astype(np.float32)
    return weights, {"scale": scales.reshape(-1, *(1,) * (len(shape) - 1)), "bits": 4.0}


def random_dense(rng: np.random.Generator) -> Net:
    """Return a dense network of two to three layers."""
    width = int(rng.integers(3, 20))
    net = Net((1, width))
    random_activation(rng, net)
    for _ in range(int(rng.integers(1, 3))):
        out = int(rng.integers(2, 12))
        net.dense(*random_weights(rng, (out, width)))
        net.norm(*random_norm(rng, out, width))
        random_activation(rng, net)
        width = out
    net.dense(*random_weights(rng, (4, width)))
    if rng.random() < 0.5:
        net.add("Mul", net.constant([0.125])).add("Add", net.constant([0.5]))
    return net


def random_image(rng: np.random.Generator) -> Net:
    """Return a convolutional network with pools at every place that one may stand at."""
    channels, size = int(rng.integers(1, 4)), int(rng.integers(6, 9))
    net = Net((1, channels, size, size))
    random_activation(rng, net)
    for _ in range(int(rng.integers(1, 3))):
        depthwise = rng.random() < 0.25
        out = channels if depthwise else int(rng.integers(2, 6))
        pad = int(rng.integers(2))
        shape = (out, 1 if depthwise else channels, 3, 3)
        groups = {"group": channels} if depthwise else {}
        net.conv(*random_weights(rng, shape), pads=[pad] * 4, kernel_shape=[3, 3], **groups)
        size, channels = size + 2 * pad - 2, out
        place = int(rng.integers(4)) if size >= 4 else 3
        if place == 0:
            net.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        net.norm(*random_norm(rng, out, 9 * shape[1]))
        if place == 1:
            net.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        random_activation(rng, net)
        if place == 2:
            net.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        size = size // 2 if place < 3 else size
        if size < 3:
            break
    net.add("Flatten")
    net.dense(*random_weights(rng, (3, channels * size * size)))
    return net
