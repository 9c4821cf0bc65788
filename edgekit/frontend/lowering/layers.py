"""What a front end says of its model: a chain of layers with the source's own arithmetic.

Integers `q` of an activation mean `scale * (q - zero_point)`. Functions work on float32 arrays
[n, C], one column for each channel, and compute what the source computes, operation by operation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.types import DType, Padding

Ints: TypeAlias = NDArray[np.int64]
Real: TypeAlias = NDArray[np.float32]

NO_PADDING = Padding()


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The source's float input; `shape` has the batch axis, (1, ...).

    An image is (1, H, W, C), or with `channels_first` (1, C, H, W); a signal (1, L, C) or
    (1, C, L); anything else (1, N).
    """

    name: str
    shape: tuple[int, ...]
    channels_first: bool


@dataclass(frozen=True, slots=True, eq=False)
class Weighted:
    """Sums of products; the real value of a weight is `scale[c] * weight`.

    weight: (C_out, kh, kw, C_in) for "conv2d", (kh, kw, C_out) for "depthwise", (N_out, N_in) for
    "dense", where input n is the source's own n-th feature. A padded cell counts as
    `padding_value` times the input's scale.
    """

    label: str
    kind: Literal["dense", "conv2d", "depthwise"]
    weight: Ints
    dtype: DType
    scale: Real  # (C_out,) or (1,), positive
    bias: Real | None = None  # (C_out,), added within the source's sum
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Padding = NO_PADDING
    padding_value: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Elementwise:
    """A function of each value that rises or falls, channel by channel: batch norm, ReLU, ..."""

    label: str
    apply: Callable[[Real], Real]


@dataclass(frozen=True, slots=True, eq=False)
class Quantizer:
    """From real values to integers of `dtype`, `low` to `high`; BINARY has -1 and +1 alone."""

    label: str
    levels: Callable[[Real], Ints]
    dtype: DType
    scale: np.float32
    zero_point: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class MaxPool:
    """Maximum over the cells of a window that lie inside the image."""

    label: str
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: Padding = NO_PADDING


@dataclass(frozen=True, slots=True)
class AveragePool:
    """Sum over a window inside the image, divided by its size."""

    label: str
    kernel: tuple[int, int]
    stride: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Flatten:
    """All features on one axis, channels first, (C, H, W), or last, (H, W, C)."""

    label: str
    channels_first: bool


@dataclass(frozen=True, slots=True)
class Softmax:
    """The end of the model, on the host; with `log`, its logarithm."""

    label: str
    log: bool = False


Layer: TypeAlias = Weighted | Elementwise | Quantizer | MaxPool | AveragePool | Flatten | Softmax
