"""Bytes of a Nordic PPK2: commands, metadata, samples. Pure functions and one small decoder.

Layouts are those of the official application (pc-nrfconnect-ppk); no code of it or of the GPL
packages is used.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DeviceError

RATE_HZ = 100_000.0

AVERAGE_START = b"\x06"
AVERAGE_STOP = b"\x07"
GET_METADATA = b"\x19"
DUT_OFF = b"\x0c\x00"
DUT_ON = b"\x0c\x01"
AMPERE_METER = b"\x11\x01"
SOURCE_METER = b"\x11\x02"

_RANGES = 5
_ADC_BITS = 14
_ADC_MULTIPLIER = 1.8 / 163840
_KEY = re.compile(r"^(R|GS|GI|O|S|I|UG)([0-4])$")
_DEFAULTS: dict[str, tuple[float, ...]] = {
    "R": (1031.64, 101.65, 10.15, 0.94, 0.043),
    "GS": (1.0,) * _RANGES,
    "GI": (1.0,) * _RANGES,
    "O": (0.0,) * _RANGES,
    "S": (0.0,) * _RANGES,
    "I": (0.0,) * _RANGES,
    "UG": (1.0,) * _RANGES,
}


def regulator_set(supply_mv: int) -> bytes:
    """Return the command that sets the supply, 800 to 5000 mV."""
    if not 800 <= supply_mv <= 5000:
        raise DeviceError(
            f"a PPK2 cannot be set to {supply_mv} mV", hint="it supplies 800 to 5000 mV"
        )
    return b"\x0d" + supply_mv.to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class Calibration:
    """Coefficients per range 0..4, in the official application's names."""

    r: tuple[float, ...]
    gs: tuple[float, ...]
    gi: tuple[float, ...]
    o: tuple[float, ...]
    s: tuple[float, ...]
    i: tuple[float, ...]
    ug: tuple[float, ...]
    calibrated: bool
    hardware: str

    def ampere(
        self, adc: NDArray[np.float64], range_: int, supply_mv: float
    ) -> NDArray[np.float64]:
        """Return the currents in A of ADC values (four times the sample's field)."""
        k = range_
        x = (adc - self.o[k]) * (_ADC_MULTIPLIER / self.r[k])
        offset = self.s[k] * (supply_mv / 1000.0) + self.i[k]
        current: NDArray[np.float64] = self.ug[k] * (x * (self.gs[k] * x + self.gi[k]) + offset)
        return current

    def table_ua(self, supply_mv: float) -> NDArray[np.float64]:
        """Return the current in µA for every (range, field): index = the word's low 17 bits."""
        adc = np.arange(1 << _ADC_BITS, dtype=np.float64) * 4.0
        rows = [self.ampere(adc, min(k, _RANGES - 1), supply_mv) * 1e6 for k in range(8)]
        return np.concatenate(rows)

    def steps_ua(self) -> NDArray[np.float64]:
        """Return what one step of the field is worth in each of the eight range codes, in µA."""
        return np.array(
            [
                4.0 * _ADC_MULTIPLIER / self.r[k] * abs(self.gi[k] * self.ug[k]) * 1e6
                for k in (0, 1, 2, 3, 4, 4, 4, 4)
            ]
        )


def parse_metadata(raw: bytes) -> Calibration | None:
    """Return the calibration in `raw`, or None while its END has not arrived.

    Bytes before `Calibrated:` (stale samples) are skipped. By the official rule a value that is
    zero or not a number keeps the default.
    """
    begin = raw.rfind(b"Calibrated:")
    if begin < 0:
        return None
    end = re.search(rb"(?m)^END\r?$", raw[begin:])
    if end is None or b"\n" not in raw[begin + end.start() :]:
        return None
    text = raw[begin : begin + end.start()].decode("ascii", errors="replace")
    values = {name: list(default) for name, default in _DEFAULTS.items()}
    plain: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        key = _KEY.match(name.strip())
        if key is None:
            plain[name.strip()] = value.strip()
        elif number := _number(value):
            values[key[1]][int(key[2])] = number
    return Calibration(
        r=tuple(values["R"]),
        gs=tuple(values["GS"]),
        gi=tuple(values["GI"]),
        o=tuple(values["O"]),
        s=tuple(values["S"]),
        i=tuple(values["I"]),
        ug=tuple(values["UG"]),
        calibrated=plain.get("Calibrated", "0") not in {"0", ""},
        hardware=plain.get("HW", "?"),
    )


def _number(text: str) -> float:
    """Return the number in `text`, 0 where there is none."""
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0


class Decoder:
    """Turns stream bytes into sample words, and finds out which samples are missing.

    The 6-bit counter gives the loss exactly, modulo 64. A single sample whose counter fits
    neither neighbour while they fit each other is taken as corrupted, and counted as lost.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._counter: int | None = None
        self._index = 0  # of the next sample expected
        self.lost = 0

    @property
    def expected(self) -> int:
        """Samples received and lost so far: the index of the next one."""
        return self._index

    def add(self, data: bytes) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Return words (n,) and their indices (n,) of the next bytes of the stream."""
        data = self._rest + data
        whole = len(data) & ~3
        words = np.frombuffer(data, dtype="<u4", count=whole // 4)
        self._rest = data[whole:]
        if len(words) == 0:
            return words.astype(np.uint32), np.zeros(0, np.int64)
        words = self._aligned(words, data)
        counter = ((words >> 18) & 63).astype(np.int64)
        before = int(counter[0]) - 1 if self._counter is None else self._counter
        step = (np.diff(counter, prepend=before)) & 63
        good = _uncorrupted(step)
        if not good.all():
            words, counter = words[good], counter[good]
            if len(words) == 0:
                return words, np.zeros(0, np.int64)
            step = (np.diff(counter, prepend=before)) & 63
        step = np.where(step == 0, 64, step)
        index = self._index - 1 + np.cumsum(step)
        self._counter = int(counter[-1])
        self.lost += int(index[-1]) + 1 - self._index - len(words)
        self._index = int(index[-1]) + 1
        return words, index

    def _aligned(self, words: NDArray[np.uint32], data: bytes) -> NDArray[np.uint32]:
        """Shift by 1 to 3 bytes where the counters say that bytes were lost, not samples."""
        if len(words) < 32 or _regular(words) > 0.5:
            return words
        shifted = [
            np.frombuffer(data, "<u4", count=(len(data) - k) // 4, offset=k) for k in (1, 2, 3)
        ]
        best = max(range(3), key=lambda k: _regular(shifted[k]))
        if _regular(shifted[best]) <= 0.5:
            return words
        self._rest = data[best + 1 + 4 * len(shifted[best]) :]
        return shifted[best]


def _regular(words: NDArray[np.uint32]) -> float:
    """Return the share of words whose counter follows its predecessor's."""
    step = np.diff((words >> 18) & 63) & 63
    return float(np.mean(step == 1))


def _uncorrupted(step: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return a mask without samples that fit neither neighbour while these fit each other."""
    good = np.ones(len(step), np.bool_)
    odd = (step[:-1] != 1) & (step[1:] != 1) & (((step[:-1] + step[1:]) & 63) == 2)
    good[:-1][odd] = False
    return good
