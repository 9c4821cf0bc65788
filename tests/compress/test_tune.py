"""Training on: what is pruned stays so, and what was trained with rounding is what is rounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from float_nets import image_net

from edgekit.compress import calibrate, floatnet, lowrank, quantize, recipe, simulate, steps
from edgekit.compress.floatnet import FloatNet
from edgekit.compress.lessons import Lessons, of
from edgekit.compress.quantize import Plan
from edgekit.compress.recipe import Training
from edgekit.errors import ConfigError
from edgekit.ir import edges, interp
from edgekit.train.data.dataset import Dataset

pytestmark = pytest.mark.torch


def lessons(net: FloatNet) -> Lessons:
    """Classes of the network's own answers: a damaged copy can learn them again."""
    draw = np.random.default_rng(7)
    x = draw.normal(size=(600, *net.input_shape)).astype(np.float32)
    y = floatnet.forward(net, x).argmax(axis=1)
    parts = (slice(0, 400), slice(400, 500), slice(500, 600))
    return Lessons(*(a[part] for part in parts for a in (x, y)))


def plan_of(net: FloatNet, taught: Lessons, word: str) -> Plan:
    grids = calibrate.grids(calibrate.observe(net, taught.x), "mse")
    return Plan(grids, {layer.label: word for _, layer in floatnet.weighted(net)})


def accuracy(net: FloatNet, plan: Plan, taught: Lessons) -> float:
    graph = quantize.lower(net, plan)
    (given,), (taken,) = graph.inputs, graph.outputs
    out = interp.run(graph, {given.tensor: edges.quantize(given, taught.test_x)})
    return float((out[taken.tensor].argmax(axis=1) == taught.test_y).mean())


@pytest.mark.parametrize("word", ["int4", "ternary", "binary"])
def test_tuning_with_rounding_helps_the_integer_graph(word: str) -> None:
    from edgekit.compress import tune

    net = image_net()
    taught = lessons(net)
    plan = plan_of(net, taught, word)
    settings = Training(epochs=2, learning_rate=0.005, batch=32)
    tuned, learned = tune.tune(net, taught, settings, plan=plan, teacher=net)
    assert learned is not None
    before, after = accuracy(net, plan, taught), accuracy(tuned, learned, taught)
    assert after >= (0.8 if word == "int4" else before + 0.1)
    # What training saw is what the graph computes, but for single steps.
    graph = quantize.lower(tuned, learned)
    given = edges.quantize(graph.inputs[0], taught.test_x)
    out = interp.run(graph, {graph.inputs[0].tensor: given})[graph.outputs[0].tensor]
    step = graph.outputs[0].scale
    real = edges.dequantize(graph.outputs[0], out)
    away = np.abs(real - simulate.forward(tuned, learned, taught.test_x)) / step
    assert (away > 1.01).mean() < 0.02


def test_a_training_that_diverges_is_refused() -> None:
    from edgekit.compress import tune

    net = image_net()
    settings = Training(epochs=1, temperature=1e-300, batch=32)
    with pytest.raises(ConfigError, match="train: the loss became nan in epoch 1"):
        tune.tune(net, lessons(net), settings, teacher=net)


def test_data_without_a_validation_part_are_refused() -> None:
    net, x, y = image_net(), np.zeros((4, 2), np.float32), np.zeros(4, np.int64)
    data = Dataset(x, y, x[:0], y[:0], x, y, classes=1)
    with pytest.raises(ConfigError, match="no validation part"):
        of(net, data, 1.0)


def test_the_torch_chain_is_the_float_chain() -> None:
    import torch

    from edgekit.compress import tune

    net = lowrank.factorize(image_net(), "conv", rank=3)
    net = lowrank.tensor_train(net, "dense", (1, 5), (6, 8), (4,))
    x = np.random.default_rng(3).normal(size=(5, *net.input_shape)).astype(np.float32)
    chain = tune._Chain(net, None, {})
    found = chain(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, floatnet.forward(net, x).reshape(5, -1), atol=1e-4)


def test_pruned_weights_stay_zero_and_seeds_repeat() -> None:
    from edgekit.compress import tune

    net = image_net()
    taught = lessons(net)
    index, layer = floatnet.weighted(net)[-1]
    mask = np.random.default_rng(0).random(floatnet.rows(layer).shape) < 0.5
    net = floatnet.with_layers(net, {index: replace(layer, weight=layer.weight * mask)})
    settings = Training(epochs=2, learning_rate=0.01, distill=0.0)
    runs = [
        tune.tune(net, taught, settings, masks={layer.label: mask}, seed=seed)[0]
        for seed in (0, 0, 1)
    ]
    weights = [floatnet.rows(floatnet.weighted(run)[-1][1]) for run in runs]
    assert not weights[0][~mask].any()
    assert (weights[0] != floatnet.rows(floatnet.weighted(net)[-1][1])).any()
    np.testing.assert_array_equal(weights[0], weights[1])
    assert (weights[0] != weights[2]).any()


@pytest.mark.parametrize("rewind", [False, True])
def test_rounds_of_pruning_end_sparse_and_trained(rewind: bool) -> None:
    net = image_net()
    taught = lessons(net)
    training = {"epochs": 1, "batch": 64, "learning_rate": 0.01}
    wish = recipe.Recipe.model_validate(
        {
            "data": {"kind": "digits"},
            "steps": [
                {"kind": "prune", "sparsity": 0.6, "rounds": 2, "rewind": rewind,
                 "layers": ["point", "dense"], "train": training},
                {"kind": "quantize", "weights": "int4"},
                {"kind": "train", **training},
            ],
        }
    )  # fmt: skip
    done = steps.run(net, wish, taught, lambda _graph, _unit: (0, {}))
    sizes, zeros = {}, {}
    for _, layer in floatnet.weighted(done.net):
        rows = floatnet.rows(layer)
        sizes[layer.label], zeros[layer.label] = rows.size, int((rows == 0).sum())
    gone = zeros["point"] + zeros["dense"]
    assert gone == round(0.6 * (sizes["point"] + sizes["dense"]))
    assert zeros["conv"] == zeros["depthwise"] == 0
    assert done.notes == ("prune: 60.1 % of the weights of its layers are 0",)
    before = {layer.label: layer.bias for _, layer in floatnet.weighted(net)}
    after = {layer.label: layer.bias for _, layer in floatnet.weighted(done.net)}
    assert all((before[name] != after[name]).any() for name in before)


def test_a_pruned_layer_is_not_factorized() -> None:
    net = image_net()
    wish = recipe.Recipe.model_validate(
        {
            "data": {"kind": "digits"},
            "steps": [
                {"kind": "prune", "method": "n_of_m", "n": 2, "m": 4},
                {"kind": "svd", "layers": ["dense"], "rank": 2},
                {"kind": "quantize"},
            ],
        }
    )
    with pytest.raises(ConfigError, match="dense: it is pruned, and factors of it"):
        steps.run(net, wish, lessons(net), lambda _graph, _unit: (0, {}))
