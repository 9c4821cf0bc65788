from __future__ import annotations

import itertools

import numpy as np
import pytest
from float_nets import image_net

from edgekit.compress import calibrate, floatnet, mixed, recipe, steps
from edgekit.compress.lessons import Lessons
from edgekit.compress.quantize import Plan
from edgekit.compress.steps import Measure
from edgekit.errors import DoesNotFitError
from edgekit.ir.graph import Graph

WORDS = ("int8", "int4", "ternary")


def tables(seed: int) -> tuple[mixed.Table, mixed.Table]:
    draw = np.random.default_rng(seed)
    sizes = draw.integers(10, 1000, 5)
    harm = {f"l{k}": {} for k in range(5)}
    cost = {f"l{k}": {} for k in range(5)}
    for k, size in enumerate(sizes):
        for word, bits, more in zip(WORDS, (8, 4, 2), (0.01, 0.1, 1.0), strict=True):
            cost[f"l{k}"][word] = float(size * bits)
            harm[f"l{k}"][word] = float(more * draw.uniform(0.5, 2.0))
    return harm, cost


@pytest.mark.parametrize("seed", range(6))
def test_the_choice_is_the_best_of_all(seed: int) -> None:
    harm, cost = tables(seed)
    most = sum(costs["int8"] for costs in cost.values())
    for share in (0.3, 0.5, 0.8):
        budget = share * most
        chosen = mixed.choose(harm, cost, budget, "bits")
        assert sum(cost[name][word] for name, word in chosen.items()) <= budget
        found = sum(harm[name][word] for name, word in chosen.items())
        best = min(
            sum(harm[name][word] for name, word in zip(harm, words, strict=True))
            for words in itertools.product(WORDS, repeat=5)
            if sum(cost[name][word] for name, word in zip(cost, words, strict=True)) <= budget
        )
        assert found == pytest.approx(best)


def test_a_budget_for_everything_takes_the_least_harm() -> None:
    harm, cost = tables(0)
    assert set(mixed.choose(harm, cost, 1e9, "bits").values()) == {"int8"}


def test_an_impossible_budget_does_not_fit() -> None:
    harm, cost = tables(0)
    least = sum(costs["ternary"] for costs in cost.values())
    with pytest.raises(DoesNotFitError, match=f"the cheapest words take {least:,.0f}"):
        mixed.choose(harm, cost, least - 1, "bits")
    assert set(mixed.choose(harm, cost, least, "bits").values()) == {"ternary"}


def measured(extra: int, more_together: int) -> Measure:
    """Count weights' bits, a fixed `extra`, and `more_together` where words are mixed."""

    def measure(graph: Graph, unit: str) -> tuple[int, dict[str, int]]:
        assert unit == "cycles"
        kinds = {n.label: graph.tensors[n.weight] for n in graph.nodes if hasattr(n, "weight")}
        layers = {name: kind.size * kind.dtype.bits for name, kind in kinds.items()}
        mixed_up = len({kind.dtype for kind in kinds.values()}) > 1
        return sum(layers.values()) + extra + more_together * mixed_up, layers

    return measure


def mixed_words(budget: int, measure: Measure) -> dict[str, str]:
    net = image_net()
    x = np.random.default_rng(5).normal(size=(40, *net.input_shape)).astype(np.float32)
    y = floatnet.forward(net, x).argmax(axis=1)
    wish = recipe.Recipe.model_validate(
        {
            "data": {"kind": "digits"},
            "steps": [{"kind": "mixed", "words": WORDS, "cycles": budget}],
        }
    )
    done = steps.run(net, wish, Lessons(x, y, x, y, x, y), measure)
    assert done.plan is not None
    return dict(done.plan.words)


def test_a_budget_of_cycles_counts_what_surrounds_layers_and_what_mixing_adds() -> None:
    sizes = {layer.label: layer.weight.size for _, layer in floatnet.weighted(image_net())}
    most = 8 * sum(sizes.values())

    def cost(words: dict[str, str]) -> int:
        bits = {"int8": 8, "int4": 4, "ternary": 2}
        return sum(sizes[name] * bits[word] for name, word in words.items())

    budget = most * 3 // 4 + 700
    free = mixed_words(budget, measured(700, 0))
    assert 700 + cost(free) <= budget
    dearer = mixed_words(budget, measured(700, 500))
    assert 1200 + cost(dearer) <= budget
    assert cost(dearer) < cost(free)
    with pytest.raises(DoesNotFitError, match="a budget of 600 cycles: the cheapest words take"):
        mixed_words(600, measured(700, 0))


def test_fewer_bits_harm_more() -> None:
    net = image_net()
    x = np.random.default_rng(5).normal(size=(40, *net.input_shape)).astype(np.float32)
    grids = calibrate.grids(calibrate.observe(net, x), "min_max")
    plan = Plan(grids, {layer.label: "int8" for _, layer in floatnet.weighted(net)})
    harm = mixed.harms(net, plan, WORDS, x)
    for harms in harm.values():
        assert harms["int8"] < harms["int4"] < harms["ternary"]
