"""Small data sets and training files for the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

BINARY = [
    {"kind": "dense", "units": 16, "weight": "binary", "activation": "binary"},
    {"kind": "dense", "units": 3, "weight": "binary"},
]


def archive(path: Path, shape: tuple[int, ...] = (12,), classes: int = 3, seed: int = 0) -> Path:
    """Write an archive of uint8 samples whose class is the part that is bright."""
    generator = np.random.default_rng(seed)
    arrays = {}
    for part, count in (("train", 96), ("val", 24), ("test", 40)):
        y = np.arange(count) % classes
        x = generator.integers(0, 160, (count, *shape))
        flat = x.reshape(count, -1)
        width = flat.shape[1] // classes
        for label in range(classes):
            flat[y == label, label * width : (label + 1) * width] += 80
        arrays |= {f"{part}_x": x.astype(np.uint8), f"{part}_y": y}
    np.savez(path, **arrays)
    return path


def training(path: Path, **changes: Any) -> dict[str, Any]:
    """Return a training file as a mapping; `changes` replace whole sections."""
    return {
        "name": "small",
        "data": {"kind": "npz", "path": str(path)},
        "input": {"kind": "thermometer", "levels": 2},
        "network": BINARY,
        "train": {"epochs": 4, "batch": 16, "checkpoint_seconds": 0},
        **changes,
    }
