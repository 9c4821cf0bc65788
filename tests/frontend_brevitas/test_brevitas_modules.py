"""Live modules of Brevitas layers: the graph gives the module's own scores and classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

import brevitas.nn as qnn  # noqa: E402
from brevitas.quant import (  # noqa: E402
    Int8ActPerTensorFloat,
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFloat,
    Int32Bias,
    SignedBinaryActPerTensorConst,
    SignedBinaryWeightPerTensorConst,
    SignedTernaryActPerTensorConst,
    SignedTernaryWeightPerTensorConst,
)
from torch import nn  # noqa: E402

from edgekit import frontend  # noqa: E402
from edgekit.errors import ConfigError, UnsupportedError  # noqa: E402
from edgekit.frontend import brevitas  # noqa: E402
from edgekit.ir import edges, interp  # noqa: E402
from edgekit.ir.graph import Graph  # noqa: E402
from edgekit.ir.types import DType, InputGrid  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.brevitas]


class BinaryWeights(SignedBinaryWeightPerTensorConst):
    scaling_const = 1.0


class Signs(SignedBinaryActPerTensorConst):
    scaling_const = 1.0
    min_val = -1.0
    max_val = 1.0


def signs() -> nn.Module:
    return qnn.QuantIdentity(act_quant=Signs)


def binary(inputs: int, outputs: int) -> list[nn.Module]:
    layer = qnn.QuantLinear(inputs, outputs, bias=False, weight_quant=BinaryWeights)
    return [signs(), layer, nn.BatchNorm1d(outputs)]


def settled(module: nn.Module, shape: tuple[int, ...], seed: int = 0) -> nn.Module:
    """Return the module with statistics of random data and gammas of either sign."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    module.train()
    for _ in range(3):
        module(torch.randn(32, *shape[1:]))
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.weight.data = torch.randn_like(layer.weight)
            layer.bias.data = torch.randn_like(layer.bias)
    return module.eval()


def compared(
    module: nn.Module, shape: tuple[int, ...], grid: InputGrid | None = None, bound: float = 2e-6
) -> Graph:
    graph = brevitas.load(module, shape, grid)
    rng = np.random.default_rng(3)
    if grid is None:
        x = rng.normal(0, 1, (40, *shape[1:])).astype(np.float32)
    else:
        integers = rng.integers(0, 256, (40, *shape[1:])) - grid.zero_point
        x = integers.astype(np.float32) * np.float32(grid.scale)
    edge, last = graph.inputs[0], graph.outputs[0]
    start = edges.quantize(edge, x).reshape(40, *graph.tensors[edge.tensor].shape)
    found = edges.dequantize(last, interp.run(graph, {edge.tensor: start})[last.tensor])
    wanted = brevitas.scores(module, x).reshape(40, -1)
    assert len(np.unique(wanted, axis=0)) > 3
    scale = float(np.abs(wanted).max())
    np.testing.assert_allclose(found.reshape(40, -1), wanted, atol=bound * scale, rtol=0)
    return graph


def test_binary_layers() -> None:
    module = nn.Sequential(*binary(24, 32), *binary(32, 16), nn.Dropout(), *binary(16, 5))
    graph = compared(settled(module, (1, 24)), (1, 24))
    assert graph.source.format == "brevitas"
    assert graph.inputs[0].dtype is DType.BINARY


def test_convolutions_with_padding_and_pools() -> None:
    def conv(inputs: int, outputs: int, **options: object) -> nn.Module:
        return qnn.QuantConv2d(
            inputs, outputs, 3, bias=False, weight_quant=BinaryWeights, **options
        )

    module = nn.Sequential(
        *(signs(), conv(3, 8, padding=1), nn.MaxPool2d(2), nn.BatchNorm2d(8)),
        *(signs(), conv(8, 8, groups=8, padding=1, stride=2), nn.BatchNorm2d(8)),
        *(signs(), conv(8, 12, padding="same"), nn.BatchNorm2d(12)),
        *(signs(), nn.Flatten()),
        qnn.QuantLinear(12 * 4, 6, bias=True, weight_quant=SignedTernaryWeightPerTensorConst),
    )
    compared(settled(module, (1, 3, 8, 8)), (1, 3, 8, 8))


def test_forward_of_its_own() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.start = qnn.QuantIdentity(act_quant=SignedTernaryActPerTensorConst)
            self.conv = qnn.QuantConv1d(
                2, 6, 3, bias=True, weight_quant=SignedTernaryWeightPerTensorConst, padding=1
            )
            self.rest = nn.Sequential(nn.BatchNorm1d(6), qnn.QuantReLU(bit_width=3))
            self.pool = nn.MaxPool1d(2)
            self.last = qnn.QuantLinear(30, 4, bias=False, weight_quant=BinaryWeights)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.pool(self.rest(self.conv(self.start(x))))
            return self.last(torch.flatten(x, 1))

    compared(settled(Net(), (1, 2, 10)), (1, 2, 10))


