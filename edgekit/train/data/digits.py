"""scikit-learn's handwritten digits: 1,797 images of 8x8 pixels with values 0 to 16."""

from __future__ import annotations

import numpy as np

from edgekit.errors import ToolError
from edgekit.train.data.dataset import Dataset, split


def load(validation: float, test: float, seed: int) -> Dataset:
    """Return the digits as uint8 (n, 8, 8, 1), split by class.

    Raises ToolError where scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as exc:
        raise ToolError(
            "scikit-learn, which holds the digits, is not installed",
            hint="pip install 'edgekit[train]'",
        ) from exc
    digits = load_digits()
    x = digits.images.astype(np.uint8)[..., None]
    y = digits.target.astype(np.int64)
    rest, held = split(y, test, seed)
    kept, chosen = split(y[rest], validation / (1 - test), seed + 1)
    train, val = rest[kept], rest[chosen]
    return Dataset(x[train], y[train], x[val], y[val], x[held], y[held], 10)
