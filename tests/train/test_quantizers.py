"""Quantizers: codes, straight-through gradients and learned scales."""

from __future__ import annotations

import math

import pytest
import torch

from edgekit.train import quantizers
from edgekit.train.quantizers import Uniform

pytestmark = pytest.mark.torch


def _gradient(quantizer, values):
    x = torch.tensor(values, requires_grad=True)
    quantizer(x).sum().backward()
    return x.grad.tolist()


def test_sign_of_zero_is_plus_one_and_gradients_pass_within_one() -> None:
    x = [-1.5, -1.0, -0.2, 0.0, 1.0, 1.01]
    assert quantizers.sign(torch.tensor(x)).tolist() == [-1, -1, -1, 1, 1, 1]
    assert _gradient(quantizers.sign, x) == [0, 1, 1, 1, 1, 0]


def test_ternary_thresholds_are_halves() -> None:
    x = [-2.0, -0.51, -0.5, 0.0, 0.5, 0.51]
    assert quantizers.ternary(torch.tensor(x)).tolist() == [-1, -1, 0, 0, 0, 1]
    assert _gradient(quantizers.ternary, x) == [0, 1, 1, 1, 1, 1]


def test_thresholds_of_ternary_weights_follow_their_mean() -> None:
    x = [-2.0, -0.71, 0.69, 0.0, 0.0, 0.6, 1.0]  # a mean of 1 over those that are not 0
    for size in (1.0, 0.01):
        codes, scale, bound = quantizers.TernaryWeights()(torch.tensor(x) * size)
        assert codes.tolist() == [-1, -1, 0, 0, 0, 0, 1]
        assert (scale, bound) == (None, 1.0)
    assert _gradient(quantizers.ternary_weights, x) == [0, 1, 1, 1, 1, 1, 1]
    assert quantizers.ternary_weights(torch.zeros(3)).tolist() == [0, 0, 0]


def test_rounding_goes_to_even_and_passes_gradients() -> None:
    x = [-1.5, -0.5, 0.5, 1.5, 2.4]
    assert quantizers.round_through(torch.tensor(x)).tolist() == [-2, 0, 0, 2, 2]
    assert _gradient(quantizers.round_through, x) == [1, 1, 1, 1, 1]


def test_a_uniform_quantizer_rounds_and_clamps() -> None:
    quantizer = Uniform(-8, 7).eval()
    quantizer.exponent.data.fill_(-2.0)
    codes, scale, bound = quantizer(torch.tensor([-9.0, -0.375, 0.125, 0.3, 5.0]))
    assert codes.tolist() == [-8, -2, 0, 1, 7]
    assert scale.tolist() == [0.25]
    assert bound == 8


def test_the_first_training_values_set_the_scale() -> None:
    quantizer = Uniform(-7, 7)
    x = torch.linspace(-1, 1, 64).reshape(8, 8)
    quantizer.train()(x)
    assert quantizer.step().item() == pytest.approx(2 * x.abs().mean().item() / math.sqrt(7))
    quantizer(x * 100)
    assert quantizer.step().item() == pytest.approx(2 * x.abs().mean().item() / math.sqrt(7))


def test_scales_of_weights_are_per_output_channel() -> None:
    quantizer = Uniform(-7, 7, (3, 1, 1, 1)).train()
    x = torch.arange(1, 4).reshape(3, 1, 1, 1) * torch.ones(3, 2, 2, 2)
    quantizer(x)
    assert quantizer.step().flatten().tolist() == pytest.approx(
        [2 * value / math.sqrt(7) for value in (1, 2, 3)]
    )


def test_a_clamped_value_widens_the_scale_and_a_rounded_one_moves_it_to_fit() -> None:
    """The published gradient of the scale: n or p when clamped, round(v) - v within."""
    quantizer = Uniform(-8, 7).train()
    quantizer.ready.fill_(True)
    for value, expected in ((100.0, 7.0), (-100.0, -8.0), (2.3, 2 - 2.3), (1.6, 2 - 1.6)):
        quantizer.exponent.grad = None
        codes, scale, _ = quantizer(torch.tensor([[value]]))
        (codes * scale).sum().backward()
        by_scale = expected / math.sqrt(7) * math.log(2)  # d scale = scale ln 2 d exponent
        assert quantizer.exponent.grad.item() == pytest.approx(by_scale, abs=1e-5)
