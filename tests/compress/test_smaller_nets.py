"""Channels that go, and layers that become two: the network computes what it did, or less."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from float_nets import dense_net, image_net

from edgekit.compress import floatnet, lowrank, structured
from edgekit.compress.floatnet import FloatNet
from edgekit.errors import ConfigError


def inputs(net: FloatNet, count: int = 7) -> np.ndarray:
    return np.random.default_rng(5).normal(size=(count, *net.input_shape)).astype(np.float32)


def silenced(net: FloatNet, name: str, channels: list[int]) -> FloatNet:
    """Return `net` where some channels of a layer are 0 and everything behind takes them as 0."""
    index = next(i for i, layer in floatnet.weighted(net) if layer.label == name)
    layer = net.layers[index]
    weight, bias = layer.weight.copy(), layer.bias.copy()
    weight[channels], bias[channels] = 0, 0
    new = {index: replace(layer, weight=weight, bias=bias)}
    for at, after in floatnet.weighted(net):
        if at > index and isinstance(after, floatnet.DepthwiseConv2D):
            bias = after.bias.copy()
            bias[channels] = 0
            new[at] = replace(after, bias=bias)
    return floatnet.with_layers(net, new)


@pytest.mark.parametrize(("name", "fraction"), [("conv", 0.26), ("point", 0.17)])
def test_channels_that_do_nothing_are_removed_without_a_change(name: str, fraction: float) -> None:
    net = silenced(image_net(), name, [1, 4])
    thin = structured.remove_channels(net, fraction, layers=[name])
    before, after = (
        {layer.label: layer.weight.shape for _, layer in floatnet.weighted(one)}
        for one in (net, thin)
    )
    assert after[name][0] == before[name][0] - 2
    if name == "point":
        assert after["dense"][1] == before["dense"][1] - 2 * 4
    else:
        assert after["depthwise"] == (3, 3, 6)
        assert after["point"] == (12, 1, 1, 6)
    x = inputs(net)
    np.testing.assert_allclose(floatnet.forward(thin, x), floatnet.forward(net, x), atol=1e-5)


def test_a_channel_with_two_readers_of_its_own_goes_with_both() -> None:
    net = image_net()
    draw = np.random.default_rng(8)
    weight, bias = draw.normal(size=(3, 3, 16)), np.zeros(16)
    wide = replace(net.layers[3], weight=weight.astype("f4"), bias=bias.astype("f4"))
    point = replace(net.layers[5], weight=draw.normal(size=(12, 1, 1, 16)).astype("f4"))
    net = floatnet.with_layers(net, {3: wide, 5: point})
    net = silenced(net, "conv", [6])
    thin = structured.remove_channels(net, 0.13, layers=["conv"])
    assert [layer.weight.shape[-1] for _, layer in floatnet.weighted(thin)][:3] == [2, 14, 14]
    x = inputs(net)
    np.testing.assert_allclose(floatnet.forward(thin, x), floatnet.forward(net, x), atol=1e-4)


def test_neurons_go_in_aligned_blocks() -> None:
    net = dense_net(widths=(24, 30, 10))
    first = net.layers[0]
    weight = first.weight.copy()
    weight[:8] *= 0.1
    weight[16:24] *= 0.1
    net = floatnet.with_layers(net, {0: replace(first, weight=weight)})
    thin = structured.remove_channels(net, 0.5, block=8)
    np.testing.assert_array_equal(
        thin.layers[0].weight, np.delete(weight, [*range(8), *range(16, 24)], 0)
    )
    assert thin.layers[2].weight.shape == (10, 14)
    assert floatnet.forward(thin, inputs(net)).shape == (7, 10)


def test_which_channels_go_does_not_follow_a_scale_between_layers() -> None:
    net = dense_net()
    first, last = net.layers[0], net.layers[2]
    scale = np.linspace(0.01, 100, 30, dtype=np.float32)
    scaled = floatnet.with_layers(
        net,
        {
            0: replace(first, weight=first.weight * scale[:, None], bias=first.bias * scale),
            2: replace(last, weight=last.weight / scale),
        },
    )
    a, b = (structured.remove_channels(one, 0.4) for one in (net, scaled))
    x = inputs(net)
    np.testing.assert_allclose(floatnet.forward(a, x), floatnet.forward(b, x), rtol=1e-3, atol=1e-4)


def test_what_cannot_be_removed_is_named() -> None:
    with pytest.raises(ConfigError, match="channels of layer 'dense 1' cannot go"):
        structured.remove_channels(dense_net(), 0.5, layers=["dense 1"])
    with pytest.raises(ConfigError, match="none of its 30 channels stays"):
        structured.without(dense_net(), "dense 0", np.zeros(30, np.bool_))
    with pytest.raises(ConfigError, match="a fraction of 1"):
        structured.remove_channels(dense_net(), 1.0)


@pytest.mark.parametrize("name", ["conv", "point", "dense"])
def test_a_factorization_of_full_rank_changes_nothing(name: str) -> None:
    net = image_net()
    x = inputs(net)
    full = lowrank.factorize(net, name, energy=1.0)
    np.testing.assert_allclose(floatnet.forward(full, x), floatnet.forward(net, x), atol=1e-4)
    low = lowrank.factorize(net, name, rank=2)
    assert [layer.weight.shape[0] for _, layer in floatnet.weighted(low)].count(2) == 1


def test_a_tensor_train_of_full_rank_changes_nothing() -> None:
    net = dense_net(widths=(24, 30, 10))
    train = lowrank.tensor_train(net, "dense 0", (2, 3, 5), (4, 3, 2), (99, 99))
    x = inputs(net)
    np.testing.assert_allclose(floatnet.forward(train, x), floatnet.forward(net, x), atol=1e-4)
    low = lowrank.tensor_train(net, "dense 0", (5, 6), (6, 4), (3,))
    size = sum(layer.weight.size for _, layer in floatnet.weighted(low))
    assert size == 5 * 6 * 3 + 6 * 4 * 3 + 30 + 300  # two cores, the bias, the last layer


def test_factors_that_do_not_fit_are_named() -> None:
    with pytest.raises(ConfigError, match="their products have to be these"):
        lowrank.tensor_train(dense_net(), "dense 0", (5, 5), (6, 4), (3,))
    with pytest.raises(ConfigError, match="1 to 10 is wanted"):
        lowrank.factorize(dense_net(), "dense 1", rank=11)
    with pytest.raises(ConfigError, match="no layer is called 'dense 9'"):
        lowrank.factorize(dense_net(), "dense 9", rank=2)
