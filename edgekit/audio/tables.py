"""The settings of the integer front end, and the tables that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

import numpy as np
from numpy.typing import NDArray

from edgekit.audio import exact
from edgekit.errors import ConfigError

# Fractional bits.
WINDOW_BITS = 15
ROTATION_BITS = 14  # sines and cosines: 1 is exact
MEL_BITS = 12  # weights of triangles
LOG_BITS = 15  # table of logarithms
LEVEL_BITS = 8  # levels, which are logarithms
COSINE_BITS = 11  # cosine transform
OUTPUT_SHIFT = LEVEL_BITS + COSINE_BITS

# int8 steps for a level that is one power of 2 higher in every triangle, and what silence gives.
_LOUDNESS_GAIN, _SILENCE = Decimal(8), -96
# The spread of higher coefficients falls about as 1 / (1 + 0.35 j): so much do they gain.
_FIRST_GAIN, _GAIN_PER_COEFFICIENT = Decimal(30), Decimal("0.35")
POWER_SHIFT = 12  # to the right, of a bin's power
_MAX_ENERGY_BITS = 58  # of what lies under a triangle, by Parseval's theorem
_WINDOWS = (128, 256, 512)
_MEL_HZ = 700  # mel(f) = 1127 ln(1 + f / 700), the HTK Book, section 5.6

LOG_TABLE = exact.integers(2**LOG_BITS * exact.log2(Decimal(32 + i) / 32) for i in range(33))


@dataclass(frozen=True, slots=True)
class Mfcc:
    """What is computed of int16 mono sound.

    Raises ConfigError where the integers of SPEC would not hold: see docs/reference/mfcc.md.
    """

    rate_hz: int
    window: int  # samples of a frame: 128, 256 or 512
    hop: int  # samples from one frame to the next
    frames: int
    mels: int  # triangles
    coefficients: int
    low_hz: int
    high_hz: int
    floor: int = 22  # the level, in powers of 2, at and below which a triangle is silent

    @property
    def samples(self) -> int:
        """Samples of a clip."""
        return self.hop * (self.frames - 1) + self.window

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("rate_hz", self.rate_hz, 4000, 48000),
            ("hop", self.hop, 1, self.window),
            ("frames", self.frames, 1, 1000),
            ("mels", self.mels, 2, 64),
            ("coefficients", self.coefficients, 1, self.mels),
            ("low_hz", self.low_hz, 0, self.high_hz - 1),
            ("high_hz", self.high_hz, 1, self.rate_hz // 2),
            ("floor", self.floor, 0, _MAX_ENERGY_BITS - 1),
        ):
            if not low <= value <= high:
                raise ConfigError(f"mfcc: {name} is {value}, wanted {low} to {high}")
        if self.window not in _WINDOWS:
            raise ConfigError(f"mfcc: window is {self.window} samples, wanted 128, 256 or 512")
        self._check_tables()

    def _check_tables(self) -> None:
        slopes = _triangles(self).slopes
        empty = [m for m in range(self.mels) if slopes[m] == slopes[m + 2]]
        if empty:
            raise ConfigError(
                f"mfcc: triangle {empty[0]} of {self.mels} lies between two of the window's "
                f"{self.window // 2} frequencies and would always be silent",
                hint="take fewer mels, a longer window or a wider band",
            )
        rows, starts = _cosine_rows(self)
        level = (_MAX_ENERGY_BITS - self.floor) << LEVEL_BITS
        top = max(level * sum(map(abs, row)) for row in rows) + max(map(abs, starts))
        steepest = max(abs(value) for row in rows for value in row)
        if top >= 2**31 or steepest >= 2**15:
            raise ConfigError(
                f"mfcc: {self.coefficients} coefficients of {self.mels} mels with floor "
                f"{self.floor} can reach {top}, which 32 bits do not hold",
                hint="take fewer coefficients, more mels or a higher floor",
            )


@dataclass(frozen=True, slots=True)
class Triangles:
    """Overlapping triangles on the mel axis; each bin rises in one and falls in the one before."""

    first_bin: int
    weights: tuple[int, ...]  # rising, MEL_BITS; one per bin
    slopes: tuple[int, ...]  # where each of the mels + 1 slopes starts in weights, and the end


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """The constants of one front end, int64."""

    window: NDArray[np.int64]  # (window,), WINDOW_BITS
    cosines: NDArray[np.int64]  # (window / 2,) of k / window turns, ROTATION_BITS
    sines: NDArray[np.int64]  # likewise
    triangles: Triangles
    cosine_rows: NDArray[np.int64]  # (coefficients, mels), COSINE_BITS
    starts: NDArray[np.int64]  # (coefficients,), OUTPUT_SHIFT


@cache
def tables_of(settings: Mfcc) -> Tables:
    """Return the tables of these settings, the same on every machine."""
    turns = [Decimal(k) / settings.window for k in range(settings.window)]
    hann = exact.integers(2 ** (WINDOW_BITS - 1) * (1 - exact.cosine(t)) for t in turns)
    half = turns[: settings.window // 2]
    rows, starts = _cosine_rows(settings)
    return Tables(
        window=np.minimum(_int64(hann), 2**WINDOW_BITS - 1),
        cosines=_int64(exact.integers(2**ROTATION_BITS * exact.cosine(t) for t in half)),
        sines=_int64(exact.integers(2**ROTATION_BITS * exact.sine(t) for t in half)),
        triangles=_triangles(settings),
        cosine_rows=_int64(rows),
        starts=_int64(starts),
    )


def _triangles(s: Mfcc) -> Triangles:
    """Return the weights of `mels` triangles whose corners are equally far apart in mel."""
    low, high = (exact.ln(_MEL_HZ + Decimal(hz)) for hz in (s.low_hz, s.high_hz))
    frequencies = {k: Decimal(k * s.rate_hz) / s.window for k in range(1, s.window // 2)}
    bins = [k for k, hz in frequencies.items() if s.low_hz <= hz < s.high_hz]
    corners = [
        (s.mels + 1) * (exact.ln(_MEL_HZ + frequencies[k]) - low) / (high - low) for k in bins
    ]
    weights = exact.integers(2**MEL_BITS * (corner % 1) for corner in corners)
    slopes = tuple(sum(corner < i for corner in corners) for i in range(s.mels + 2))
    return Triangles(bins[0] if bins else 1, weights, slopes)


def _cosine_rows(s: Mfcc) -> tuple[list[tuple[int, ...]], list[int]]:
    """Return the rows of the cosine transform, scaled for int8, and where their sums start."""
    rows, starts = [], []
    for j in range(s.coefficients):
        gain = _FIRST_GAIN * (1 + _GAIN_PER_COEFFICIENT * (j - 1)) if j else _LOUDNESS_GAIN
        scale = 2**COSINE_BITS * gain / s.mels
        turns = (Decimal((2 * m + 1) * j) / (4 * s.mels) for m in range(s.mels))
        rows.append(exact.integers(scale * exact.cosine(t) for t in turns))
        offset = 0 if j else _SILENCE
        starts.append((offset << OUTPUT_SHIFT) + (1 << (OUTPUT_SHIFT - 1)))
    return rows, starts


def _int64(values: Sequence[int] | Sequence[tuple[int, ...]]) -> NDArray[np.int64]:
    return np.array(values, np.int64)


# 49 frames of 32 ms, 20 ms apart: what one spoken word takes.
WORD_8K = Mfcc(
    rate_hz=8000,
    window=256,
    hop=160,
    frames=49,
    mels=26,
    coefficients=13,
    low_hz=60,
    high_hz=4000,
)
WORD_16K = Mfcc(
    rate_hz=16000,
    window=512,
    hop=320,
    frames=49,
    mels=26,
    coefficients=13,
    low_hz=60,
    high_hz=7600,
    floor=24,
)
