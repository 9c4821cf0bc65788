"""Value types of the integer graph. docs/SPEC.md says what each field means, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal


class DType(Enum):
    """Integer type of a tensor: (bits as stored, lowest value, highest value)."""

    BINARY = (1, -1, 1)
    TERNARY = (2, -1, 1)
    INT2 = (2, -2, 1)
    INT4 = (4, -8, 7)
    INT8 = (8, -128, 127)
    INT16 = (16, -32768, 32767)
    INT32 = (32, -(2**31), 2**31 - 1)

    # mypy sees Enum values as the tuple above.
    @property
    def bits(self) -> int:
        """Bits of one stored element."""
        return self.value[0]

    @property
    def low(self) -> int:
        """Lowest representable value."""
        return self.value[1]

    @property
    def high(self) -> int:
        """Highest representable value."""
        return self.value[2]


class Rounding(Enum):
    """How an accumulator is scaled back to 8 bits: four distinct meanings (SPEC section 3)."""

    DOUBLE = "double"  # TFLite reference, TFLM, CMSIS-NN default
    TIES_UP = "ties_up"  # TFLite optimised x86 kernels
    SINGLE = "single"  # one rounding shift
    FLOAT32_RNE = "float32_rne"  # float32 product, nearest even: onnxruntime's integer kernels


@dataclass(frozen=True, slots=True)
class Requant:
    """Scale an int32 accumulator to an output integer: `clamp(round(acc * scale) + zero_point)`.

    `multiplier` and `shift` hold one value, or one per output channel. For the fixed-point
    roundings the scale is `multiplier * 2**(shift - 31)`, `2**30 <= multiplier < 2**31` (or 0).
    For FLOAT32_RNE it is the float32 number `multiplier * 2**shift`, `multiplier < 2**24`.
    """

    multiplier: tuple[int, ...]
    shift: tuple[int, ...]
    zero_point: int
    low: int
    high: int
    rounding: Rounding


@dataclass(frozen=True, slots=True)
class Padding:
    """Cells added around the two spatial axes; they hold the input's zero point."""

    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named activation or constant; `shape` has no batch axis and is (H, W, C) or (N,)."""

    name: str
    shape: tuple[int, ...]
    dtype: DType

    @property
    def size(self) -> int:
        """Number of elements."""
        count = 1
        for extent in self.shape:
            count *= extent
        return count


HostOp = Literal["quantize", "dequantize", "softmax", "log_softmax"]
SourceType = Literal["float32", "int8", "uint8", "int16", "int32"]


@dataclass(frozen=True, slots=True)
class InputGrid:
    """What a float input holds in truth: `real = float32(scale) * (integer - zero_point)`.

    A model whose float input is first compared with thresholds says nothing of its own input; a
    sensor's or image's integers are then what the board is given, and the thresholds are moved to
    them by the source's own formula.
    """

    scale: float
    zero_point: int
    dtype: Literal["uint8", "int8"]


@dataclass(frozen=True, slots=True)
class Edge:
    """Where the source model's own data meets an integer tensor of the graph.

    source integer = graph integer + `source_offset` (128 for uint8 sources, else 0).
    real value = scale * (graph integer - zero_point).
    `transpose` permutes the source's axes (batch included) into the graph's layout.
    """

    tensor: str
    source_name: str
    source_shape: tuple[int, ...]  # batch axis included, as the source declares it
    source_dtype: SourceType
    scale: float  # exactly a float32
    zero_point: int  # in graph integers
    source_offset: int = 0
    transpose: tuple[int, ...] | None = None
    rounding: Literal["half_away", "half_even"] = "half_away"  # of the float quantizer
    host_ops: tuple[HostOp, ...] = ()  # float operators of the source done on the host, in order
    dtype: DType = DType.INT8  # of the graph's tensor
    # An input that the host compares: q = lowest + (thresholds that x reaches), or bits: q is +1
    # where x reaches the threshold, and a flat tensor has a run of bits for each threshold, one
    # after the other. float32 numbers, rising; sources of integers only for bits. Empty: scaled.
    thresholds: tuple[float, ...] = ()
    lowest: int = -1
    # A float tail of the source, done on the host in float32 for each value of the last axis:
    # real = channel_scale * (q - zero_point) + channel_offset. None: `scale` for all.
    channel_scale: tuple[float, ...] | None = None
    channel_offset: tuple[float, ...] | None = None
