"""Layer by layer the same as Brevitas: quantizers, their gradients, and whole layers."""

from __future__ import annotations

import importlib.util
import math
import warnings

import pytest
import torch
from torch import Tensor, nn

from edgekit.train.layers import Weighted, WeightedSpec, Window
from edgekit.train.quantizers import Coded, Sign, Ternary, Uniform, for_weights

pytestmark = [pytest.mark.brevitas, pytest.mark.torch]

if importlib.util.find_spec("brevitas") is not None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import brevitas.nn as qnn
        from brevitas import quant

    class BinaryWeight(quant.SignedBinaryWeightPerTensorConst):
        scaling_const = 1.0

    class TernaryWeight(quant.SignedTernaryWeightPerTensorConst):
        scaling_const = 1.0

    class Int4Weight(quant.Int8WeightPerChannelFloat):
        bit_width = 4

    class BinaryAct(quant.SignedBinaryActPerTensorConst):
        scaling_const = 1.0
        min_val = -1.0
        max_val = 1.0

    class TernaryAct(quant.SignedTernaryActPerTensorConst):
        pass

    class Int4Act(quant.Int8ActPerTensorFloat):
        bit_width = 4
        scaling_impl_type = "const"
        min_val = -2.0
        max_val = 2.0

    class Uint4Act(quant.Uint8ActPerTensorFloat):
        bit_width = 4
        scaling_impl_type = "const"
        min_val = 0.0
        max_val = 3.75


