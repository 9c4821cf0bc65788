from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from edgekit.compress import prune, prune_iterative
from edgekit.errors import ConfigError

ROWS = np.random.default_rng(0).normal(size=(12, 40))


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.8, 0.97])
def test_magnitude_takes_the_smallest_weights(sparsity: float) -> None:
    mask = prune.by_magnitude(ROWS, sparsity)
    assert mask.sum() == ROWS.size - round(ROWS.size * sparsity)
    assert mask.any(axis=1).all()
    if sparsity <= 0.8:  # beyond, the best weight of each neuron may be among the smallest
        assert np.abs(ROWS)[mask].min() >= np.abs(ROWS)[~mask].max(initial=0)


def test_global_magnitude_shares_sparsity_between_layers_by_relative_size() -> None:
    small = ROWS * 1e-3
    masks = prune.by_magnitude_global({"a": ROWS, "b": small}, 0.8)
    assert prune.sparsity_of(masks) == pytest.approx(0.8, abs=1e-9)
    np.testing.assert_array_equal(masks["a"], masks["b"])
    wide = np.concatenate([ROWS, np.full((12, 1), 9.0)], axis=1)  # one weight outweighs the rest
    masks = prune.by_magnitude_global({"a": ROWS, "b": wide}, 0.8)
    assert masks["a"].mean() > masks["b"].mean()


def test_a_neuron_keeps_its_last_weight() -> None:
    rows = ROWS.copy()
    rows[3] *= 1e-6
    mask = prune.by_magnitude(rows, 0.9)
    assert mask[3].sum() == 1
    assert mask[3, np.abs(rows[3]).argmax()]
    assert mask.sum() == 48


@pytest.mark.parametrize(
    ("size", "width"), [(4, 40), (32, 96), (32, 100)], ids=["fours", "words", "short last word"]
)
def test_groups_go_as_a_whole(size: int, width: int) -> None:
    rows = np.random.default_rng(1).normal(size=(20, width))
    mask = prune.by_group(rows, 0.5, size)
    for start in range(0, width, size):
        part = mask[:, start : start + size]
        assert (part.all(axis=1) | ~part.any(axis=1)).all()
    assert mask.any(axis=1).all()
    groups = mask[:, ::size]
    assert groups.sum() == groups.size - round(groups.size * 0.5)


def test_n_of_m_and_fan_in_count_what_stays() -> None:
    mask = prune.n_of_m(ROWS, 2, 8)
    assert (mask.reshape(12, 5, 8).sum(axis=2) == 2).all()
    kept = np.sort(np.abs(ROWS).reshape(12, 5, 8), axis=2)[:, :, -2:]
    np.testing.assert_array_equal(np.sort(np.abs(ROWS)[mask].reshape(12, 5, 2), axis=2), kept)
    assert prune.n_of_m(ROWS[:, :11], 2, 8)[:, 8:].sum(axis=1).tolist() == [2] * 12
    assert (prune.fixed_fan_in(ROWS, 6).sum(axis=1) == 6).all()
    assert prune.fixed_fan_in(ROWS, 99).all()


@pytest.mark.parametrize("sparsity", [1.0, -0.1, float("nan")])
def test_a_neuron_is_never_emptied(sparsity: float) -> None:
    with pytest.raises(ConfigError, match="0 or more and less than 1 is wanted"):
        prune.by_magnitude(ROWS, sparsity)


def test_a_sparsity_that_empties_neurons_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        prune.by_magnitude(ROWS, 0.99, "second")
    assert caught.value.message == (
        "second: a sparsity of 0.99 leaves 5 weights for 12 neurons, some of them none"
    )
    assert "at most 0.9750" in caught.value.hint


def test_rounds_of_pruning_rewind_to_early_weights() -> None:
    begun = {"a": ROWS}
    seen: list[tuple[int, float, float]] = []

    def train(
        weights: prune_iterative.Weights, masks: prune_iterative.Masks, step: int
    ) -> prune_iterative.Weights:
        at = weights["a"][masks["a"]]
        seen.append((step, prune.sparsity_of(masks), float(np.abs(at - ROWS[masks["a"]]).max())))
        return {"a": weights["a"] * 1.5}

    def choose(weights: prune_iterative.Weights, sparsity: float) -> Mapping[str, prune.Mask]:
        return prune.by_magnitude_global(weights, sparsity)

    found = prune_iterative.iterate(
        {"a": ROWS * 3}, choose, train, sparsity=0.8, steps=3, rewind=begun
    )
    assert [step for step, _, _ in seen] == [1, 2, 3]
    assert [round(share, 2) for _, share, _ in seen] == [0.56, 0.77, 0.8]
    assert max(away for _, _, away in seen) == 0  # each round starts from the early weights
    weights, masks = found
    np.testing.assert_array_equal(weights["a"], np.where(masks["a"], ROWS * 1.5, 0))
    carried, _ = prune_iterative.iterate({"a": ROWS}, choose, train, sparsity=0.8, steps=3)
    np.testing.assert_allclose(carried["a"][masks["a"]], ROWS[masks["a"]] * 1.5**3)
