"""The training file's network: the input's encoding and the layers, and the kinds of numbers."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(gt=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegativeInt = Annotated[int, Field(ge=0)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Weight = Literal["float", "binary", "ternary", "int2", "int4", "int8"]
Activation = Literal[
    "none", "relu", "binary", "ternary", "int2", "int4", "int8", "uint2", "uint4", "uint8"
]


class Strict(BaseModel):
    """A frozen section without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Input(Strict):
    block: Count = 1  # squares of so many pixels a side become channels of one place


class IntegerInput(_Input):
    """The samples as they are (uint8, int8), or float samples as int8 in steps of `scale`."""

    kind: Literal["integer"] = "integer"
    scale: Positive | None = None  # of float samples; default: the largest training value / 127


class ThermometerInput(_Input):
    """`levels` binary channels a value, +1 where it reaches a threshold; 1: plain binary.

    Thresholds are given, or evenly spaced, or equal shares of the training values.
    """

    kind: Literal["thermometer"]
    levels: Annotated[int, Field(gt=0, le=255)] = 3
    spacing: Literal["uniform", "quantile"] = "uniform"
    per_feature: bool = False  # of flat samples: thresholds of each feature's own values
    thresholds: tuple[float, ...] | None = None
    compare: Literal["board", "host"] = "board"  # host: the bits are what is sent to the board


Input: TypeAlias = Annotated[IntegerInput | ThermometerInput, Field(discriminator="kind")]


class _Weighted(Strict):
    weight: Weight = "binary"
    activation: Activation = "none"
    norm: Literal["batch", "none"] | None = None  # default: batch, and none in the last layer
    sparsity: Annotated[float, Field(ge=0, le=1)] = 0.0  # share of weights that end at 0


class DenseLayer(_Weighted):
    """Every input to every unit; samples of any shape are taken flat."""

    kind: Literal["dense"]
    units: Count


class Conv2DLayer(_Weighted):
    """Convolution over height and width; `pool` is a max-pool of that size and stride after it."""

    kind: Literal["conv2d"]
    channels: Count
    kernel: Count | tuple[Count, Count] = 3
    stride: Count | tuple[Count, Count] = 1
    padding: Literal["same", "valid"] | NotNegativeInt = "same"  # same: half the kernel
    pad_value: Literal[-1, 0, 1] = 0  # code of the cells around the input
    pool: Count = 1


class Conv1DLayer(_Weighted):
    """Convolution over the first axis of (time, channels)."""

    kind: Literal["conv1d"]
    channels: Count
    kernel: Count = 3
    stride: Count = 1
    padding: Literal["same", "valid"] | NotNegativeInt = "same"
    pad_value: Literal[-1, 0, 1] = 0
    pool: Count = 1


class DepthwiseLayer(_Weighted):
    """Each channel convolved by itself."""

    kind: Literal["depthwise"]
    kernel: Count | tuple[Count, Count] = 3
    stride: Count | tuple[Count, Count] = 1
    padding: Literal["same", "valid"] | NotNegativeInt = "same"
    pad_value: Literal[-1, 0, 1] = 0
    pool: Count = 1


class AveragePoolLayer(Strict):
    """Mean over windows of `size`, or over all of each channel."""

    kind: Literal["average_pool"]
    size: Count | tuple[Count, Count] | Literal["all"] = "all"
    activation: Activation = "none"


class LutLayer(Strict):
    """Nodes that look up one bit by `inputs` bits of the layer before."""

    kind: Literal["lut"]
    nodes: Count
    inputs: Literal[2, 3, 4, 5, 6] = 4
    connections: Literal["learned", "random"] = "learned"
    settle: Share = 0.6  # share of the epochs after which learned connections stay
    input_bytes: Count | None = None  # read no more of a sample's bits than so many bytes hold


class GroupCountLayer(Strict):
    """The classes' scores: the +1 in each of equal runs of bits, divided by `temperature`."""

    kind: Literal["group_count"]
    temperature: Positive = 1.0


Layer: TypeAlias = Annotated[
    DenseLayer
    | Conv2DLayer
    | Conv1DLayer
    | DepthwiseLayer
    | AveragePoolLayer
    | LutLayer
    | GroupCountLayer,
    Field(discriminator="kind"),
]
WeightedLayer: TypeAlias = DenseLayer | Conv2DLayer | Conv1DLayer | DepthwiseLayer
