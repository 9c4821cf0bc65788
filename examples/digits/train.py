"""Train the digit classifier and write digits.onnx (int8, QDQ) and held_out.npz.

    pip install 'edgekit[train]'
    python train.py

Data: scikit-learn's digits, 1,797 images of 8x8 pixels with values 0 to 16; three quarters train,
450 are held out. The network is 64-32-10 with a ReLU; weights become int8 per tensor, activations
int8 with ranges calibrated on the training part.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

HERE = Path(__file__).resolve().parent
SEED = 7
HIDDEN = 32
Floats = NDArray[np.float32]


def activation_scale(values: Floats) -> tuple[np.float32, int]:
    """Return the int8 scale and zero point that cover `values` and zero."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    scale = np.float32((high - low) / 255)
    return scale, round(-128 - low / float(scale))


def weight_scale(weight: Floats) -> np.float32:
    """Return the symmetric int8 scale of a weight matrix."""
    return np.float32(np.abs(weight).max() / 127)


class Writer:
    """Collects the nodes and constants of a QDQ graph."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, value: object, dtype: type[np.generic]) -> str:
        """Append a constant and return its name."""
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def quantized(self, name: str, x: str, scale: np.float32, zero: int) -> str:
        """Append QuantizeLinear and DequantizeLinear and return the output's name."""
        s = self.constant(f"{name}_scale", scale, np.float32)
        z = self.constant(f"{name}_zero", zero, np.int8)
        self.nodes.append(helper.make_node("QuantizeLinear", [x, s, z], [f"{name}_q"]))
        self.nodes.append(helper.make_node("DequantizeLinear", [f"{name}_q", s, z], [f"{name}_dq"]))
        return f"{name}_dq"

    def dense(self, name: str, x: str, weight: Floats, bias: Floats, x_scale: np.float32) -> str:
        """Append a Gemm with int8 weights (out, in) and int32 bias; return the output's name."""
        scale = weight_scale(weight)
        w = self.constant(f"{name}_w", np.rint(weight / scale).clip(-127, 127), np.int8)
        b_scale = np.float32(x_scale * scale)
        b = self.constant(f"{name}_b", np.rint(bias / b_scale), np.int32)
        ws = self.constant(f"{name}_w_scale", scale, np.float32)
        wz = self.constant(f"{name}_w_zero", 0, np.int8)
        bs = self.constant(f"{name}_b_scale", b_scale, np.float32)
        bz = self.constant(f"{name}_b_zero", 0, np.int32)
        self.nodes.append(helper.make_node("DequantizeLinear", [w, ws, wz], [f"{name}_w_dq"]))
        self.nodes.append(helper.make_node("DequantizeLinear", [b, bs, bz], [f"{name}_b_dq"]))
        inputs = [x, f"{name}_w_dq", f"{name}_b_dq"]
        self.nodes.append(helper.make_node("Gemm", inputs, [name], name=name, transB=1))
        return name


def export(net: MLPClassifier, calibration: Floats) -> onnx.ModelProto:
    """Return the network as a QDQ ONNX model with a float input and float logits."""
    w1, w2 = (np.asarray(w.T, np.float32) for w in net.coefs_)
    b1, b2 = (np.asarray(b, np.float32) for b in net.intercepts_)
    hidden = np.maximum(calibration @ w1.T + b1, 0)
    x_scale, x_zero = np.float32(16 / 255), -128
    h_scale, h_zero = activation_scale(hidden)
    y_scale, y_zero = activation_scale(hidden @ w2.T + b2)
    writer = Writer()
    x = writer.quantized("pixels", "x", x_scale, x_zero)
    dense = writer.dense("hidden", x, w1, b1, x_scale)
    writer.nodes.append(helper.make_node("Relu", [dense], ["hidden_relu"]))
    h = writer.quantized("hidden_act", "hidden_relu", h_scale, h_zero)
    out = writer.dense("logits", h, w2, b2, h_scale)
    y = writer.quantized("scores", out, y_scale, y_zero)
    graph = helper.make_graph(
        writer.nodes,
        "digits",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, w1.shape[1]])],
        [helper.make_tensor_value_info(y, TensorProto.FLOAT, [1, w2.shape[0]])],
        writer.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def main() -> None:
    """Train, export, and print the accuracy of the float network on the held-out part."""
    digits = load_digits()
    pixels = digits.data.astype(np.float32)
    x, x_test, y, y_test = train_test_split(
        pixels, digits.target, test_size=450, random_state=SEED, stratify=digits.target
    )
    net = MLPClassifier((HIDDEN,), alpha=0.1, max_iter=600, random_state=SEED)
    net.fit(x, y)
    onnx.save(export(net, x), HERE / "digits.onnx")
    np.savez_compressed(HERE / "held_out.npz", x=x_test, y=y_test.astype(np.int64))
    print(f"float accuracy on {len(y_test)} held-out samples: {net.score(x_test, y_test):.4f}")


if __name__ == "__main__":
    main()
