"""Weighted layers as products of smaller ones: SVD, and tensor trains of dense layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekit.compress import floatnet
from edgekit.compress.floatnet import (
    Conv2D,
    Dense,
    DepthwiseConv2D,
    FloatNet,
    Layer,
    Permute,
    View,
)
from edgekit.errors import ConfigError

Reals = NDArray[np.float64]


def factorize(
    net: FloatNet, name: str, *, rank: int | None = None, energy: float | None = None
) -> FloatNet:
    """Return `net` with a dense layer or convolution as two, by its singular values.

    A convolution becomes one of `rank` filters and a 1x1 convolution. Either the rank is given,
    or the share of the squared singular values that has to stay.

    Raises ConfigError for an unknown layer, a depthwise one, or a rank or share out of range.
    """
    index, layer = _find(net, name)
    if isinstance(layer, DepthwiseConv2D):
        raise ConfigError(f"{name}: a depthwise convolution has no low-rank form")
    matrix = floatnet.rows(layer).astype(np.float64)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    kept = _rank(name, values, rank, energy)
    root = np.sqrt(values[:kept])
    outer = (left[:, :kept] * root).astype(np.float32)
    inner = (right[:kept] * root[:, np.newaxis]).astype(np.float32)
    none = np.zeros(kept, np.float32)
    first: Layer
    second: Layer
    if isinstance(layer, Dense):
        first = Dense(f"{name} / in", inner, none)
        second = Dense(f"{name} / out", outer, layer.bias)
    else:
        filters = inner.reshape(kept, *layer.weight.shape[1:])
        first = replace(layer, label=f"{name} / in", weight=filters, bias=none)
        second = Conv2D(f"{name} / out", outer.reshape(-1, 1, 1, kept), layer.bias)
    return _replaced(net, index, (first, second))


def tensor_train(
    net: FloatNet, name: str, outputs: Sequence[int], inputs: Sequence[int], ranks: Sequence[int]
) -> FloatNet:
    """Return `net` with a dense layer as a tensor train of 1x1 convolutions (arXiv 1509.06569).

    Args:
        net: a float network.
        name: the dense layer, M outputs and N inputs.
        outputs: factors of M, one for each core.
        inputs: factors of N, as many.
        ranks: the ranks between cores, one fewer; lowered to what the weights have.

    Raises:
        ConfigError: the layer is no dense one, the factors do not multiply to its sizes, or
            there are not at least two cores and one rank between each two.
    """
    index, layer = _find(net, name)
    if not isinstance(layer, Dense):
        raise ConfigError(f"{name}: a tensor train is made of a dense layer")
    rows, columns = layer.weight.shape
    if math.prod(outputs) != rows or math.prod(inputs) != columns:
        raise ConfigError(
            f"{name}: factors {list(outputs)} and {list(inputs)} of {rows} outputs and {columns} "
            "inputs; their products have to be these"
        )
    cores = len(outputs)
    if cores < 2 or len(inputs) != cores or len(ranks) != cores - 1 or min(ranks) < 1:
        raise ConfigError(
            f"{name}: {len(outputs)} and {len(inputs)} factors with ranks {list(ranks)}; as many "
            "of each, at least 2, and one positive rank between each two are wanted"
        )
    train = _cores(layer.weight.astype(np.float64), outputs, inputs, ranks)
    return _replaced(net, index, _train_layers(layer, train))


def _cores(
    weight: Reals, outputs: Sequence[int], inputs: Sequence[int], ranks: Sequence[int]
) -> list[Reals]:
    """Return cores (r_before, m, n, r_after), first input factor first (TT-SVD).

    The layer's outputs are numbered with the last core's factor slowest, which is the order in
    which the layers of `_train_layers` leave them.
    """
    count = len(outputs)
    tensor = weight.reshape(*reversed(outputs), *inputs)
    # Axes (m_d ... m_1, n_1 ... n_d) become (m_1, n_1, ..., m_d, n_d).
    order = [axis for k in range(count) for axis in (count - 1 - k, count + k)]
    rest = tensor.transpose(order)
    cores, before = [], 1
    for k in range(count - 1):
        matrix = rest.reshape(before * outputs[k] * inputs[k], -1)
        left, values, right = np.linalg.svd(matrix, full_matrices=False)
        kept = min(ranks[k], len(values))
        root = np.sqrt(values[:kept])
        cores.append((left[:, :kept] * root).reshape(before, outputs[k], inputs[k], kept))
        rest, before = right[:kept] * root[:, np.newaxis], kept
    cores.append(rest.reshape(before, outputs[-1], inputs[-1], 1))
    return cores


def _train_layers(layer: Dense, cores: list[Reals]) -> tuple[Layer, ...]:
    """Contract the last input factor first: an image of (others, done outputs, factor * rank).

    Before core k the value is (n_1 ... n_k-1, M, n_k * r) with M the outputs that are done; the
    1x1 convolution gives (..., m_k * r_before), and a change of order brings n_k-1 to the end.
    """
    label, done = layer.label, 1
    layers: list[Layer] = []
    lead = layer.weight.shape[1]
    for number, core in reversed(list(enumerate(cores, 1))):
        before, outputs, inputs, after = core.shape
        lead //= inputs
        layers.append(View(f"{label} / {number} view", (lead, done, inputs * after)))
        # Rows (m, r_before), columns (n, r_after).
        matrix = core.transpose(1, 0, 2, 3).reshape(outputs * before, 1, 1, inputs * after)
        bias = np.zeros(outputs * before, np.float32)
        layers.append(Conv2D(f"{label} / {number}", matrix.astype(np.float32), bias))
        if number > 1:
            factor = cores[number - 2].shape[2]
            split = (lead // factor, factor, done * outputs, before)
            layers.append(View(f"{label} / {number} split", split))
            layers.append(Permute(f"{label} / {number} order", (0, 2, 1, 3)))
        done *= outputs
    return (*layers, *_biased(layer))


def _biased(layer: Dense) -> tuple[Layer, ...]:
    """Return the end of a train: a bias for each output, which no core has room for."""
    outputs = layer.weight.shape[0]
    if not layer.bias.any():
        return (View(f"{layer.label} / out", (outputs,)),)
    one = np.ones((1, 1, outputs), np.float32)
    return (
        View(f"{layer.label} / out", (1, 1, outputs)),
        DepthwiseConv2D(f"{layer.label} / bias", one, layer.bias),
    )


def _rank(name: str, values: Reals, rank: int | None, energy: float | None) -> int:
    if (rank is None) == (energy is None):
        raise ConfigError(f"{name}: either a rank or an energy is wanted")
    if rank is not None:
        if not 1 <= rank <= len(values):
            raise ConfigError(f"{name}: rank {rank}; 1 to {len(values)} is wanted")
        return rank
    assert energy is not None
    if not 0.0 < energy <= 1.0:
        raise ConfigError(f"{name}: energy {energy:g}; above 0 and at most 1 is wanted")
    share = np.cumsum(np.square(values)) / max(float(np.square(values).sum()), 1e-30)
    return min(int(np.searchsorted(share, energy - 1e-12)) + 1, len(values))


def _find(net: FloatNet, name: str) -> tuple[int, floatnet.Weighted]:
    for index, layer in floatnet.weighted(net):
        if layer.label == name:
            return index, layer
    known = ", ".join(layer.label for _, layer in floatnet.weighted(net))
    raise ConfigError(f"no layer is called {name!r}", hint=f"pick one of: {known}")


def _replaced(net: FloatNet, index: int, layers: tuple[Layer, ...]) -> FloatNet:
    return replace(net, layers=(*net.layers[:index], *layers, *net.layers[index + 1 :]))
