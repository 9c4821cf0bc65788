"""Channels and neurons that go as a whole: every tensor that they touch becomes smaller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekit.compress import floatnet
from edgekit.compress.floatnet import (
    AveragePool,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    FloatNet,
    Layer,
    MaxPool,
    Permute,
    Relu,
    Shape,
    View,
)
from edgekit.errors import ConfigError, UnsupportedError

Kept = NDArray[np.bool_]


def prunable(net: FloatNet) -> tuple[str, ...]:
    """Return the layers whose outputs may go: all that mix channels, but the last."""
    mixing = [layer for _, layer in floatnet.weighted(net) if isinstance(layer, Dense | Conv2D)]
    return tuple(layer.label for layer in mixing[:-1])


def remove_channels(
    net: FloatNet, fraction: float, *, block: int = 1, layers: Sequence[str] | None = None
) -> FloatNet:
    """Return `net` without the least important `fraction` of each layer's output channels.

    Channels go in aligned blocks of `block`; a channel's importance is the norm of the weights
    that make it times the norm of those that read it, which no scaling between the two changes.
    `layers` None: all that `prunable` names.

    Raises:
        ConfigError: a fraction outside [0, 1), a layer that is unknown or not prunable, or
            one that would lose all its channels.
        UnsupportedError: between a layer and its reader is one that moves channels.
    """
    names = prunable(net) if layers is None else tuple(layers)
    if not 0.0 <= fraction < 1.0 or block < 1:
        raise ConfigError(
            f"a fraction of {fraction:g} in blocks of {block}; 0 or more, below 1, and blocks of "
            "at least 1 are wanted"
        )
    for name in names:
        if name not in prunable(net):
            known = ", ".join(prunable(net)) or "none"
            raise ConfigError(f"channels of layer {name!r} cannot go", hint=f"these can: {known}")
        net = _thinned(net, name, fraction, block)
    return net


def _thinned(net: FloatNet, name: str, fraction: float, block: int) -> FloatNet:
    index = next(i for i, layer in floatnet.weighted(net) if layer.label == name)
    layer = net.layers[index]
    assert isinstance(layer, Dense | Conv2D)
    scores = _importance(net, index, layer)
    count = -(-scores.size // block)
    sums = np.add.reduceat(scores, np.arange(count) * block)
    gone = int(count * fraction)
    if gone == 0:
        return net
    order = np.argsort(sums, kind="stable")
    blocks = np.ones(count, np.bool_)
    blocks[order[:gone]] = False
    return without(net, name, np.repeat(blocks, block)[: scores.size])


def _importance(net: FloatNet, index: int, layer: Dense | Conv2D) -> NDArray[np.float64]:
    scores = _norms(floatnet.rows(layer))
    count = scores.size
    for after in net.layers[index + 1 :]:
        if isinstance(after, DepthwiseConv2D):
            scores = np.repeat(scores, after.weight.shape[2] // scores.size)
            scores = scores * _norms(floatnet.rows(after))
        elif isinstance(after, Dense | Conv2D):
            # Channels run fastest, in a flattened image too.
            scores = scores * _norms(after.weight.reshape(-1, scores.size).T)
            break
    return np.asarray(scores.reshape(count, -1).sum(axis=1))


def _norms(rows: floatnet.Floats) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(np.square(rows, dtype=np.float64).sum(axis=1)))


def without(net: FloatNet, name: str, kept: Kept) -> FloatNet:
    """Return `net` where layer `name` keeps the output channels that are True in `kept`.

    Raises ConfigError where none stays, UnsupportedError as `remove_channels` does.
    """
    if not kept.any():
        raise ConfigError(f"{name}: none of its {kept.size} channels stays; at least 1 is wanted")
    index = next(i for i, layer in floatnet.weighted(net) if layer.label == name)
    layers = list(net.layers)
    made = layers[index]
    assert isinstance(made, Dense | Conv2D)
    layers[index] = replace(made, weight=made.weight[kept], bias=made.bias[kept])
    shape = floatnet.shapes(net)[index + 1]
    for at in range(index + 1, len(layers)):
        layer = layers[at]
        if isinstance(layer, Dense | Conv2D):
            layers[at] = _fewer_inputs(layer, kept)
            return replace(net, layers=tuple(layers))
        layers[at], kept = _passed(layer, kept, shape, name)
        shape = floatnet.shape_after(net.layers[at], shape)
    raise UnsupportedError(f"{name}: its channels are the network's outputs")


def _fewer_inputs(layer: Dense | Conv2D, kept: Kept) -> Layer:
    if isinstance(layer, Conv2D):
        return replace(layer, weight=np.ascontiguousarray(layer.weight[..., kept]))
    columns = np.tile(kept, layer.weight.shape[1] // kept.size)
    return replace(layer, weight=np.ascontiguousarray(layer.weight[:, columns]))


def _passed(layer: Layer, kept: Kept, shape: Shape, name: str) -> tuple[Layer, Kept]:
    """Return a layer behind the one that loses channels, and the channels that it passes on."""
    if isinstance(layer, Relu | MaxPool | AveragePool):
        return layer, kept
    if isinstance(layer, DepthwiseConv2D):
        kept = np.repeat(kept, layer.weight.shape[2] // kept.size)
        weight = np.ascontiguousarray(layer.weight[..., kept])
        return replace(layer, weight=weight, bias=layer.bias[kept]), kept
    if isinstance(layer, View) and shape[-1] == kept.size:
        if len(layer.shape) == 1:
            kept = np.tile(kept, layer.shape[0] // kept.size)
            return replace(layer, shape=(int(kept.sum()),)), kept
        if layer.shape[-1] == kept.size:
            return replace(layer, shape=(*layer.shape[:-1], int(kept.sum()))), kept
    assert isinstance(layer, View | Permute)
    raise UnsupportedError(
        f"{name}: its channels are moved by {layer.label} before they are read",
        hint="remove channels before a tensor-train factorization, or leave this layer out",
    )
