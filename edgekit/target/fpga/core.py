"""The RTL of one network behind one interface, whatever its style: what a shell is built around.

Module `ek_core`, without parameters:

    input  wire clk, rst, in_valid, out_ready, load_valid
    output wire in_ready, out_valid
    input  wire [in_width-1:0] in_data
    output wire [out_width-1:0] out_data
    input  wire [15:0] load_data

One inference takes `in_beats` beats and gives `out_beats`. Bit b of byte j of a beat is
`in_data[8*j+b]`; the bytes of all beats in order are the input's wire bytes that `kept_bytes`
names. The out beats joined are the output tensor's wire bytes, little-endian. Words on `load_data`
fill single-port RAM before the first inference; a network without any ignores them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Style = Literal["hardwired", "folded"]
LOAD_WORD_BYTES = 2


@dataclass(frozen=True, slots=True)
class Resources:
    """What a design takes of a part, or what is left of a part for it.

    `lut` are look-up tables of the part's own size, `bram` block RAMs of the part's own size.
    """

    lut: int
    ff: int
    carry: int = 0
    bram: int = 0
    spram: int = 0
    dsp: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Core:
    """The RTL of a network: files, interface, timing and what it is expected to take."""

    style: Style
    files: Mapping[PurePosixPath, bytes]  # rtl/ek_core.v, further modules and memories (.hex)
    blocks: tuple[str, ...]  # stems of the files of fpga/rtl that it instantiates, sorted
    in_width: int  # bits of a beat, a multiple of 8
    in_beats: int
    out_width: int  # bits of a beat, a multiple of 8
    out_beats: int
    kept_bytes: tuple[int, ...]  # indices into the input's wire bytes, in order of the beats
    latency_cycles: int  # from the first beat taken to the last given, from rest, nobody waiting
    interval_cycles: int  # between two inferences, nobody waiting
    weights: bytes  # what is loaded before the first inference, 16-bit words, little-endian
    estimate: Resources
    rest_cycles: int = 0  # after a reset and the weights, until nothing moves without input

    def beats(self, stored: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the bytes that go in, (n, in_beats, in_width / 8), of wire bytes (n, bytes)."""
        kept = stored[:, np.asarray(self.kept_bytes, np.intp)]
        return kept.reshape(len(stored), self.in_beats, self.in_width // 8)
