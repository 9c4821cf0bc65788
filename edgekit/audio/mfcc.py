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
    spectrum = _spectrum(tables, np.ascontiguousarray(windowed.T))
    energies = _mel_energies(tables, _power(spectrum))
    return _cepstrum(tables, _levels(settings, energies, gain)).T


def _windowed(tables: Tables, frames: Ints) -> tuple[Ints, Ints]:
    """Return how far each frame's values can go left within 16 bits, and the windowed frames."""
    used = np.bitwise_or.reduce(frames ^ (frames >> 15), axis=1)
    gain = 15 - bit_length(used)
    products = frames * tables.window
    down = np.maximum(10 - gain, 0)[:, None]
    up = np.maximum(gain - 10, 0)[:, None]
    return gain, (products >> down) << up


# From here on frames run along the last axis, which keeps numpy's inner loops long.


def _spectrum(tables: Tables, x: Ints) -> tuple[Ints, Ints]:
    """Return twice the spectrum of (window, n) real samples in the bins 0 to window / 2 - 1.

    Half as many complex points as samples: even samples are real parts, odd ones imaginary.
    """
    re, im = _transform(tables, x[0::2], x[1::2])
    mirror = -np.arange(len(re)) % len(re)
    turns = tables.cosines[:, None], tables.sines[:, None]
    turned_re, turned_im = _rotate(*turns, im + im[mirror], re[mirror] - re)
    return re + re[mirror] + turned_re, im - im[mirror] + turned_im


def _transform(tables: Tables, re: Ints, im: Ints) -> tuple[Ints, Ints]:
    """Return the discrete Fourier transform along the first axis, radix 2, decimated in time."""
    points, count = re.shape
    order = np.array([int(f"{i:0{points.bit_length() - 1}b}"[::-1], 2) for i in range(points)])
    re, im = re[order], im[order]
    half = 1
    while half < points:
        shape = (points // (2 * half), 2, half, count)
        (a_re, b_re), (a_im, b_im) = (
            part.reshape(shape).swapaxes(0, 1) for part in (re, im)
        )  # each (groups, half, n)
        step = points // half
        turns = tables.cosines[::step, None], tables.sines[::step, None]
        t_re, t_im = _rotate(*turns, b_re, b_im)
        t_re[:, 0], t_im[:, 0] = b_re[:, 0], b_im[:, 0]  # the first is not turned: exact
        re = np.stack([a_re + t_re, a_re - t_re], axis=1).reshape(points, count)
        im = np.stack([a_im + t_im, a_im - t_im], axis=1).reshape(points, count)
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
    weights = np.array(mel.weights, np.int64)[:, None]
    bins = power[mel.first_bin : mel.first_bin + len(weights)]
    rising, total = _slope_sums(bins * weights, mel.slopes), _slope_sums(bins, mel.slopes)
    falling = (total << MEL_BITS) - rising
    energies: Ints = rising[:-1] + falling[1:]
    return energies


def _slope_sums(values: Ints, slopes: tuple[int, ...]) -> Ints:
    """Return the sum over each slope's bins, (slopes, n); a slope may have none."""
    running = np.pad(np.cumsum(values, axis=0), ((1, 0), (0, 0)))
    sums: Ints = np.diff(running[list(slopes)], axis=0)
    return sums


def _levels(settings: Mfcc, energies: Ints, gain: Ints) -> Ints:
    """Return the base-2 logarithms above the floor, LEVEL_BITS; what is below gives 0."""
    level = (log2(energies) >> (LOG_BITS - LEVEL_BITS)) - (2 * gain << LEVEL_BITS)
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
    sums = tables.cosine_rows @ levels + tables.starts[:, None]
    return (sums >> OUTPUT_SHIFT).clip(-128, 127).astype(np.int8)


def bit_length(x: Ints) -> Ints:
    """Return the number of bits of non-negative values below 2^63; 0 has none."""
    length = np.zeros_like(x)
    for bits in (32, 16, 8, 4, 2, 1):
        more = (x >> bits) > 0
        length += bits * more
        x = np.where(more, x >> bits, x)
    return length + (x > 0)
