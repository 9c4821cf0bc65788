"""The input of a chain: from the source's float data to the first integer activation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgekit.errors import UnsupportedError
from edgekit.frontend.lowering.layers import (
    Elementwise,
    Flatten,
    InputSpec,
    Ints,
    Layer,
    Quantizer,
)
from edgekit.frontend.lowering.nodes import Nodes
from edgekit.frontend.lowering.steps import composed, level_count, level_of
from edgekit.frontend.lowering.sums import Stored
from edgekit.ir import edges, ladder
from edgekit.ir.types import DType, Edge, InputGrid

_MANY_LEVELS = 16  # from here on an edge with a scale is tried


def enter(
    built: Nodes, spec: InputSpec, layers: Sequence[Layer], grid: InputGrid | None
) -> tuple[Edge, Stored, int]:
    """Return the input edge, the first activation and how many layers both stand for.

    Raises:
        UnsupportedError: the input's shape is not read, or its quantizer is not one rising step
            function for all values; names it.
    """
    shape, order = _stored_shape(spec, layers)
    taken = 0
    if grid is not None:
        edge, stored = _on_grid(built, spec, shape, order, grid)
        return edge, stored, taken
    functions = []
    for layer in layers[taken:]:
        taken += 1
        if isinstance(layer, Elementwise):
            functions.append(layer)
        elif isinstance(layer, Flatten) and len(shape) == 1:
            continue
        elif isinstance(layer, Quantizer):
            edge, stored = _quantized(built, spec, shape, order, tuple(functions), layer)
            return edge, stored, taken
        else:
            raise UnsupportedError(
                f"{layer.label}: it reads real numbers, with no quantizer before it",
                hint="give the scale of the input's integers (an input grid), or quantize it",
            )
    raise UnsupportedError("the model computes nothing in integers")


def _stored_shape(
    spec: InputSpec, layers: Sequence[Layer]
) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """Return the tensor's shape and the edge's transpose."""
    shape = spec.shape
    if len(shape) not in (2, 3, 4) or shape[0] != 1 or min(shape) < 1:
        raise UnsupportedError(
            f"input {spec.name[:80]!r} has shape {shape}; (1, features) or (1, an image or a "
            "signal) is wanted"
        )
    if len(shape) == 2:
        return shape[1:], None
    place = next((k for k, each in enumerate(layers) if not isinstance(each, Elementwise)), 0)
    early = layers[place] if layers else None
    if isinstance(early, Flatten) and early.channels_first == spec.channels_first:
        return (int(np.prod(shape, dtype=object)),), None
    if not spec.channels_first:
        return (1,) * (4 - len(shape)) + shape[1:], None
    axes = (0, *range(2, len(shape)), 1)
    return (1,) * (4 - len(shape)) + tuple(shape[axis] for axis in axes[1:]), axes


def _on_grid(
    built: Nodes,
    spec: InputSpec,
    shape: tuple[int, ...],
    order: tuple[int, ...] | None,
    grid: InputGrid,
) -> tuple[Edge, Stored]:
    scale = np.float32(grid.scale)
    if not (np.isfinite(scale) and scale > 0):
        raise UnsupportedError(f"the input grid has scale {grid.scale}; above 0 is wanted")
    offset = 128 if grid.dtype == "uint8" else 0
    zero_point = grid.zero_point - offset
    tensor = built.activation(shape, DType.INT8)
    edge = Edge(
        tensor=tensor,
        source_name=spec.name,
        source_shape=spec.shape,
        source_dtype="float32",
        scale=float(scale),
        zero_point=zero_point,
        source_offset=offset,
        transpose=order,
        rounding="half_even",
        host_ops=("quantize",),
    )
    keep = np.zeros(shape[-1], bool)
    return edge, Stored(tensor, shape, DType.INT8, -128, 127, scale, zero_point, keep)


def _quantized(
    built: Nodes,
    spec: InputSpec,
    shape: tuple[int, ...],
    order: tuple[int, ...] | None,
    functions: tuple[Elementwise, ...],
    quantizer: Quantizer,
) -> tuple[Edge, Stored]:
    steps, falls = _float_steps(shape[-1], functions, quantizer)
    tensor = built.activation(shape, quantizer.dtype)
    edge = Edge(
        tensor=tensor,
        source_name=spec.name,
        source_shape=spec.shape,
        source_dtype="float32",
        scale=float(quantizer.scale),
        zero_point=quantizer.zero_point,
        transpose=order,
        rounding="half_even",
        host_ops=("quantize",),
        dtype=quantizer.dtype,
    )
    if falls or not _is_affine(edge, quantizer, steps):
        levels = tuple(float(value) for value in ladder.float_of(steps))
        edge = replace(edge, thresholds=levels, lowest=quantizer.low)
    return edge, Stored(
        tensor=tensor,
        shape=shape,
        dtype=quantizer.dtype,
        low=quantizer.low,
        high=quantizer.high,
        scale=quantizer.scale,
        zero_point=quantizer.zero_point,
        flipped=np.full(shape[-1], falls),
    )


def _float_steps(
    channels: int, functions: tuple[Elementwise, ...], quantizer: Quantizer
) -> tuple[Ints, bool]:
    """Return the keys of the float32 numbers at which the level rises, and whether it falls."""
    count = level_count(quantizer)
    # A function of all values alike leaves one column as it is.
    column = composed(functions, np.zeros((1, 1), np.float32))
    if column.shape == level_of(quantizer, column).shape == (1, 1):
        channels = 1

    def level(keys: Ints) -> Ints:
        return level_of(quantizer, composed(functions, ladder.float_of(keys)))

    ends = np.array([-np.finfo(np.float32).max, np.finfo(np.float32).max], np.float32)
    low, high = (np.full(channels, key, np.int64) for key in ladder.key_of(ends))
    falls = ladder.falling(level, low, high)
    if (falls != falls[0]).any():
        raise UnsupportedError(f"{quantizer.label}: it falls in some channels of the input alone")

    def rising(keys: Ints) -> Ints:
        return count - level(keys) if falls[0] else level(keys)

    found = ladder.thresholds(rising, low, high, count)
    if (found != found[0]).any() or (found > high[:, np.newaxis]).any():
        raise UnsupportedError(
            f"{quantizer.label} (scale {float(quantizer.scale):.9g}): it treats the channels of "
            "the input differently, or never gives one of its values",
            hint="give the scale of the input's integers (an input grid)",
        )
    ladder.check_rising(rising, low[:1], high[:1], found[:1], quantizer.label)
    return found[0], bool(falls[0])


def _is_affine(edge: Edge, quantizer: Quantizer, steps: Ints) -> bool:
    """Say whether scale, rounding and clamp of an edge are this quantizer, for every float32."""
    if quantizer.dtype is not DType.INT8 or steps.size < _MANY_LEVELS:
        return False
    if (quantizer.low, quantizer.high) != (DType.INT8.low, DType.INT8.high):
        return False
    beside = ladder.float_of(np.concatenate([steps - 1, steps]))
    wanted = np.concatenate([np.arange(steps.size), np.arange(1, steps.size + 1)])
    plain = Edge("x", "x", (1, 1), "float32", edge.scale, edge.zero_point, rounding="half_even")
    return bool((edges.quantize(plain, beside[:, np.newaxis])[:, 0] + 128 == wanted).all())
