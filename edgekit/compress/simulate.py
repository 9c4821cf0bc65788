"""The integer network in real numbers, layer by layer: what rounding does to each of them.

Differs from the graph by the rounding of its fixed-point scales alone, at most a step here and
there; figures that are reported come from the graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from edgekit.compress import calibrate, floatnet
from edgekit.compress.calibrate import INPUT, Grid
from edgekit.compress.floatnet import Conv2D, Dense, DepthwiseConv2D, FloatNet, Floats, Weighted
from edgekit.compress.quantize import Plan, coded


def forward(net: FloatNet, plan: Plan, x: Floats) -> Floats:
    """Return the output for network inputs [n, *input shape] under `plan`."""
    rounded = {
        index: as_rounded(layer, plan, at, out) for index, layer, at, out in between(net, plan)
    }
    parts = []
    for chunk in floatnet.chunks(x):
        value = on_grid(plan.grids[INPUT], chunk)
        for index, layer in enumerate(net.layers):
            value = floatnet.apply(rounded.get(index, layer), value)
            if index in plan.grids:
                value = on_grid(plan.grids[index], value)
        parts.append(value)
    return np.concatenate(parts)


def bias_corrected(net: FloatNet, plan: Plan, x: Floats) -> FloatNet:
    """Return `net` with biases that restore each channel's mean where rounding moved it.

    From the first layer to the last, each with the layers before it rounded and corrected
    (empirical bias correction, arXiv 1906.04721). `x`: calibration inputs [n, *input shape].
    """
    links = {index: (at, out) for index, _, at, out in between(net, plan)}
    real, rounded = x, on_grid(plan.grids[INPUT], x)
    layers = list(net.layers)
    for index, layer in enumerate(net.layers):
        real = _apply(layer, real)
        if isinstance(layer, Dense | Conv2D | DepthwiseConv2D):
            found = _apply(as_rounded(layer, plan, *links[index]), rounded)
            away = _means(real) - _means(found)
            layer = replace(layer, bias=layer.bias + away)
            layers[index] = layer
            layer = as_rounded(layer, plan, *links[index])
        rounded = _apply(layer, rounded)
        if index in plan.grids:
            rounded = on_grid(plan.grids[index], rounded)
    return replace(net, layers=tuple(layers))


def between(net: FloatNet, plan: Plan) -> Iterator[tuple[int, Weighted, Grid, Grid]]:
    """Yield each weighted layer with its place, the grid that it reads and the one it writes."""
    at = plan.grids[INPUT]
    for index, layer in enumerate(net.layers):
        if isinstance(layer, Dense | Conv2D | DepthwiseConv2D):
            yield index, layer, at, plan.grids[index if index in plan.grids else index + 1]
        at = plan.grids.get(index, at)


def as_rounded(layer: Weighted, plan: Plan, at: Grid, out: Grid) -> Weighted:
    """Return the layer with the real weights and bias that its integers stand for."""
    found = coded(layer, plan.words[layer.label], plan.scales.get(layer.label), at, out)
    weight = floatnet.from_rows(layer, found.rows * found.scale[:, np.newaxis])
    bias = found.bias * found.scale * at.scale
    return replace(layer, weight=weight.astype(np.float32), bias=bias.astype(np.float32))


def on_grid(grid: Grid, x: Floats) -> Floats:
    """Return the values that `x` is rounded to."""
    return calibrate.real(grid, calibrate.q(grid, x)).astype(np.float32)


def _apply(layer: floatnet.Layer, x: Floats) -> Floats:
    return np.concatenate([floatnet.apply(layer, chunk) for chunk in floatnet.chunks(x)])


def _means(x: Floats) -> Floats:
    return np.asarray(x.reshape(-1, x.shape[-1]).mean(axis=0, dtype=np.float64), np.float32)
