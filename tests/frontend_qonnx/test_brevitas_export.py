"""Networks of Brevitas layers, exported to QONNX: the graph equals qonnx and torch's classes."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from edgekit.frontend import load
from edgekit.frontend.reference import run_reference
from edgekit.ir import edges, interp

pytestmark = [pytest.mark.brevitas, pytest.mark.qonnx]


def exported(kind: str, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Write a network with random parameters; return inputs and torch's outputs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import brevitas.nn as qnn
        import torch
        from brevitas.export import export_qonnx
        from brevitas.quant import (
            Int8ActPerTensorFloat,
            SignedBinaryActPerTensorConst,
            SignedBinaryWeightPerTensorConst,
        )
        from torch import nn

        one = {"weight_quant": SignedBinaryWeightPerTensorConst, "weight_scaling_const": 1.0}
        signs = {"act_quant": SignedBinaryActPerTensorConst, "scaling_const": 1.0}
        torch.manual_seed(3)
        torch.set_num_threads(1)
        networks = {
            "binary": lambda: [
                *(qnn.QuantIdentity(**signs), qnn.QuantLinear(24, 16, bias=False, **one)),
                *(nn.BatchNorm1d(16), qnn.QuantIdentity(**signs)),
                *(qnn.QuantLinear(16, 5, bias=False, **one), nn.BatchNorm1d(5)),
            ],
            "convolution": lambda: [
                qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat),
                *(qnn.QuantConv2d(1, 4, 3, padding=1, bias=False, **one), nn.MaxPool2d(2)),
                *(nn.BatchNorm2d(4), qnn.QuantIdentity(**signs), nn.Flatten()),
                qnn.QuantLinear(36, 5, bias=False, **one),
            ],
            "four bits": lambda: [
                *(
                    qnn.QuantIdentity(bit_width=8),
                    qnn.QuantLinear(24, 16, True, weight_bit_width=4),
                ),
                *(nn.BatchNorm1d(16), qnn.QuantReLU(bit_width=4)),
                qnn.QuantLinear(16, 5, bias=False, weight_bit_width=4),
            ],
        }
        model = nn.Sequential(*networks[kind]())
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                layer.weight.data.normal_()
                layer.bias.data.normal_()
        shape = (1, 6, 6) if kind == "convolution" else (24,)
        x = torch.randn(48, *shape)
        model.train()
        model(x)
        model.eval()
        export_qonnx(model, args=x[:1], export_path=str(path), dynamo=False)
        with torch.no_grad():
            y = model(x)
        return x.numpy(), getattr(y, "value", y).numpy()


@pytest.mark.parametrize(
    "kind",
    [
        "four bits",
        pytest.param("binary", marks=pytest.mark.nightly),
        pytest.param("convolution", marks=pytest.mark.nightly),
    ],
)
def test_the_graph_equals_qonnx_and_torch_s_classes(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "exported.onnx"
    x, y = exported(kind, path)
    graph = load(path)
    found = interp.run(graph, {graph.inputs[0].tensor: edges.quantize(graph.inputs[0], x)})
    scores = found[graph.outputs[0].tensor]
    np.testing.assert_array_equal(scores, run_reference(path, graph, x))
    real = edges.dequantize(graph.outputs[0], scores)
    np.testing.assert_allclose(real, y, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(real.argmax(axis=1), y.argmax(axis=1))
