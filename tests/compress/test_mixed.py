from __future__ import annotations

import itertools

import numpy as np
import pytest
from float_nets import image_net

from edgekit.compress import calibrate, floatnet, mixed
from edgekit.compress.quantize import Plan
from edgekit.errors import DoesNotFitError

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


def test_fewer_bits_harm_more() -> None:
    net = image_net()
    x = np.random.default_rng(5).normal(size=(40, *net.input_shape)).astype(np.float32)
    grids = calibrate.grids(calibrate.observe(net, x), "min_max")
    plan = Plan(grids, {layer.label: "int8" for _, layer in floatnet.weighted(net)})
    harm = mixed.harms(net, plan, WORDS, x)
    for harms in harm.values():
        assert harms["int8"] < harms["int4"] < harms["ternary"]
