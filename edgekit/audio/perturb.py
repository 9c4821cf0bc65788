"""Recordings made different, as other voices, rooms and microphones would: for training only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LOUDEST = 32000.0
_EQUALIZER_WAVES = 4


@dataclass(frozen=True, slots=True)
class Perturbation:
    """How far recordings are changed; every change is drawn anew for each copy."""

    speed: float = 0.2  # pitch, formants and pace together, by up to exp(speed) either way
    equalizer_db: float = 4.0  # spread of each of four cosine waves over the spectrum
    loudness_db: tuple[float, float] = (-25.0, 5.0)
    noise_db: tuple[float, float] = (5.0, 45.0)  # how far white noise lies below the sound


def perturb(
    samples: NDArray[np.int16], count: int, wanted: Perturbation, generator: np.random.Generator
) -> NDArray[np.int16]:
    """Return a changed copy of a recording, somewhere within a clip of `count` samples."""
    sound = _resampled(samples.astype(np.float64), wanted.speed, generator)
    sound = _equalized(sound, wanted.equalizer_db, generator)
    gain = 10 ** (generator.uniform(*wanted.loudness_db) / 20)
    sound = sound * min(gain, _LOUDEST / (np.abs(sound).max() + 1))
    clip = np.zeros(count)
    shift = int(generator.integers(0, abs(count - len(sound)) + 1))
    if len(sound) > count:
        clip[:] = sound[shift : shift + count]
    else:
        clip[shift : shift + len(sound)] = sound
    noise = np.sqrt((sound**2).mean()) * 10 ** (-generator.uniform(*wanted.noise_db) / 20)
    clip += generator.normal(size=count) * noise
    return np.rint(clip).clip(-32768, 32767).astype(np.int16)


def centred(samples: NDArray[np.int16], count: int) -> NDArray[np.int16]:
    """Return a recording in the middle of a clip of silence, or its middle if it is longer."""
    clip = np.zeros(count, np.int16)
    shift = abs(count - len(samples)) // 2
    if len(samples) > count:
        clip[:] = samples[shift : shift + count]
    else:
        clip[shift : shift + len(samples)] = samples
    return clip


def _resampled(
    sound: NDArray[np.float64], spread: float, generator: np.random.Generator
) -> NDArray[np.float64]:
    factor = float(np.exp(generator.uniform(-spread, spread)))
    places = np.arange(max(int(len(sound) / factor), 1)) * factor
    return np.interp(places, np.arange(len(sound)), sound)


def _equalized(
    sound: NDArray[np.float64], spread_db: float, generator: np.random.Generator
) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(sound)
    place = np.linspace(0, np.pi, len(spectrum))
    waves = [generator.normal() * np.cos(k * place) for k in range(1, _EQUALIZER_WAVES + 1)]
    changed = spectrum * 10 ** (spread_db * np.sum(waves, axis=0) / 20)
    equalized: NDArray[np.float64] = np.fft.irfft(changed, len(sound))
    return equalized
