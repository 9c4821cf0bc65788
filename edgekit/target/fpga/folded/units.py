"""The units of a folded design: which block of fpga/rtl, with which parameters and widths."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2
from typing import Literal

from edgekit.target.fpga.folded.layers import Ints, MatVec, Window

# Where weights lie. "pair": words of 4 bits at most, four of them in one of an SPRAM that two
# layers share.
Memory = Literal["logic", "bram", "spram", "pair"]
SPRAM_WIDTH = 16
NIBBLE_BITS = 4  # of a word of "pair"
NIBBLES = 4  # in one of SPRAM


@dataclass(frozen=True, slots=True)
class Resize:
    """ek_width."""

    name: str
    in_width: int
    out_width: int


@dataclass(frozen=True, slots=True)
class Windows:
    """ek_sliding_window: words of `lanes` elements, each window sent `repeat` times."""

    name: str
    label: str
    window: Window
    lanes: int
    bits: int
    repeat: int
    channels_outer: bool
    pad_value: int
    depth: int  # words, a power of two

    @property
    def in_width(self) -> int:
        """Bits of a word."""
        return self.lanes * self.bits

    @property
    def out_width(self) -> int:
        """Bits of a word."""
        return self.in_width

    @property
    def folds(self) -> int:
        """Words of a place."""
        return self.window.channels // self.lanes

    @property
    def total(self) -> int:
        """Words of an inference that come in."""
        return self.window.height * self.window.width * self.folds

    @property
    def span(self) -> int:
        """Words from the first to the last of a window."""
        rows = (self.window.kernel[0] - 1) * self.window.dilation[0]
        columns = (self.window.kernel[1] - 1) * self.window.dilation[1]
        return (rows * self.window.width + columns + 1) * self.folds

    @property
    def least(self) -> int:
        """Words that the buffer must hold: the span, and what corners in the padding give up."""
        w = self.window
        column = (w.out_width - 1) * w.stride[1] - w.pad_left
        row = (w.out_height - 1) * w.stride[0] - w.pad_top
        over = max(column - w.stride[0] * w.width, (row - w.height) * w.width + column, 0)
        return self.span + over * self.folds

    @property
    def start(self) -> int:
        """Word at which the first window begins; negative where it begins outside."""
        return -(self.window.pad_top * self.window.width + self.window.pad_left) * self.folds

    @property
    def moves(self) -> tuple[int, int, int]:
        """Words from a window to the next in its row, in the next row, in the next image."""
        w = self.window
        row = w.stride[0] * w.width - (w.out_width - 1) * w.stride[1]
        last = (w.out_height - 1) * w.stride[0] * w.width + (w.out_width - 1) * w.stride[1]
        return w.stride[1] * self.folds, row * self.folds, self.total - last * self.folds

    @property
    def beyond(self) -> bool:
        """Whether the last windows reach behind the image's last word."""
        return self.start + self.total - self.moves[2] + self.span > self.total

    @property
    def beats(self) -> int:
        """Words that one window sends."""
        return self.window.cells * self.folds * self.repeat


@dataclass(frozen=True, slots=True, eq=False)
class Gather:
    """ek_gather with its stream of (index, weight) lists, for a Product behind it."""

    name: str
    layer: MatVec
    lanes: int
    memory: Memory
    lengths: tuple[int, ...]  # list words of each group of `lanes` neurons

    @property
    def in_width(self) -> int:
        """Bits of an input word."""
        return self.layer.input_bits

    @property
    def out_width(self) -> int:
        """Bits of an output word."""
        return self.lanes * self.layer.input_bits

    @property
    def index_bits(self) -> int:
        """Bits of an index."""
        return max(1, ceil(log2(self.layer.inputs)))

    @property
    def list_width(self) -> int:
        """Bits of a list word."""
        return self.lanes * (self.index_bits + self.layer.weight_bits) + 1


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """ek_mvtu with its streams of weights and starts."""

    name: str
    layer: MatVec
    pe: int
    simd: int
    memory: Memory
    lists: Gather | None = None
    sprams: int = 0  # side by side, of memory "spram"; 0: for all bits of a word

    @property
    def in_width(self) -> int:
        """Bits of an input word."""
        own = self.layer.depthwise or self.lists is not None
        return (self.pe if own else self.simd) * self.layer.input_bits

    @property
    def out_width(self) -> int:
        """Bits of an output word."""
        return self.pe * self.layer.out_bits

    @property
    def lengths(self) -> tuple[int, ...]:
        """Input words of each output word, in turn."""
        return (self.folds,) if self.lists is None else self.lists.lengths

    @property
    def folds(self) -> int:
        """Input words of an output word."""
        return self.layer.inputs // self.simd

    @property
    def groups(self) -> int:
        """Output words of a window."""
        return self.layer.neurons // self.pe

    @property
    def weight_words(self) -> int:
        """Words of the weight stream."""
        return self.layer.weights.size // (self.pe * self.simd)

    @property
    def weight_width(self) -> int:
        """Bits of a weight word."""
        return self.pe * self.simd * self.layer.weight_bits

    @property
    def spram_bits(self) -> int:
        """The low bits of a weight word that lie in SPRAM of its own; block RAM has the others."""
        if self.memory != "spram":
            return 0
        return min(self.weight_width, SPRAM_WIDTH * self.sprams or self.weight_width)


@dataclass(frozen=True, slots=True)
class Pool:
    """ek_max_pool."""

    name: str
    lanes: int
    bits: int
    cells: int
    clamp: tuple[int, int] | None

    @property
    def in_width(self) -> int:
        """Bits of a word."""
        return self.lanes * self.bits

    @property
    def out_width(self) -> int:
        """Bits of a word."""
        return self.in_width


@dataclass(frozen=True, slots=True, eq=False)
class Compare:
    """ek_thermometer; table (groups, lanes, levels)."""

    name: str
    label: str
    lanes: int
    bits: int
    table: Ints

    @property
    def in_width(self) -> int:
        """Bits of an input word."""
        return self.lanes * self.bits

    @property
    def out_width(self) -> int:
        """Bits of an output word."""
        return self.lanes * int(self.table.shape[2])


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """ek_multi_threshold; table (groups, lanes, levels)."""

    name: str
    label: str
    lanes: int
    bits: int
    out_bits: int
    low: int
    table: Ints
    memory: Memory

    @property
    def in_width(self) -> int:
        """Bits of an input word."""
        return self.lanes * self.bits

    @property
    def out_width(self) -> int:
        """Bits of an output word."""
        return self.lanes * self.out_bits

    @property
    def steps(self) -> int:
        """Clocks of a word."""
        return max(1, ceil(log2(self.table.shape[2] + 1)))


Unit = Resize | Windows | Gather | Product | Pool | Compare | Search
