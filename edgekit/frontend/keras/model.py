"""A Keras model as a chain of typed layers with their float weights; axes as Keras has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgekit.frontend.keras.quantizers import Quantizer

Real: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Weighted:
    """Dense, convolution or depthwise convolution.

    kernel: (N_in, N_out), (kh, kw, C_in, C_out) or (kh, kw, C_in, multiplier); latent floats, for
    a layer with a folded batch norm already multiplied. One-dimensional ones have kh = 1.
    """

    label: str
    kind: Literal["dense", "conv2d", "depthwise"]
    kernel: Real
    quantizer: Quantizer
    quantizer_label: str
    bias: Real | None
    bias_quantizer: Quantizer | None
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Literal["valid", "same", "causal"] = "valid"
    pad_value: float = 0.0


@dataclass(frozen=True, slots=True)
class Activation:
    """A quantizer of activations."""

    label: str
    quantizer: Quantizer


@dataclass(frozen=True, slots=True, eq=False)
class BatchNorm:
    """Inference form; gamma None: 1, beta None: 0.

    `fused`, for images: ((x - mean) * (1 / sqrt(variance + epsilon))) * gamma + beta with the last
    product and sum in one rounding; else x * inv + (beta - mean * inv), inv = gamma / sqrt(...).
    """

    label: str
    gamma: Real | None
    beta: Real | None
    mean: Real
    variance: Real
    epsilon: float
    fused: bool


@dataclass(frozen=True, slots=True)
class Function:
    """A float function of each value without parameters."""

    label: str
    kind: Literal["relu", "hard_tanh"]
    limit: float | None = None  # the largest value of a ReLU


@dataclass(frozen=True, slots=True)
class Scaling:
    """Rescaling: x * scale + offset."""

    label: str
    scale: float
    offset: float


@dataclass(frozen=True, slots=True)
class Pool:
    """Max or average over windows; `size` None: over the whole image, one cell is left."""

    label: str
    kind: Literal["max", "average"]
    size: tuple[int, int] | None
    stride: tuple[int, int]
    padding: Literal["valid", "same"]


@dataclass(frozen=True, slots=True)
class Flatten:
    """All features on one axis, in row-major order; `of_one_cell`: behind a global pool."""

    label: str
    of_one_cell: bool = False


@dataclass(frozen=True, slots=True)
class Softmax:
    """Over the last axis, at the end."""

    label: str
    log: bool


Layer: TypeAlias = Weighted | Activation | BatchNorm | Function | Scaling | Pool | Flatten | Softmax


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A chain; `input_shape` is the source's, without batch axis."""

    name: str
    sha256: str
    input_name: str
    input_shape: tuple[int, ...]
    output_name: str
    layers: tuple[Layer, ...]

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(N,), or (H, W, C): a signal (L, C) is an image of height 1."""
        return (1, *self.input_shape) if len(self.input_shape) == 2 else self.input_shape
