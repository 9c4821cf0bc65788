"""Recordings of words: wav files to int8 features, as the board computes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.audio import mfcc, recordings
from edgekit.audio.perturb import Perturbation, centred, perturb
from edgekit.audio.recordings import Recording
from edgekit.audio.tables import Mfcc
from edgekit.errors import ConfigError
from edgekit.train.config import Held, WavData
from edgekit.train.data.dataset import Dataset


def load(source: WavData) -> Dataset:
    """Return int8 features (n, frames, coefficients); labels in the order of their names.

    The training part holds each recording as it is, and `copies` of it made different. Test wins
    over validation where a recording is in both.

    Raises ConfigError for recordings that cannot be read and for a part without any.
    """
    settings = Mfcc(**source.mfcc.model_dump())
    found = recordings.read(source.path, source.names, settings.rate_hz)
    labels = sorted({one.label for one in found})
    test = [one for one in found if _held(one, source.test)]
    rest = [one for one in found if not _held(one, source.test)]
    val = [one for one in rest if _held(one, source.validation)]
    train = [one for one in rest if not _held(one, source.validation)]
    for name, part in (("test", test), ("training", train)):
        if not part:
            raise ConfigError(
                f"{source.path}: no recording is left for the {name} part",
                hint=f"there are the groups {_listed(one.group for one in found)} "
                f"and the takes {_listed(one.take for one in found)}",
            )
    train_x = [_features(settings, [centred(one.samples, settings.samples) for one in train])]
    generator = np.random.default_rng(source.split_seed)
    wanted = Perturbation(**source.perturb.model_dump())
    for _ in range(source.copies):
        changed = [perturb(one.samples, settings.samples, wanted, generator) for one in train]
        train_x.append(_features(settings, changed))
    clean = {
        part: _features(settings, [centred(one.samples, settings.samples) for one in chosen])
        for part, chosen in (("val", val), ("test", test))
    }
    train_y = np.tile(_numbers(train, labels), 1 + source.copies)
    return Dataset(
        np.concatenate(train_x),
        train_y,
        clean["val"],
        _numbers(val, labels),
        clean["test"],
        _numbers(test, labels),
        len(labels),
    )


def _held(one: Recording, held: Held) -> bool:
    return one.group in held.groups or one.take in held.takes


def _features(settings: Mfcc, clips: Sequence[NDArray[np.int16]]) -> NDArray[np.int8]:
    found = [mfcc.features(settings, clip) for clip in clips]
    empty = np.zeros((0, settings.frames, settings.coefficients), np.int8)
    return np.stack(found) if found else empty


def _numbers(part: Sequence[Recording], labels: Sequence[str]) -> NDArray[np.int64]:
    return np.array([labels.index(one.label) for one in part], np.int64)


def _listed(names: Iterable[str]) -> str:
    different = sorted(set(names))
    return ", ".join(different[:8]) + (", ..." if len(different) > 8 else "")
