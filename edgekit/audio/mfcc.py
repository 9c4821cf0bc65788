"""Mel-frequency cepstra in integers: docs/reference/mfcc.md, the twin of firmware/frontend.

Every step is int64 numpy; the C computes the same numbers, bit for bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.audio.tables import (
    LEVEL_BITS,
    LOG_BITS,
    LOG_TABLE,
    MEL_BITS,
    OUTPUT_SHIFT,
    POWER_SHIFT,
    ROTATION_BITS,
    Mfcc,
    Tables,
    tables_of,
)
from edgekit.errors import ConfigError

Ints = NDArray[np.int64]


def features(settings: Mfcc, samples: NDArray[np.int16]) -> NDArray[np.int8]:
    """Return the features of one clip, (frames, coefficients).

    Args:
        settings: What is computed.
        samples: int16 (settings.samples,) at settings.rate_hz.

    Raises:
        ConfigError: `samples` has another type or length.
    """
    if samples.dtype != np.int16 or samples.shape != (settings.samples,):
        raise ConfigError(
            f"a clip is {samples.dtype} {samples.shape}; wanted int16 ({settings.samples},), "
            f"which is {settings.frames} frames at {settings.rate_hz} Hz"
        )
    starts = settings.hop * np.arange(settings.frames)
    frames = samples.astype(np.int64)[starts[:, None] + np.arange(settings.window)]
    return frame_features(settings, frames)


def frame_features(settings: Mfcc, frames: Ints) -> NDArray[np.int8]:
    """Return the features of frames of int16 values, (n, window) to (n, coefficients)."""
    tables = tables_of(settings)
    gain, windowed = _windowed(tables, frames)
    energies = _mel_energies(tables, _power(_spectrum(tables, windowed)))
    return _cepstrum(tables, _levels(settings, energies, gain))


def _windowed(tables: Tables, frames: Ints) -> tuple[Ints, Ints]:
    """Return how far each frame's values can go left within 16 bits, and the windowed frames."""
    used = np.bitwise_or.reduce(frames ^ (frames >> 15), axis=1)
    gain = 15 - bit_length(used)
    products = frames * tables.window
    down = np.maximum(10 - gain, 0)[:, None]
    up = np.maximum(gain - 10, 0)[:, None]
    return gain, (products >> down) << up


def _spectrum(tables: Tables, x: Ints) -> tuple[Ints, Ints]:
    """Return twice the spectrum of real frames in the bins 0 to window / 2 - 1, (n, window / 2).

    Half as many complex points as samples: even samples are real parts, odd ones imaginary.
    """
    re, im = _transform(tables, x[:, 0::2], x[:, 1::2])
    mirror = -np.arange(re.shape[1]) % re.shape[1]
    sum_re, sum_im = re + re[:, mirror], im - im[:, mirror]
    difference_re, difference_im = re - re[:, mirror], im + im[:, mirror]
    turned_re, turned_im = _rotate(tables.cosines, tables.sines, difference_im, -difference_re)
    return sum_re + turned_re, sum_im + turned_im


def _transform(tables: Tables, re: Ints, im: Ints) -> tuple[Ints, Ints]:
    """Return the discrete Fourier transform along the last axis, radix 2, decimated in time."""
    points = re.shape[1]
    order = np.array([int(f"{i:0{points.bit_length() - 1}b}"[::-1], 2) for i in range(points)])
    re, im = re[:, order], im[:, order]
    half = 1
    while half < points:
        shape = (re.shape[0], points // (2 * half), 2, half)
        re, im = re.reshape(shape), im.reshape(shape)
        step = points // half
        turned = _rotate(tables.cosines[::step], tables.sines[::step], re[:, :, 1], im[:, :, 1])
        for part, source in zip(turned, (re, im), strict=True):
            part[..., 0] = source[:, :, 1, 0]  # the first is not turned: exact
        first = re[:, :, 0], im[:, :, 0]
        re = np.stack([first[0] + turned[0], first[0] - turned[0]], axis=2)
        im = np.stack([first[1] + turned[1], first[1] - turned[1]], axis=2)
        re, im = re.reshape(-1, points), im.reshape(-1, points)
        half *= 2
    return re, im


def _rotate(cosines: Ints, sines: Ints, re: Ints, im: Ints) -> tuple[Ints, Ints]:
    """Return (re + i im)(cos - i sin), each product floored to a multiple of 4."""
    shift = ROTATION_BITS + 2
    turned_re = (re * cosines >> shift) + (im * sines >> shift)
    turned_im = (im * cosines >> shift) - (re * sines >> shift)
    return turned_re << 2, turned_im << 2


def _power(spectrum: tuple[Ints, Ints]) -> Ints:
    re, im = spectrum
    power: Ints = (re * re + im * im) >> POWER_SHIFT
    return power


def _mel_energies(tables: Tables, power: Ints) -> Ints:
    """Return the energy under each triangle: what rises in it and what falls in it."""
    mel = tables.triangles
    weights = np.array(mel.weights, np.int64)
    bins = power[:, mel.first_bin : mel.first_bin + len(weights)]
    rising, total = _slope_sums(bins * weights, mel.slopes), _slope_sums(bins, mel.slopes)
    falling = (total << MEL_BITS) - rising
    energies: Ints = rising[:, :-1] + falling[:, 1:]
    return energies


def _slope_sums(values: Ints, slopes: tuple[int, ...]) -> Ints:
    """Return the sum over each slope's bins, (n, slopes); a slope may have none."""
    running = np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0)))
    edges = running[:, list(slopes)]
    sums: Ints = np.diff(edges, axis=1)
    return sums


def _levels(settings: Mfcc, energies: Ints, gain: Ints) -> Ints:
    """Return the base-2 logarithms above the floor, LEVEL_BITS; what is below gives 0."""
    level = (log2(energies) >> (LOG_BITS - LEVEL_BITS)) - (2 * gain[:, None] << LEVEL_BITS)
    levels: Ints = np.maximum(level - (settings.floor << LEVEL_BITS), 0)
    return levels


def log2(x: Ints) -> Ints:
    """Return log2 with LOG_BITS fractional bits, linear between 33 points; 0 counts as 1."""
    x = np.maximum(x, 1)
    exponent = bit_length(x) - 1
    # 20 bits below the leading one: 5 choose an entry, 15 lie between it and the next.
    mantissa = (x >> np.maximum(exponent - 20, 0)) << np.maximum(20 - exponent, 0)
    entry, rest = (mantissa >> 15) & 31, mantissa & 0x7FFF
    table = np.array(LOG_TABLE, np.int64)
    between = (table[entry + 1] - table[entry]) * rest >> 15
    result: Ints = (exponent << LOG_BITS) + table[entry] + between
    return result


def _cepstrum(tables: Tables, levels: Ints) -> NDArray[np.int8]:
    sums = levels @ tables.cosine_rows.T + tables.starts
    return (sums >> OUTPUT_SHIFT).clip(-128, 127).astype(np.int8)


def bit_length(x: Ints) -> Ints:
    """Return the number of bits of non-negative values below 2^63; 0 has none."""
    length = np.zeros_like(x)
    for bits in (32, 16, 8, 4, 2, 1):
        more = (x >> bits) > 0
        length += bits * more
        x = np.where(more, x >> bits, x)
    return length + (x > 0)