def _values(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _latents(kind: str, *shape: int) -> Tensor:
    """Return weights within [-1, 1]; ternary ones have their threshold at 1/2, as theirs do."""
    values = _values(*shape, seed=1).clamp(-1, 1)
    if kind != "ternary":
        return values
    low, high = 0.0, 1.0  # the smaller the power, the larger the mean
    for _ in range(60):
        power = (low + high) / 2
        mean = (values.abs() ** power).mean().item()
        low, high = (power, high) if mean > 0.5 / 0.7 else (low, power)
    return values.sign() * values.abs() ** power


def _with_step(quantizer: nn.Module, scale: Tensor) -> nn.Module:
    """Give a uniform quantizer exactly this scale."""
    if isinstance(quantizer, Uniform):
        quantizer.step = lambda: scale
    return quantizer.eval()


def _plain(value: object) -> Tensor:
    return value if isinstance(value, Tensor) else value.value


def _real(coded: Coded) -> Tensor:
    return coded.codes if coded.scale is None else coded.codes * coded.scale


@pytest.mark.parametrize("kind", ["binary", "ternary", "int4"])
def test_weights(kind: str) -> None:
    theirs = {"binary": BinaryWeight, "ternary": TernaryWeight, "int4": Int4Weight}[kind]
    layer = qnn.QuantConv2d(3, 5, 3, bias=False, weight_quant=theirs)
    layer.weight.data.copy_(_latents(kind, 5, 3, 3, 3))
    if kind != "ternary":
        layer.weight.data[0, 0, 0] = torch.tensor([0.0, 0.5, -0.5])
    wanted = layer.quant_weight()
    ours = for_weights(kind, (5, 1, 1, 1))
    if kind == "int4":
        ours = _with_step(ours, wanted.scale.detach())
    assert torch.equal(_real(ours(layer.weight)), _plain(wanted))


@pytest.mark.parametrize(
    ("name", "ours", "step", "ends"),
    [
        ("BinaryAct", Sign(), 1.0, (-1, 1)),
        ("TernaryAct", Ternary(), 1.0, (-1, 1)),
        ("Int4Act", Uniform(-8, 7), 0.25, (-2, 1.75)),
        ("Uint4Act", Uniform(0, 15), 0.25, (0, 3.75)),
    ],
)
def test_activations_and_their_gradients(
    name: str, ours: nn.Module, step: float, ends: tuple[float, float]
) -> None:
    """Gradients end at the last code here, and half a step later there."""
    theirs = qnn.QuantIdentity(act_quant=globals()[name]).eval()
    x = (torch.arange(-400, 401) / 64).requires_grad_(True)  # ties and both ends among them
    wanted = _plain(theirs(x))
    found = _real(_with_step(ours, torch.tensor([step]))(x))
    assert torch.equal(found, wanted)
    upstream = _values(x.numel())
    low, high = ends
    same = (low < x) & (x < high) | (x < low - step) | (high + step < x)
    (theirs_gradient,) = torch.autograd.grad((wanted * upstream).sum(), x)
    (our_gradient,) = torch.autograd.grad((found * upstream).sum(), x)
    assert torch.allclose(our_gradient[same], theirs_gradient[same])


@pytest.mark.parametrize("kind", ["dense", "conv", "depthwise"])
@pytest.mark.parametrize("bits", ["binary", "ternary"])
def test_layers_with_batch_norm_and_their_gradients(kind: str, bits: str) -> None:
    weight, act = {"binary": (BinaryWeight, BinaryAct), "ternary": (TernaryWeight, TernaryAct)}[
        bits
    ]
    window = None if kind == "dense" else Window((3, 3), (2, 2), (1, 1), pool=(2, 2))
    outputs = 6 if kind == "depthwise" else 4
    spec = WeightedSpec(kind, 6, outputs, bits, bits, "batch", window)
    ours = Weighted(spec, torch.Generator().manual_seed(0))
    ours.latent.data.copy_(_latents(bits, *spec.shape))
    norm = nn.BatchNorm1d(outputs) if kind == "dense" else nn.BatchNorm2d(outputs)
    if kind == "dense":
        sums = qnn.QuantLinear(6, outputs, bias=False, weight_quant=weight)
        theirs = nn.Sequential(sums, norm, qnn.QuantIdentity(act_quant=act))
    else:
        sums = qnn.QuantConv2d(
            *(6, outputs, 3),
            stride=2,
            padding=1,
            groups=6 if kind == "depthwise" else 1,
            bias=False,
            weight_quant=weight,
        )
        theirs = nn.Sequential(sums, nn.MaxPool2d(2), norm, qnn.QuantIdentity(act_quant=act))
    sums.weight.data.copy_(ours.latent.data)
    with torch.no_grad():
        norm.weight.copy_(_values(outputs, seed=2).abs() + 0.1)
        norm.bias.copy_(_values(outputs, seed=3))
        ours.scaling.gamma.copy_(norm.weight)
        ours.scaling.beta.copy_(norm.bias)
    shape = (32, 6) if kind == "dense" else (32, 6, 9, 9)
    for step in range(3):  # running statistics, then evaluation
        x = torch.where(_values(*shape, seed=4 + step) >= 0, 1.0, -1.0)
        found, wanted = ours.train()(Coded(x, None, 1.0)).codes, _plain(theirs.train()(x))
        assert torch.equal(found, wanted)
    if bits == "binary":
        upstream = _values(*found.shape, seed=9)
        (found * upstream).sum().backward()
        (wanted * upstream).sum().backward()
        assert torch.allclose(ours.latent.grad, sums.weight.grad, atol=1e-5)
        assert torch.allclose(ours.scaling.gamma.grad, norm.weight.grad, atol=1e-4)
    assert torch.allclose(ours.scaling.mean, norm.running_mean)
    assert torch.allclose(ours.scaling.variance, norm.running_var)
    with torch.no_grad():
        assert torch.equal(ours.eval()(Coded(x, None, 1.0)).codes, _plain(theirs.eval()(x)))


def test_a_layer_of_int4_weights_and_unsigned_activations() -> None:
    sums = qnn.QuantLinear(12, 5, bias=False, weight_quant=Int4Weight)
    theirs = nn.Sequential(
        qnn.QuantIdentity(act_quant=Uint4Act), sums, qnn.QuantIdentity(act_quant=Int4Act)
    ).eval()
    spec = WeightedSpec("dense", 12, 5, "int4", "int4", "none")
    ours = Weighted(spec, torch.Generator()).eval()
    ours.latent.data.copy_(sums.weight.data)
    _with_step(ours.quantizer, sums.quant_weight().scale.detach())
    _with_step(ours.activation, torch.tensor([0.25]))
    encode = _with_step(Uniform(0, 15), torch.tensor([0.25]))
    x = _values(200, 12) * math.sqrt(3)
    with torch.no_grad():
        assert torch.equal(_real(ours(encode(x))), _plain(theirs(x)))
