"""Layers that compute on codes: weighted sum, max-pool, normalization, activation.

A layer's sums are exact: codes are small integers in float32, and in evaluation the sum is
rounded to the integer that it is (convolution libraries may choose algorithms with fractions), or
computed in float64 where float32 would not hold it. All that follows works element by element, so
`ChannelScaling` is the whole of the float arithmetic and is written as the exporter repeats it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, cast

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor, nn

from edgekit.train import quantizers
from edgekit.train.config_layers import Activation, Weight
from edgekit.train.quantizers import Coded, flatten, round_through

_FLOAT32_EXACT = 1 << 24
_BATCH_NORM_EPSILON = 1e-5
_SMALLEST_GAMMA = 1e-3

Kind = Literal["dense", "conv", "depthwise"]


@dataclass(frozen=True, slots=True)
class Window:
    """A kernel over (height, width); `pad_value` is the code of the cells around the input."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    pad_value: int = 0
    pool: tuple[int, int] = (1, 1)

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """Return the extents after kernel and max-pool; zero or less where nothing fits."""
        sizes = []
        for extent, k, s, p, pool in zip(
            (height, width), self.kernel, self.stride, self.padding, self.pool, strict=True
        ):
            sizes.append(((extent + 2 * p - k) // s + 1) // pool)
        return sizes[0], sizes[1]


@dataclass(frozen=True, slots=True)
class WeightedSpec:
    """What a weighted layer is made from."""

    kind: Kind
    inputs: int  # channels, or features of a dense layer
    outputs: int
    weight: Weight
    activation: Activation
    norm: Literal["batch", "none"]
    window: Window | None = None  # None: dense
    head: bool = False  # the last layer: its scores get one learned scale

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weight as torch has it."""
        if self.window is None:
            return (self.outputs, self.inputs)
        depth = 1 if self.kind == "depthwise" else self.inputs
        return (self.outputs, depth, *self.window.kernel)


class ChannelScaling(nn.Module):
    """Real values per channel from accumulators: batch normalization, or an integer bias.

    Evaluation: `(sum + bias) * factor + offset`, two float32 operations after an exact sum.
    gamma is kept positive, so that the activation rises with the accumulator; a weight's sign
    does what a negative gamma would.
    """

    def __init__(self, spec: WeightedSpec) -> None:
        super().__init__()
        self.norm = spec.norm
        self.fan_in = math.prod(spec.shape[1:])
        if spec.norm == "batch":
            self.gamma = nn.Parameter(torch.ones(spec.outputs))
            self.beta = nn.Parameter(torch.zeros(spec.outputs))
            self.register_buffer("mean", torch.zeros(spec.outputs))
            self.register_buffer("variance", torch.ones(spec.outputs))
        else:
            self.bias = nn.Parameter(torch.zeros(spec.outputs))
            self.integer = spec.weight != "float"
        self.head = spec.head and spec.norm == "none" and spec.weight != "float"
        if self.head:
            self.gain = nn.Parameter(torch.tensor(self.fan_in**-0.5))

    def integer_bias(self) -> Tensor:
        """Return the bias in accumulator units; 0 with batch normalization."""
        if self.norm == "batch":
            return torch.zeros_like(self.beta)
        if not self.integer:
            return self.bias
        return round_through(self.bias * self.fan_in**0.5)

    def affine(self, scale: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """Return (factor, offset) that evaluation applies to accumulators with their bias.

        `scale` is the product of the scales of weight and input, (1,) or (C,). None: no change.
        """
        if self.norm == "batch":
            factor = self.gamma / torch.sqrt(self.variance + _BATCH_NORM_EPSILON)
            offset = self.beta - self.mean * factor
            return (factor if scale is None else factor * scale), offset
        if self.head:
            gain = self.gain.reshape(1)
            return (gain if scale is None else gain * scale), None
        return scale, None

    def forward(self, sums: Tensor, scale: Tensor | None) -> Tensor:
        """Return the real values of `sums` (B, C, ...)."""
        wide = (1, -1) + (1,) * (sums.dim() - 2)
        if self.training and self.norm == "batch":
            real = sums if scale is None else sums * scale.reshape(wide)
            return F.batch_norm(
                real, self.mean, self.variance, self.gamma, self.beta,
                training=True, momentum=0.1, eps=_BATCH_NORM_EPSILON,
            )  # fmt: skip
        if self.norm == "none":
            sums = sums + self.integer_bias().reshape(wide)
        sums = sums.float()
        factor, offset = self.affine(scale)
        if factor is not None:
            sums = sums * factor.reshape(wide)
        if offset is not None:
            sums = sums + offset.reshape(wide)
        return sums

    @torch.no_grad()
    def constrain(self) -> None:
        """Keep gamma and the gain positive; called after each step of the optimizer."""
        if self.norm == "batch":
            self.gamma.clamp_(min=_SMALLEST_GAMMA)
        if self.head:
            self.gain.clamp_(min=1e-6)


class Weighted(nn.Module):
    """Dense, convolution or depthwise convolution with its pool, scaling and activation.

    `latent` are the trained weights; the codes are their quantization times `mask`, so that a
    binary weight where the mask is 0 is 0.
    """

    def __init__(self, spec: WeightedSpec, generator: torch.Generator) -> None:
        super().__init__()
        self.spec = spec
        span = 0.1 if spec.weight == "binary" else _uniform_span(spec)
        self.latent = nn.Parameter(torch.empty(spec.shape))
        self.latent.data.uniform_(-span, span, generator=generator)
        if spec.window is not None:
            self.latent.data = self.latent.data.contiguous(memory_format=torch.channels_last)
        self.register_buffer("mask", torch.ones(spec.shape))
        self.pruned = False
        channels = (spec.outputs,) + (1,) * (len(spec.shape) - 1)
        self.quantizer = quantizers.for_weights(spec.weight, channels)
        self.scaling = ChannelScaling(spec)
        self.activation = quantizers.for_activation(spec.activation)
        self.compute = torch.float32

    def weights(self) -> Coded:
        """Return the weight's codes, masked, and their scale (C,)."""
        codes, scale, bound = self.quantizer(self.latent)
        if self.pruned:
            codes = codes * self.mask
        return Coded(codes, None if scale is None else scale.reshape(-1), bound)

    def set_mask(self, mask: Tensor) -> None:
        """Prune: weights where `mask` is 0 become 0 and stay so."""
        self.mask.copy_(mask)
        self.pruned = bool((self.mask == 0).any())
        self.latent.data.mul_(self.mask)

    def forward(self, x: Coded) -> Coded:
        """Return the activation's codes."""
        weight = self.weights()
        sums = self.sums(x, weight)
        if self.spec.window is not None and max(self.spec.window.pool) > 1:
            sums = F.max_pool2d(sums, self.spec.window.pool)
        scale = product(x.scale, weight.scale)
        return cast("Coded", self.activation(self.scaling(sums, scale)))

    def sums(self, x: Coded, weight: Coded) -> Tensor:
        """Return the accumulators without bias, (B, C) or (B, C, H, W)."""
        if self.training:
            return self._products(x.codes, weight.codes, self.compute)
        bound = x.bound * weight.bound * math.prod(self.spec.shape[1:])
        if math.isinf(bound):
            return self._products(x.codes, weight.codes, torch.float32)
        wide = torch.float32 if bound < _FLOAT32_EXACT else torch.float64
        return torch.round(self._products(x.codes, weight.codes, wide))

    def _products(self, x: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
        window = self.spec.window
        if window is None:
            flat = flatten(x)
            if dtype == torch.float64:
                return flat.double() @ weight.double().t()
            return flat @ weight.t()
        padding = window.padding
        if window.pad_value != 0 and max(padding) > 0:
            around = (padding[1], padding[1], padding[0], padding[0])
            x, padding = F.pad(x, around, value=float(window.pad_value)), (0, 0)
        groups = self.spec.inputs if self.spec.kind == "depthwise" else 1
        y = F.conv2d(
            x.to(dtype), weight.to(dtype), stride=window.stride, padding=padding, groups=groups
        )
        return y.float() if dtype == torch.bfloat16 else y

    @torch.no_grad()
    def constrain(self) -> None:
        """Keep latents within [-1, 1] where the quantizer has no scale, and pruned ones at 0."""
        if self.spec.weight in ("binary", "ternary"):
            self.latent.clamp_(-1, 1)
        if self.pruned:
            self.latent.mul_(self.mask)
        self.scaling.constrain()


class AveragePool(nn.Module):
    """Means over windows: sums of codes, scaled by 1 / cells."""

    def __init__(self, window: Window, activation: Activation) -> None:
        super().__init__()
        self.window = window
        self.activation = quantizers.for_activation(activation)

    @property
    def keeps_sums(self) -> bool:
        """Whether there is no activation: the sums are the codes."""
        return isinstance(self.activation, quantizers.Real) and not self.activation.relu

    def factor(self, scale: Tensor | None) -> Tensor:
        """Return what evaluation multiplies the sums by, (1,)."""
        share = torch.tensor([1 / math.prod(self.window.kernel)])
        return share if scale is None else share * scale

    def forward(self, x: Coded) -> Coded:
        """Return the activation's codes."""
        cells = math.prod(self.window.kernel)
        sums = F.avg_pool2d(x.codes, self.window.kernel, self.window.stride, divisor_override=1)
        if not self.training and not math.isinf(x.bound):
            sums = torch.round(sums)
        if self.keeps_sums:
            return Coded(sums, self.factor(x.scale), x.bound * cells)
        return cast("Coded", self.activation(sums * self.factor(x.scale)))


def product(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """Return the product of two scales; None is 1."""
    if a is None or b is None:
        return b if a is None else a
    return a * b


def _uniform_span(spec: WeightedSpec) -> float:
    """Half the span of uniform weights of variance 2 / fan_in (He et al., arXiv 1502.01852)."""
    return min(math.sqrt(6 / math.prod(spec.shape[1:])), 1.0)
