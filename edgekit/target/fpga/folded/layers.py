"""The layers of a folded design: what each computes on a stream, before it is known how fast.

A stream carries a tensor place by place (row by row), each place its elements in the order of
`Stream.order`. Where a unit makes another order than the graph's (a thermometer sends all levels
of one value together), the readers' weights move along, so nothing is reordered in hardware.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.types import DType

Ints = NDArray[np.int64]
NOTHING = -1  # in Stream.order: an element that is no part of the tensor, sent as 0


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """A tensor on its way: (height, width) places of `channels` elements of `bits` bits."""

    height: int
    width: int
    channels: int
    dtype: DType
    order: Ints  # (height * width * channels,): index in the graph's flat tensor, or NOTHING
    sum_bits: int | None = None  # of a sum, which takes no more bits than it can reach

    @property
    def bits(self) -> int:
        """Bits of an element: 1 is -1 or +1, more are signed."""
        return self.dtype.bits if self.sum_bits is None else self.sum_bits

    @property
    def size(self) -> int:
        """Elements sent for one inference."""
        return self.height * self.width * self.channels


@dataclass(frozen=True, slots=True)
class Window:
    """A kernel on the places of a stream; a dense layer sees one place that is the whole."""

    height: int
    width: int
    channels: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pad_top: int = 0
    pad_left: int = 0
    out_height: int = 1
    out_width: int = 1

    @property
    def cells(self) -> int:
        """Places in a window."""
        return self.kernel[0] * self.kernel[1]

    @property
    def places(self) -> int:
        """Windows of one inference."""
        return self.out_height * self.out_width

    @property
    def size(self) -> int:
        """Elements that come in for one inference."""
        return self.height * self.width * self.channels

    @property
    def padded(self) -> bool:
        """Whether some window reaches outside."""
        reach = [
            (out - 1) * step + (size - 1) * apart
            for out, step, size, apart in zip(
                (self.out_height, self.out_width),
                self.stride,
                self.kernel,
                self.dilation,
                strict=True,
            )
        ]
        below = reach[0] - self.pad_top >= self.height
        right = reach[1] - self.pad_left >= self.width
        return self.pad_top > 0 or self.pad_left > 0 or below or right


@dataclass(frozen=True, slots=True, eq=False)
class MatVec:
    """A dense layer or a convolution: sums of products over windows, or whether they reach 0.

    weights: (neurons, cells * channels) in stream order; depthwise (channels, multiplier, cells).
    start: what each sum begins with, (neurons,) or (channels, multiplier).
    """

    label: str
    window: Window
    weights: Ints
    start: Ints
    weight_bits: int
    input_bits: int
    acc_bits: int
    double: bool  # counts of equal bits are taken twice
    sign: bool
    depthwise: bool
    pad_value: int

    @property
    def neurons(self) -> int:
        """Outputs of one window."""
        return int(self.start.size)

    @property
    def inputs(self) -> int:
        """Products of one output."""
        return self.window.cells * (1 if self.depthwise else self.window.channels)

    @property
    def out_bits(self) -> int:
        """Bits of an output."""
        return 1 if self.sign else self.acc_bits

    @property
    def macs(self) -> int:
        """Products of one inference."""
        return self.window.places * self.neurons * self.inputs


@dataclass(frozen=True, slots=True)
class MaxPool:
    """The largest value of each window, channel by channel, held within `clamp`."""

    label: str
    window: Window
    bits: int
    clamp: tuple[int, int] | None
    pad_value: int


@dataclass(frozen=True, slots=True)
class Padding:
    """Places of one value around an image."""

    label: str
    window: Window
    bits: int
    value: int


@dataclass(frozen=True, slots=True, eq=False)
class Thermometer:
    """Each element compared with `table` (channels or 1, levels): a bit for each level."""

    label: str
    places: int
    channels: int
    bits: int
    table: Ints

    @property
    def levels(self) -> int:
        """Bits made of an element."""
        return int(self.table.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Each element becomes `low` plus how many of `table` (channels or 1, levels) it reaches."""

    label: str
    places: int
    channels: int
    bits: int
    table: Ints
    low: int
    out_bits: int


Layer = MatVec | MaxPool | Padding | Thermometer | Steps


def signed_bits(low: int, high: int) -> int:
    """Return the bits of a two's complement number that holds `low` to `high`."""
    return 1 + max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0)
