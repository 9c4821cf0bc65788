"""Data sets in memory: three parts, checked once, split the same way for every training seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError

Array: TypeAlias = NDArray[Any]

_LISTED = 8  # missing labels at most


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Samples (n, *shape) of uint8, int8 or float32, and labels (n,) of int64 from 0.

    `shape` is (features,), (time, channels) or (height, width, channels). The test part is for
    one evaluation at the very end; choices are made on the validation part, which may be empty.
    """

    train_x: Array
    train_y: NDArray[np.int64]
    val_x: Array
    val_y: NDArray[np.int64]
    test_x: Array
    test_y: NDArray[np.int64]
    classes: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.train_x.shape[1:])


def checked(dataset: Dataset, origin: str) -> Dataset:
    """Return `dataset` after the checks that every loader needs.

    Raises ConfigError for parts of different shape or dtype, values that are not finite, labels
    outside 0 to classes - 1, and a class without a sample in a part.
    """
    parts = {
        "training": (dataset.train_x, dataset.train_y),
        "validation": (dataset.val_x, dataset.val_y),
        "test": (dataset.test_x, dataset.test_y),
    }
    if len(dataset.val_y) == 0:
        del parts["validation"]
    for name, (x, y) in parts.items():
        _check_part(origin, name, x, y, dataset)
        missing = _missing(y, dataset.classes)
        if missing:
            listed = ", ".join(str(label) for label in missing)
            raise ConfigError(
                f"{origin}: the {name} part has no sample of class {listed}; "
                f"labels run from 0 to {dataset.classes - 1}",
                hint="add samples of it, or number the classes without gaps",
            )
    return dataset


def _missing(y: NDArray[np.int64], classes: int) -> list[int]:
    """Return the first few of the labels below `classes` that `y` lacks."""
    found = np.unique(y)
    # Among the first `found.size + _LISTED` labels at least `_LISTED` are missing, if so many are.
    first = np.arange(min(classes, found.size + _LISTED))
    return [int(label) for label in np.setdiff1d(first, found)[:_LISTED]]


def _check_part(origin: str, name: str, x: Array, y: NDArray[np.int64], dataset: Dataset) -> None:
    if x.ndim not in (2, 3, 4) or len(x) == 0 or 0 in x.shape:
        raise ConfigError(
            f"{origin}: the {name} part has shape {x.shape}; wanted samples of (features,), "
            "(time, channels) or (height, width, channels)"
        )
    if x.dtype not in (np.dtype(np.uint8), np.dtype(np.int8), np.dtype(np.float32)):
        raise ConfigError(
            f"{origin}: the {name} part holds {x.dtype}, wanted uint8, int8 or float32"
        )
    if x.shape[1:] != dataset.shape or x.dtype != dataset.train_x.dtype:
        raise ConfigError(
            f"{origin}: the {name} part holds {x.dtype} samples of {x.shape[1:]}, "
            f"the training part {dataset.train_x.dtype} of {dataset.shape}"
        )
    if x.dtype == np.float32 and not np.isfinite(x).all():
        raise ConfigError(f"{origin}: the {name} part holds NaN or infinity")
    if y.shape != (len(x),):
        raise ConfigError(f"{origin}: {len(x)} {name} samples but labels of shape {y.shape}")
    if y.min() < 0 or y.max() >= dataset.classes:
        raise ConfigError(
            f"{origin}: the {name} labels run from {y.min()} to {y.max()}, "
            f"wanted 0 to {dataset.classes - 1}"
        )


def split(y: NDArray[np.int64], fraction: float, seed: int) -> tuple[Array, Array]:
    """Return the indices (kept, taken) of a seeded split that takes `fraction` of every class.

    A class of two samples or more gives at least one; both lists ascend. Fraction 0 takes none.
    """
    if fraction == 0:
        return np.arange(len(y)), np.arange(0)
    generator = np.random.default_rng(seed)
    taken: list[int] = []
    for label in np.unique(y):
        members = generator.permutation(np.flatnonzero(y == label))
        count = max(round(len(members) * fraction), 1) if len(members) > 1 else 0
        taken.extend(members[:count].tolist())
    mask = np.zeros(len(y), dtype=bool)
    mask[taken] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)