@pytest.mark.parametrize("bits", [3, 4, 8])
@pytest.mark.parametrize("weights", [Int8WeightPerTensorFloat, Int8WeightPerChannelFloat])
def test_integers_with_learned_scales(bits: int, weights: type) -> None:
    module = nn.Sequential(
        qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat, return_quant_tensor=True),
        qnn.QuantLinear(
            16, 12, bias=True, weight_quant=weights, weight_bit_width=bits, bias_quant=Int32Bias
        ),
        qnn.QuantReLU(bit_width=bits),
        qnn.QuantLinear(12, 10, bias=True, weight_quant=weights, weight_bit_width=bits),
        nn.BatchNorm1d(10),
        qnn.QuantHardTanh(bit_width=bits, min_val=-2.0, max_val=2.0),
        qnn.QuantLinear(10, 5, bias=False, weight_quant=weights, weight_bit_width=bits),
    )
    compared(settled(module, (1, 16)), (1, 16))


def test_first_layer_on_a_grid() -> None:
    module = nn.Sequential(
        qnn.QuantConv2d(1, 8, 3, bias=False, weight_quant=BinaryWeights),
        *(nn.BatchNorm2d(8), signs(), nn.AvgPool2d(2), nn.BatchNorm2d(8)),
        *(signs(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    )
    grid = InputGrid(1 / 128, 128, "uint8")
    compared(settled(module, (1, 1, 8, 8)), (1, 1, 8, 8), grid)
    with pytest.raises(UnsupportedError, match="real numbers"):
        brevitas.load(module, (1, 1, 8, 8))


def test_the_module_is_left_as_it_was() -> None:
    module = nn.Sequential(*binary(6, 4)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    brevitas.load(module, (1, 6))
    assert module.training
    assert all(bool((before[key] == value).all()) for key, value in module.state_dict().items())


def test_refusals() -> None:
    first = binary(6, 4)
    for word, module in (
        ("Linear 3", nn.Sequential(*first, nn.Linear(4, 2))),
        ("LayerNorm", nn.Sequential(*first, nn.LayerNorm(4))),
        ("not quantized", nn.Sequential(qnn.QuantLinear(6, 2, bias=False, weight_quant=None))),
        ("groups", nn.Sequential(signs(), qnn.QuantConv2d(4, 4, 1, groups=2, bias=False))),
    ):
        shape = (1, 4, 3, 3) if word == "groups" else (1, 6)
        with pytest.raises(UnsupportedError, match=word):
            brevitas.load(module, shape)
    with pytest.raises(ConfigError, match="input_shape"):
        brevitas.load(nn.Sequential(*first), (6,))
    with pytest.raises(UnsupportedError, match="does not take"):
        brevitas.load(nn.Sequential(*first), (1, 7))


def test_branches_and_values_in_forward() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = nn.Sequential(*binary(6, 6))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.block(x) + x

    class Deciding(Residual):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.block(x) if x.sum() > 0 else x

    with pytest.raises(UnsupportedError, match="reads 2 values"):
        brevitas.load(Residual(), (1, 6))
    with pytest.raises(UnsupportedError, match="cannot be followed"):
        brevitas.load(Deciding(), (1, 6))


def test_parameters_that_are_no_numbers() -> None:
    for name in ("weight", "running_mean"):
        module = nn.Sequential(*binary(6, 4))
        getattr(module[2], name).data[1] = float("nan")
        with pytest.raises(UnsupportedError, match=name):
            brevitas.load(module, (1, 6))


@pytest.mark.qonnx
@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["binary", "integer"])
def test_exported_and_live_agree(kind: str, tmp_path: Path) -> None:
    from brevitas.export import export_qonnx

    if kind == "binary":
        module = nn.Sequential(*binary(24, 32), *binary(32, 16), *binary(16, 5))
    else:
        module = nn.Sequential(
            qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat),
            qnn.QuantLinear(24, 16, bias=True, weight_quant=Int8WeightPerTensorFloat),
            qnn.QuantReLU(bit_width=4),
            qnn.QuantLinear(16, 5, bias=True, weight_bit_width=4),
        )
    settled(module, (1, 24))
    path = tmp_path / "net.onnx"
    x = np.random.default_rng(1).normal(0, 1, (200, 24)).astype(np.float32)
    export_qonnx(module, args=torch.from_numpy(x[:1]), export_path=str(path), dynamo=False)
    found = []
    for graph in (frontend.load(path), brevitas.load(module, (1, 24))):
        edge, last = graph.inputs[0], graph.outputs[0]
        values = interp.run(graph, {edge.tensor: edges.quantize(edge, x)})[last.tensor]
        found.append(edges.dequantize(last, values).reshape(200, -1))
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-5 * np.abs(found[0]).max())
    np.testing.assert_array_equal(found[0].argmax(axis=1), found[1].argmax(axis=1))
