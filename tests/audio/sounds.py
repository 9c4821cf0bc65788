"""Clips that strain a front end, and a front end in floating point to compare with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from edgekit.audio.tables import Mfcc

Clip = NDArray[np.int16]


def fit(samples: Clip, count: int) -> Clip:
    """Return `count` samples: cut at the end, or silence added there."""
    clip = np.zeros(count, np.int16)
    clip[: min(count, len(samples))] = samples[:count]
    return clip


def extremes(count: int, seed: int) -> list[Clip]:
    """Return noise of every loudness, full scale of either sign, single clicks and silence."""
    rng = np.random.default_rng(seed)
    clips = [rng.integers(-(2**bits), 2**bits, count) for bits in range(16)]
    clips += [np.where(rng.random(count) < 0.5, -32768, 32767) for _ in range(2)]
    clips += [np.full(count, value) for value in (0, 1, -1, -32768, 32767)]
    clips.append(np.where(np.arange(count) % 2, -32768, 32767))  # the highest frequency
    for amplitude in (32767, 300, 2):
        clips.append(amplitude * np.sin(np.arange(count) * rng.uniform(0.02, 3)))
    click = np.zeros(count)
    click[rng.integers(0, count, 5)] = -32768
    return [np.asarray(clip).astype(np.int16) for clip in [*clips, click]]


def float_coefficients(settings: Mfcc, clips: Sequence[Clip]) -> NDArray[np.float64]:
    """Return mel-frequency cepstra by the textbook, in the units of the integer ones.

    Hann window, power spectrum, triangles on the mel axis, base-2 logarithm with a floor, DCT-II
    scaled to the mean, then the gains of docs/reference/mfcc.md; (clips * frames, coefficients).
    """
    n, mels = settings.window, settings.mels
    starts = settings.hop * np.arange(settings.frames)[:, None] + np.arange(n)
    frames = np.concatenate([clip.astype(np.float64)[starts] for clip in clips])
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    power = np.abs(np.fft.rfft(frames * hann)) ** 2
    mel = np.log(700 + np.arange(n // 2 + 1) * settings.rate_hz / n)
    low, high = np.log(700 + settings.low_hz), np.log(700 + settings.high_hz)
    corners = low + (high - low) * np.arange(mels + 2) / (mels + 1)
    distance = np.abs(mel[:, None] - corners[None, 1:-1]) / (corners[1] - corners[0])
    energy = power @ np.maximum(0, 1 - distance)
    # A sample of 1 is 2^5 after the window; the spectrum is doubled.
    scale = (2 * 2**5) ** 2
    level = np.maximum(np.log2(energy * scale + 1e-300) - settings.floor, 0)
    cepstrum = dct(level, type=2)[:, : settings.coefficients] / (2 * mels)
    gains = 30 * (1 + 0.35 * (np.arange(settings.coefficients) - 1))
    gains[0] = 8
    result: NDArray[np.float64] = cepstrum * gains
    result[:, 0] -= 96
    return result.clip(-128, 127)
