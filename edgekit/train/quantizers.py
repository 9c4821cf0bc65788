"""Thin quantizers with straight-through estimators.

A quantizer turns real values into integer codes and their scale: real = code * scale. Layers
compute on codes, whose sums are exact, and scale afterwards. Where the scale is None it is 1 and
nothing is multiplied: binary and ternary networks have no scales at all.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from edgekit.ir.types import DType
from edgekit.train.config_layers import Activation, Weight


class Coded(NamedTuple):
    """Integer codes as float32, their scale (None: 1) and the largest magnitude of a code."""

    codes: Tensor
    scale: Tensor | None
    bound: float  # infinite for real values


class Quantizer(Protocol):
    """What weights and activations are quantized by."""

    def __call__(self, x: Tensor) -> Coded:
        """Return the codes of `x`."""
        ...


class _Sign(torch.autograd.Function):
    """+1 where x >= 0, else -1; the gradient passes where |x| <= 1."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * (x.abs() <= 1)


class _Ternary(torch.autograd.Function):
    """Sign where |x| > threshold, else 0; the gradient passes where |x| <= 1."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, threshold: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.sign(x) * (x.abs() > threshold)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return gradient * (x.abs() <= 1), None


class _Round(torch.autograd.Function):
    """The nearest integer, ties to even; the gradient passes."""

    @staticmethod
    def forward(_: FunctionCtx, x: Tensor) -> Tensor:
        return torch.round(x)

    @staticmethod
    def backward(_: FunctionCtx, gradient: Tensor) -> Tensor:
        return gradient


def sign(x: Tensor) -> Tensor:
    """Return +1 where x >= 0 and -1 elsewhere, with a straight-through gradient."""
    return cast("Tensor", _Sign.apply(x))


def ternary(x: Tensor) -> Tensor:
    """Return -1, 0 or +1 with thresholds at -1/2 and +1/2, with a straight-through gradient."""
    return cast("Tensor", _Ternary.apply(x, torch.tensor(0.5)))


def ternary_weights(x: Tensor) -> Tensor:
    """Return -1, 0 or +1 with thresholds at -t and +t, with a straight-through gradient.

    t is 0.7 of the mean |x| (ternary weight networks, arXiv 1605.04711, section 2.3), over those
    that are not pruned to 0, so that a third or so of what is left becomes 0.
    """
    size = x.detach().abs()
    mean = size.sum(dtype=torch.float64) / torch.count_nonzero(size).clamp(min=1)
    return cast("Tensor", _Ternary.apply(x, (0.7 * mean).float()))


def round_through(x: Tensor) -> Tensor:
    """Return the nearest integers with a straight-through gradient."""
    return cast("Tensor", _Round.apply(x))


class Sign(nn.Module):
    """Binary codes, scale 1."""

    low, high = -1, 1

    def forward(self, x: Tensor) -> Coded:
        """Return -1 and +1."""
        return Coded(sign(x), None, 1.0)


class Ternary(nn.Module):
    """Ternary codes, scale 1."""

    low, high = -1, 1

    def forward(self, x: Tensor) -> Coded:
        """Return -1, 0 and +1."""
        return Coded(ternary(x), None, 1.0)


class TernaryWeights(nn.Module):
    """Ternary codes with a threshold from all weights of the layer, scale 1."""

    low, high = -1, 1

    def forward(self, x: Tensor) -> Coded:
        """Return -1, 0 and +1."""
        return Coded(ternary_weights(x), None, 1.0)


class Real(nn.Module):
    """No quantizer: the values themselves, after a ReLU if wanted."""

    def __init__(self, *, relu: bool) -> None:
        super().__init__()
        self.relu = relu

    def forward(self, x: Tensor) -> Coded:
        """Return `x`, or its positive part."""
        return Coded(torch.relu(x) if self.relu else x, None, math.inf)


class Uniform(nn.Module):
    """Codes low..high in steps of a learned scale: `round(x / scale)`, clamped.

    The scale's gradient is that of learned step sizes (LSQ, arXiv 1902.08153): rounding passes
    the gradient, clamped values pull on the scale, and the sum is weighted by
    1 / sqrt(count * high). The first values seen set the scale, 2 * mean|x| / sqrt(high).
    `scale` holds log2, so that it stays positive; shape (1,), or (channels, 1, ...) for weights.
    """

    def __init__(self, low: int, high: int, channels: tuple[int, ...] = (1,)) -> None:
        super().__init__()
        self.low, self.high = low, high
        self.exponent = nn.Parameter(torch.zeros(channels))
        self.register_buffer("ready", torch.zeros((), dtype=torch.bool))

    def step(self) -> Tensor:
        """Return the scale, a positive float32 per channel."""
        return torch.exp2(self.exponent)

    def forward(self, x: Tensor) -> Coded:
        """Return the codes of `x`; the first call in training sets the scale."""
        if self.training and not bool(self.ready):
            self._begin(x)
        scale = self.step()
        if self.training:
            weight = 1 / math.sqrt(x[0].numel() * self.high)
            scale = scale * weight + (scale * (1 - weight)).detach()
        inverse = 1 / scale
        codes = round_through(torch.clamp(x * inverse, self.low, self.high))
        return Coded(codes, scale, float(max(-self.low, self.high)))

    @torch.no_grad()
    def _begin(self, x: Tensor) -> None:
        kept = self.exponent.dim() if self.exponent.numel() > 1 else 0
        axes = [a for a in range(x.dim()) if kept == 0 or self.exponent.shape[a] == 1]
        mean = x.abs().mean(dim=axes, keepdim=kept > 0).clamp(min=1e-6)
        self.exponent.copy_(torch.log2(2 * mean / math.sqrt(self.high)).reshape_as(self.exponent))
        self.ready.fill_(True)


# Codes of each word of the training file: lowest, highest and the stored type. Weights leave out
# the lowest value, so that their range is symmetric.
WEIGHTS: dict[Weight, tuple[int, int, DType]] = {
    "int2": (-1, 1, DType.INT2),
    "int4": (-7, 7, DType.INT4),
    "int8": (-127, 127, DType.INT8),
}
ACTIVATIONS: dict[Activation, tuple[int, int, DType]] = {
    "binary": (-1, 1, DType.BINARY),
    "ternary": (-1, 1, DType.TERNARY),
    "int2": (-2, 1, DType.INT2),
    "int4": (-8, 7, DType.INT4),
    "int8": (-128, 127, DType.INT8),
    "uint2": (0, 3, DType.INT2),
    "uint4": (0, 15, DType.INT4),
    "uint8": (0, 255, DType.INT8),
}


def for_weights(kind: Weight, channels: tuple[int, ...]) -> nn.Module:
    """Return the quantizer of a weight; uniform ones have a scale per output channel."""
    match kind:
        case "float":
            return Real(relu=False)
        case "binary":
            return Sign()
        case "ternary":
            return TernaryWeights()
        case "int2" | "int4" | "int8":
            low, high, _ = WEIGHTS[kind]
            return Uniform(low, high, channels)


def for_activation(kind: Activation) -> nn.Module:
    """Return the quantizer of an activation; uniform ones have one scale."""
    match kind:
        case "none" | "relu":
            return Real(relu=kind == "relu")
        case "binary":
            return Sign()
        case "ternary":
            return Ternary()
        case "int2" | "int4" | "int8" | "uint2" | "uint4" | "uint8":
            low, high, _ = ACTIVATIONS[kind]
            return Uniform(low, high)


def flatten(x: Tensor) -> Tensor:
    """Return (B, N) with spatial cells in the order of the graph: height, width, channel."""
    return x.permute(0, 2, 3, 1).reshape(len(x), -1) if x.dim() == 4 else x
