"""Iterative pruning: prune a little, train, prune more; with rewinding if wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgekit.compress.prune import Mask
from edgekit.errors import ConfigError

Weights: TypeAlias = Mapping[str, NDArray[np.floating[Any]]]
Masks: TypeAlias = Mapping[str, Mask]


def cubic(step: int, steps: int, sparsity: float) -> float:
    """Return the sparsity of step 1 to `steps`: fast at first (arXiv 1710.01878)."""
    return sparsity * (1.0 - (1.0 - step / steps) ** 3)


def iterate(
    weights: Weights,
    choose: Callable[[Weights, float], Masks],
    train: Callable[[Weights, Masks, int], Weights],
    *,
    sparsity: float,
    steps: int,
    rewind: Weights | None = None,
) -> tuple[Weights, Masks]:
    """Return the weights and masks after `steps` rounds of pruning and training.

    Args:
        weights: trained matrices (C_out, n) by layer name.
        choose: masks for weights at a sparsity; weights taken before are 0 in it.
        train: trains masked weights in round 1 to `steps`, and returns them, masked.
        sparsity: share of weights that is gone after the last round.
        steps: rounds; 1 is one-shot pruning.
        rewind: weights of an early epoch. Each round then starts from them, under its mask
            (lottery tickets, arXiv 1912.05671); None: weights are carried on.

    Raises:
        ConfigError: less than one step, or layers of `rewind` that differ from `weights`.
    """
    if steps < 1:
        raise ConfigError(f"{steps} rounds of pruning; at least 1 is wanted")
    if rewind is not None and {k: v.shape for k, v in rewind.items()} != {
        k: v.shape for k, v in weights.items()
    }:
        raise ConfigError("the weights to rewind to belong to another network")
    masks: Masks = {name: np.ones(rows.shape, np.bool_) for name, rows in weights.items()}
    for step in range(1, steps + 1):
        before = masked(weights, masks)
        found = choose(before, cubic(step, steps, sparsity))
        masks = {name: mask & masks[name] for name, mask in found.items()}
        start = weights if rewind is None else rewind
        weights = train(masked(start, masks), masks, step)
    return masked(weights, masks), masks


def masked(weights: Weights, masks: Masks) -> dict[str, NDArray[np.floating[Any]]]:
    """Return weights with 0 where a mask takes them."""
    return {name: np.where(masks[name], rows, 0) for name, rows in weights.items()}
