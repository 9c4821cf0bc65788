"""Which weights stay: masks of fine-grained pruning, as numpy arrays of weights alone.

Weights are matrices (C_out, n), one row for each neuron; a mask is True where a weight stays. No
mask takes a neuron's last weight: a neuron without weights is constant, and narrower networks say
that better. Ties go to the lower index.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError

Rows = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

WORD = 32  # weights that binary kernels read at a time
GROUP = 4  # weights that int8 kernels read at a time


def by_magnitude(rows: Rows, sparsity: float, name: str = "layer") -> Mask:
    """Return the mask that takes the smallest `sparsity` of a layer's weights.

    Raises ConfigError where that would leave a neuron without weights everywhere.
    """
    return by_magnitude_global({name: rows}, sparsity)[name]


def by_magnitude_global(layers: Mapping[str, Rows], sparsity: float) -> dict[str, Mask]:
    """Return masks that take the smallest `sparsity` of all layers' weights together.

    Magnitudes are compared in units of their layer's root mean square, so that a layer of small
    weights is not emptied first. Raises ConfigError where a neuron would keep no weight.
    """
    _check_share(sparsity)
    relative = {name: np.abs(rows) / _root_mean_square(rows) for name, rows in layers.items()}
    return _largest(relative, sparsity, 1)


def by_group(rows: Rows, sparsity: float, size: int = GROUP, name: str = "layer") -> Mask:
    """Return the mask that takes aligned groups of `size` weights of a row, by their mean square.

    Where a row is no multiple of `size` its last group is shorter. `size` 32: whole words of
    binary weights.
    """
    _check_share(sparsity)
    if size < 1:
        raise ConfigError(f"groups of {size} weights; at least 1 is wanted")
    count = -(-rows.shape[1] // size)
    starts = np.arange(count) * size
    lengths = np.minimum(starts + size, rows.shape[1]) - starts
    energy = np.add.reduceat(np.square(rows, dtype=np.float64), starts, axis=1) / lengths
    kept = _largest({name: np.sqrt(energy)}, sparsity, size)[name]
    return np.asarray(np.repeat(kept, size, axis=1)[:, : rows.shape[1]])


def n_of_m(rows: Rows, n: int, m: int) -> Mask:
    """Return the mask that keeps the `n` largest of each `m` consecutive weights of a row.

    Raises ConfigError unless 1 <= n <= m.
    """
    if not 1 <= n <= m:
        raise ConfigError(f"{n} of {m} weights stay; 1 <= n <= m is wanted")
    count, width = rows.shape
    groups = -(-width // m)
    padded = np.full((count, groups * m), -1.0)
    padded[:, :width] = np.abs(rows)
    order = np.argsort(-padded.reshape(count, groups, m), axis=2, kind="stable")
    kept = np.zeros((count, groups, m), np.bool_)
    np.put_along_axis(kept, order[:, :, :n], True, axis=2)
    return kept.reshape(count, -1)[:, :width]


def fixed_fan_in(rows: Rows, inputs: int) -> Mask:
    """Return the mask that keeps the `inputs` largest weights of each neuron.

    Raises ConfigError for less than one input.
    """
    if inputs < 1:
        raise ConfigError(f"a fan-in of {inputs}; at least 1 is wanted")
    order = np.argsort(-np.abs(rows), axis=1, kind="stable")
    kept = np.zeros(rows.shape, np.bool_)
    np.put_along_axis(kept, order[:, :inputs], True, axis=1)
    return kept


def sparsity_of(masks: Mapping[str, Mask]) -> float:
    """Return the share of weights that masks take."""
    total = sum(mask.size for mask in masks.values())
    return 1.0 - sum(int(mask.sum()) for mask in masks.values()) / max(total, 1)


def _largest(scores: Mapping[str, Rows], sparsity: float, size: int) -> dict[str, Mask]:
    """Keep the largest scores of all layers, and of each row at least its largest."""
    flat = np.concatenate([score.ravel() for score in scores.values()])
    keep = flat.size - round(flat.size * sparsity)
    neurons = sum(score.shape[0] for score in scores.values())
    if keep < neurons:
        most = 1.0 - neurons / flat.size
        name = min(scores, key=lambda key: scores[key].shape[1])
        raise ConfigError(
            f"{name}: a sparsity of {sparsity:g} leaves {keep * size} weights for {neurons} "
            "neurons, some of them none",
            hint=f"ask for at most {most:.4f}, or remove neurons: kind `channels`",
        )
    # The best of each row comes before all others.
    first = {name: np.zeros(score.shape, np.bool_) for name, score in scores.items()}
    for name, score in scores.items():
        first[name][np.arange(score.shape[0]), score.argmax(axis=1)] = True
    certain = np.concatenate([mask.ravel() for mask in first.values()])
    order = np.lexsort((np.arange(flat.size), -flat, ~certain))
    kept = np.zeros(flat.size, np.bool_)
    kept[order[:keep]] = True
    masks, start = {}, 0
    for name, score in scores.items():
        masks[name] = kept[start : start + score.size].reshape(score.shape)
        start += score.size
    return masks


def _root_mean_square(rows: Rows) -> float:
    return float(np.sqrt(np.square(rows, dtype=np.float64).mean())) or 1.0


def _check_share(sparsity: float) -> None:
    if not 0.0 <= sparsity < 1.0:
        raise ConfigError(
            f"a sparsity of {sparsity:g}; 0 or more and less than 1 is wanted",
            hint="a neuron with 100 % sparsity computes a constant: remove neurons instead, "
            "kind `channels`",
        )
