"""Nodes of binary, ternary and few-bit networks: sums, thresholds, look-up tables.

They belong to the closed union in `edgekit.ir.nodes`. A threshold constant is (C, L) int32 with
rows that never fall; a value passes as many of its row's thresholds as are not above it.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.ir.types import Padding


@dataclass(frozen=True, slots=True)
class LowBitConv2D:
    """Convolution whose sums are compared with thresholds, or returned (SPEC 4.15).

    weight (C_out, kh, kw, C_in) of INT8 or narrower, bias (C_out,) int32; a padded cell counts as
    `padding_value` (the input's zero point already subtracted): 0 adds nothing. `thresholds`
    names a constant (C_out, L); None: y holds the sums, INT16 or INT32.
    """

    label: str
    x: str
    y: str
    weight: str
    bias: str
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: Padding
    padding_value: int
    input_zero_point: int
    thresholds: str | None
    low: int  # y where no threshold is passed; 0 without thresholds


@dataclass(frozen=True, slots=True)
class LowBitDepthwiseConv2D:
    """Depthwise form of `LowBitConv2D`; weight (kh, kw, C_out), C_out = multiplier * C_in."""

    label: str
    x: str
    y: str
    weight: str
    bias: str
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: Padding
    padding_value: int
    input_zero_point: int
    thresholds: str | None
    low: int


@dataclass(frozen=True, slots=True)
class LowBitDense:
    """Fully connected form of `LowBitConv2D`; weight (N_out, N_in); x of any shape, flat."""

    label: str
    x: str
    y: str
    weight: str
    bias: str
    input_zero_point: int
    thresholds: str | None
    low: int


@dataclass(frozen=True, slots=True)
class Threshold:
    """y = low + step * (thresholds passed by x); step is 2 where y is BINARY, else 1.

    `thresholds` names a constant (C, L), C the last axis, or (1, L) for all channels.
    """

    label: str
    x: str
    y: str
    thresholds: str
    low: int


@dataclass(frozen=True, slots=True)
class Thermometer:
    """One bit for each threshold: channel l * C + c of y is +1 where x[c] passes threshold l.

    `thresholds` names a constant (C, L) or (1, L); y is BINARY with L * C channels.
    """

    label: str
    x: str
    y: str
    thresholds: str


@dataclass(frozen=True, slots=True)
class LutLayer:
    """Look-up tables over bits: y[m] = tables[m, sum over j of bit(x[connections[m, j]]) << j].

    x and y are BINARY, (N,) and (M,), bit(+1) = 1; `connections` names a constant (M, k) INT16 of
    input indices, `tables` one (M, 2**k) BINARY, k at most 6.
    """

    label: str
    x: str
    y: str
    connections: str
    tables: str


@dataclass(frozen=True, slots=True)
class GroupCount:
    """y[g] = how many of the n values of group g are +1; x BINARY (G * n,), y INT16 (G,)."""

    label: str
    x: str
    y: str


LowBitSum = LowBitConv2D | LowBitDepthwiseConv2D | LowBitDense
LowBitNode = LowBitSum | Threshold | Thermometer | LutLayer | GroupCount
