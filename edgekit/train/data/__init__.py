"""Loaders: one module per source, all returning a checked `Dataset`."""

from __future__ import annotations

from typing import assert_never

from edgekit.train.config import DigitsData, IdxData, NpzData, TrainingData, WavData
from edgekit.train.data import digits, idx, npz, wavs
from edgekit.train.data.dataset import Dataset, checked


def load(source: TrainingData) -> Dataset:
    """Return the data set of `source`.

    Raises ConfigError for files that are missing, damaged or incomplete, and for a class without
    samples; ToolError for a package that is not installed.
    """
    match source:
        case DigitsData():
            found = digits.load(source.validation, source.test, source.split_seed)
            return checked(found, "digits")
        case IdxData():
            found = idx.load(source.path, source.validation, source.split_seed)
            return checked(found, str(source.path))
        case NpzData():
            found = npz.load(source.path, source.validation, source.split_seed)
            return checked(found, str(source.path))
        case WavData():
            return checked(wavs.load(source), str(source.path))
        case _:
            assert_never(source)
