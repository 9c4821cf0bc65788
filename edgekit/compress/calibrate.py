"""Grids of activations, from what a network does with real data.

A grid is made wherever the integer network rounds: at the input, and behind each layer that
scales. Pools of maxima, views and changes of order keep the grid they find.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from edgekit.compress import floatnet
from edgekit.compress.floatnet import (
    AveragePool,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    FloatNet,
    Floats,
    Relu,
)
from edgekit.errors import ConfigError
from edgekit.ir.types import DType

Method = Literal["min_max", "percentile", "mse"]

INPUT = -1  # the place of the network's input
_LOW, _HIGH = DType.INT8.low, DType.INT8.high
_KEPT = 1 << 18  # values of one place that are looked at
_TRIED = 1 << 14  # of these, for each candidate of the least squared error
_SHARES = np.linspace(0.2, 1.0, 81)


@dataclass(frozen=True, slots=True)
class Grid:
    """An int8 activation: real = scale * (q - zero_point), `scale` exactly a float32."""

    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """The values at one place: their limits, and up to 2**18 of them, evenly spaced."""

    low: float
    high: float
    values: Floats


def places(net: FloatNet) -> tuple[int, ...]:
    """Return the layers whose outputs are rounded; a ReLU joins the layer before it."""
    found = [INPUT]
    for index, layer in enumerate(net.layers):
        if isinstance(layer, Dense | Conv2D | DepthwiseConv2D | AveragePool):
            joined = index + 1 < len(net.layers) and isinstance(net.layers[index + 1], Relu)
            found.append(index + joined)
    return tuple(found)


def observe(net: FloatNet, x: Floats) -> Mapping[int, Observed]:
    """Return what is seen at each place for network inputs [n, *input shape].

    Raises ConfigError for no samples, or where a layer's output is not finite.
    """
    if x.shape[0] == 0:
        raise ConfigError(
            "no samples to calibrate with", hint="give calibration at least one sample"
        )
    wanted = places(net)
    parts: dict[int, list[Floats]] = {place: [] for place in wanted}
    for chunk in floatnet.chunks(x):
        value = chunk
        parts[INPUT].append(value)
        for index, layer in enumerate(net.layers):
            with np.errstate(over="ignore", invalid="ignore"):  # asked about below
                value = floatnet.apply(layer, value)
            if index in parts:
                parts[index].append(value)
    return {place: _observed(net, place, parts[place]) for place in wanted}


def _observed(net: FloatNet, place: int, parts: list[Floats]) -> Observed:
    values = np.concatenate([part.ravel() for part in parts])
    if not np.isfinite(values).all():
        where = "the calibration data" if place == INPUT else net.layers[place].label
        raise ConfigError(
            f"{where}: values that are not finite", hint="check the data and the model"
        )
    step = max(1, values.size // _KEPT)
    return Observed(float(values.min()), float(values.max()), values[::step])


def grids(
    observed: Mapping[int, Observed], method: Method, percentile: float = 99.99
) -> dict[int, Grid]:
    """Return a grid for each place.

    `percentile` of the values lie within the limits of that method; `mse` takes the limits with
    the least mean squared error of rounding and clipping together.
    """
    return {place: _grid(seen, method, percentile) for place, seen in observed.items()}


def _grid(seen: Observed, method: Method, percentile: float) -> Grid:
    match method:
        case "min_max":
            return grid(seen.low, seen.high)
        case "percentile":
            rest = (100.0 - percentile) / 2
            # A ReLU's zeros are no tail: only the side that values reach is cut.
            low_share = rest if seen.low < 0 else 0.0
            low, high = np.percentile(seen.values, (low_share, 100.0 - rest))
            return grid(float(low), float(high))
        case "mse":
            sample = seen.values[:: max(1, seen.values.size // _TRIED)].astype(np.float64)
            tried = [grid(share * seen.low, share * seen.high) for share in _SHARES]
            errors = [float(np.square(real(one, q(one, sample)) - sample).mean()) for one in tried]
            # Of equal errors the widest: it clips least of what was not seen.
            return tried[len(errors) - 1 - int(np.argmin(errors[::-1]))]
        case _:
            assert_never(method)


def grid(low: float, high: float) -> Grid:
    """Return the grid of 256 steps over [low, high] and 0, where 0 is exactly an integer."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = float(np.float32((high - low) / (_HIGH - _LOW)))
    if not np.isfinite(scale) or scale < float(np.finfo(np.float32).tiny):
        return Grid(1.0, _LOW if low == 0 else _HIGH)
    zero_point = round(_LOW - low / scale)
    return Grid(scale, min(max(zero_point, _LOW), _HIGH))


def q(one: Grid, x: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Return the integers of real values, ties to even, clamped."""
    rounded = np.rint(np.asarray(x, np.float64) / one.scale) + one.zero_point
    return np.asarray(np.clip(rounded, _LOW, _HIGH).astype(np.int64))


def real(one: Grid, integers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the real values of integers."""
    return np.asarray((integers - one.zero_point) * one.scale)
