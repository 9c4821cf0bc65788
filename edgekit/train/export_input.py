"""The graph's input: the samples' integers as they are stored, or thermometer bits of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from edgekit.errors import UnsupportedError
from edgekit.frontend.lowering.nodes import Nodes
from edgekit.ir import nodes
from edgekit.ir.types import DType, Edge
from edgekit.train.encoding import InputEncoding, Integers, Thermometer

Ints: TypeAlias = NDArray[np.int64]

_UINT8_OFFSET = 128
_MOST_LEVELS = 254


@dataclass(frozen=True, slots=True, eq=False)
class Coding:
    """An activation of the graph: code = integer - zero_point, `low` to `high`, times `scale`.

    `places` gives the place in the tensor of each feature of the network, where they differ.
    """

    tensor: str
    shape: tuple[int, ...]
    dtype: DType
    zero_point: int
    low: int
    high: int
    scale: Tensor | None
    places: Ints | None = None


def enter(
    built: Nodes,
    encoding: InputEncoding,
    shape: tuple[int, ...],
    sample: np.dtype[Any],
    *,
    flat: bool,
) -> tuple[Edge, Coding]:
    """Return the input edge for samples of `shape` and dtype, and what the first layer reads.

    `flat`: that layer takes all features alike, so that thermometer bits need no rows of pixels.
    """
    stored = _spatial(shape)
    if flat and encoding.block == 1:
        stored = (math.prod(shape),)
    if isinstance(encoding, Thermometer) and encoding.on_host:
        return _compared(built, encoding, shape, stored, sample)
    if isinstance(encoding, Thermometer) and sample == np.float32:
        edge, values, thresholds = _counted(built, encoding, shape, stored)
    else:
        edge, values = _stored(built, encoding, shape, stored, sample)
        thresholds = _integer_thresholds(encoding, values)
    values = _in_blocks(built, values, encoding.block)
    if isinstance(encoding, Integers):
        return edge, values
    bits = _thermometer(built, values, thresholds)
    if len(stored) == 1 and len(shape) > 1:
        bits = replace(bits, places=_levels_first(shape, thresholds.shape[1]))
    return edge, bits


def _levels_first(shape: tuple[int, ...], levels: int) -> Ints:
    """Return where the bits of pixel, level, channel are among those of level, pixel, channel."""
    pixels, channels = math.prod(shape[:-1]), shape[-1]
    stored = np.arange(levels * pixels * channels, dtype=np.int64)
    return stored.reshape(levels, pixels, channels).transpose(1, 0, 2).reshape(-1)


def _stored(
    built: Nodes,
    encoding: InputEncoding,
    shape: tuple[int, ...],
    stored: tuple[int, ...],
    sample: np.dtype[Any],
) -> tuple[Edge, Coding]:
    """Integers of 8 bits; uint8 samples are stored 128 lower."""
    offset = _UINT8_OFFSET if sample == np.uint8 else 0
    step, scale = np.float32(1), None
    if isinstance(encoding, Integers):
        scale = encoding.scale
        step = np.float32(encoding.step or scale.item())
    tensor = built.activation(stored, DType.INT8)
    edge = Edge(
        tensor=tensor,
        source_name="x",
        source_shape=(1, *shape),
        source_dtype=sample.name,  # type: ignore[arg-type]
        scale=float(step),
        zero_point=-offset,
        source_offset=offset,
        rounding="half_even",
        host_ops=("quantize",) if sample == np.float32 else (),
    )
    low, high = DType.INT8.low + offset, DType.INT8.high + offset
    return edge, Coding(tensor, stored, DType.INT8, -offset, low, high, scale)


def _compared(
    built: Nodes,
    encoding: Thermometer,
    shape: tuple[int, ...],
    stored: tuple[int, ...],
    sample: np.dtype[Any],
) -> tuple[Edge, Coding]:
    """The host compares, the board receives bits: one run of them for each threshold."""
    levels = encoding.thresholds.numpy()
    if levels.shape[1] != 1 or len(stored) != 1:
        raise UnsupportedError(
            f"input.compare host with thresholds of shape {levels.shape} and a first layer that "
            f"reads {stored}",
            hint="set input.per_feature to false and input.block to 1, and begin with a dense "
            "or lut layer",
        )
    bits = len(levels) * stored[0]
    tensor = built.activation((bits,), DType.BINARY)
    edge = Edge(
        tensor=tensor,
        source_name="x",
        source_shape=(1, *shape),
        source_dtype=sample.name,  # type: ignore[arg-type]
        scale=1.0,
        zero_point=0,
        source_offset=_UINT8_OFFSET if sample == np.uint8 else 0,
        host_ops=("quantize",),
        dtype=DType.BINARY,
        thresholds=tuple(float(value) for value in levels[:, 0]),
    )
    places = _levels_first(shape, len(levels)) if len(shape) > 1 else None
    return edge, Coding(tensor, (bits,), DType.BINARY, 0, -1, 1, None, places)


def _counted(
    built: Nodes, encoding: Thermometer, shape: tuple[int, ...], stored: tuple[int, ...]
) -> tuple[Edge, Coding, Ints]:
    """Float samples: the host counts the thresholds that a value reaches, the board unpacks it."""
    levels = encoding.thresholds.numpy()
    if levels.shape[1] != 1 or len(levels) > _MOST_LEVELS:
        raise UnsupportedError(
            f"thresholds of shape {levels.shape} for float samples, each feature with its own",
            hint="set input.per_feature to false, or store the samples as uint8 or int8",
        )
    tensor = built.activation(stored, DType.INT8)
    edge = Edge(
        tensor=tensor,
        source_name="x",
        source_shape=(1, *shape),
        source_dtype="float32",
        scale=1.0,
        zero_point=0,
        host_ops=("quantize",),
        thresholds=tuple(float(value) for value in levels[:, 0]),
        lowest=DType.INT8.low,
    )
    rows = DType.INT8.low + 1 + np.arange(len(levels), dtype=np.int64)
    coding = Coding(tensor, stored, DType.INT8, 0, -128, 127, None)
    return edge, coding, rows[np.newaxis]


def _integer_thresholds(encoding: InputEncoding, values: Coding) -> Ints:
    """Return (C or 1, levels): the least stored integers that reach the thresholds."""
    if isinstance(encoding, Integers):
        return np.zeros((1, 0), np.int64)
    least = np.clip(np.ceil(encoding.thresholds.numpy()), values.low, values.high + 1)
    return np.ascontiguousarray(least.T.astype(np.int64) + values.zero_point)


def _thermometer(built: Nodes, values: Coding, thresholds: Ints) -> Coding:
    shape = (*values.shape[:-1], values.shape[-1] * thresholds.shape[1])
    y = built.activation(shape, DType.BINARY)
    name = built.constant("thresholds", thresholds, DType.INT32, "input")
    built.nodes.append(nodes.Thermometer("input", values.tensor, y, name))
    return Coding(y, shape, DType.BINARY, 0, -1, 1, None)


def _in_blocks(built: Nodes, values: Coding, block: int) -> Coding:
    """Move squares of `block` x `block` pixels to one place with as many times the channels."""
    if block == 1:
        return values
    height, width, channels = values.shape
    split = (height // block, block, width // block, block * channels)
    order = (0, 2, 1, 3)
    moved = tuple(split[axis] for axis in order)
    shape = (moved[0], moved[1], moved[2] * moved[3])
    parts, placed, joined = (built.activation(s, values.dtype) for s in (split, moved, shape))
    built.nodes.append(nodes.Reshape("input", values.tensor, parts))
    built.nodes.append(nodes.Transpose("input", parts, placed, order))
    built.nodes.append(nodes.Reshape("input", placed, joined))
    return replace(values, tensor=joined, shape=shape)


def _spatial(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return (N,) or (height, width, channels); a signal of (time, channels) has height 1."""
    return (1, *shape) if len(shape) == 2 else shape
