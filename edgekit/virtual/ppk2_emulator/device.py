"""What the instrument knows and says: calibration text, and currents turned into sample words."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SAMPLES_PER_S = 100_000
RANGE_TOPS_A = (50e-6, 500e-6, 5e-3, 60e-3)  # upper ends of ranges 0 to 3; range 4 is the rest

# A typical unit, as several owners printed theirs.
SHUNT_OHM = (1003.3506, 101.5865, 10.3027, 0.9636, 0.0564)
GAIN_SQUARE = (0.0, 112.7890, 18.0115, 2.4217, 0.0729)
GAIN_LINEAR = (1.0, 0.9695, 0.9609, 0.9519, 0.9582)
ADC_ZERO = (112.9420, 75.4627, 64.6020, 50.4983, 87.2177)
SLOPE = (0.000000048, 0.000000596, 0.000005281, 0.000062577, 0.002940743)
INTERCEPT = (-0.000000104, -0.000001443, 0.000036439, -0.000374119, -0.009388455)
VOLT_PER_COUNT = 1.8 / 163840.0


def metadata(calibrated: bool, supply_mv: int, ampere_mode: bool) -> bytes:
    """Return the answer to GetMetadata, quirks included: 20 decimals, and a `-nan`."""
    lines = [f"Calibrated: {int(calibrated)}"]
    lines += [f"R{k}: {v:.20f}" for k, v in enumerate(SHUNT_OHM)]
    lines += [f"GS{k}: {v:.4f}" for k, v in enumerate(GAIN_SQUARE)]
    lines += [f"GI{k}: {v:.4f}" for k, v in enumerate(GAIN_LINEAR)]
    lines += [f"O{k}: {v:.4f}" for k, v in enumerate(ADC_ZERO)]
    lines += [f"VDD: {supply_mv}", "HW: 9173", f"mode: {1 if ampere_mode else 2}"]
    lines += [f"S{k}: {v:.9f}" for k, v in enumerate(SLOPE)]
    lines += [f"I{k}: {v:.9f}" for k, v in enumerate(INTERCEPT)]
    lines += ["UG0: 1.00", "UG1: 1.00", "UG2: 1.00", "UG3: 1.00", "UG4: -nan"]
    lines += ["IA: 56"]
    return ("\n".join(lines) + "\nEND\n").encode("ascii")


def range_of(current_a: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the measuring range of each current."""
    return np.asarray(np.searchsorted(np.asarray(RANGE_TOPS_A), current_a), dtype=np.int64)


def adc_field(
    current_a: NDArray[np.float64], ranges: NDArray[np.int64], supply_mv: int
) -> NDArray[np.int64]:
    """Return the 14-bit reading that the calibration maps closest to each current.

    Solves gs x^2 + gi x + (slope V + intercept) = I for the shunt signal x, then for the reading.
    """
    gs, gi = np.asarray(GAIN_SQUARE)[ranges], np.asarray(GAIN_LINEAR)[ranges]
    zero = np.asarray(SLOPE)[ranges] * supply_mv / 1000.0 + np.asarray(INTERCEPT)[ranges]
    wanted = current_a - zero
    root = np.sqrt(np.maximum(gi * gi + 4.0 * gs * wanted, 0.0))
    x = 2.0 * wanted / (gi + root)  # the stable form of the root; it also holds for gs = 0
    counts = x * np.asarray(SHUNT_OHM)[ranges] / VOLT_PER_COUNT + np.asarray(ADC_ZERO)[ranges]
    return np.asarray(np.clip(np.rint(counts / 4.0), 0, 16383), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong on purpose."""

    loss: float = 0.0  # share of samples that vanish, one by one
    burst_at: int = -1  # sample at which a burst is lost; -1: none
    burst: int = 0  # its length
    stale_calibration: bool = False
    stale_bytes: int = 0  # binary bytes before the metadata
    split_metadata: bool = False  # sent in pieces with pauses


@dataclass(slots=True)
class Sampler:
    """Turns spans of constant current into the byte stream, at 100,000 samples of virtual time."""

    supply_mv: int = 3300
    noise: float = 0.002  # of the current, one sigma, per sample
    noise_a: float = 20e-9
    seed: int = 1
    faults: Faults = field(default_factory=Faults)
    sampled: int = 0  # since start, lost ones included
    _ns_per_sample: int = 1_000_000_000 // SAMPLES_PER_S
    _part_ns: int = 0  # how far the sample in progress has come
    _part_charge: float = 0.0  # A * ns
    _rng: np.random.Generator = field(default_factory=np.random.default_rng)

    def start(self) -> None:
        """Begin a stream: counters at 0, the same seed, the same noise."""
        self._rng = np.random.default_rng(self.seed)
        self.sampled = 0
        self._part_ns, self._part_charge = 0, 0.0

    def span(self, duration_ns: int, current_a: float, logic: int) -> bytes:
        """Return the samples completed during `duration_ns` of constant current.

        A sample is the mean current over its 10 us; its logic bits are those at its end.
        """
        period = self._ns_per_sample
        if self._part_ns + duration_ns < period:
            self._part_ns += duration_ns
            self._part_charge += current_a * duration_ns
            return b""
        rest = duration_ns - (period - self._part_ns)
        first = (self._part_charge + current_a * (period - self._part_ns)) / period
        whole, self._part_ns = divmod(rest, period)
        self._part_charge = current_a * self._part_ns
        clean = np.full(whole + 1, current_a)
        clean[0] = first
        return self._words(clean, logic)

    def _words(self, clean_a: NDArray[np.float64], logic: int) -> bytes:
        n = len(clean_a)
        noise = self._rng.standard_normal(n)
        current = np.maximum(clean_a + noise * np.hypot(self.noise * clean_a, self.noise_a), 0.0)
        ranges = range_of(current)
        words = adc_field(current, ranges, self.supply_mv)
        number = self.sampled + np.arange(n, dtype=np.int64)
        words |= (ranges << 14) | ((number & 63) << 18) | (logic << 24)
        self.sampled += n
        return words[self._kept(number)].astype("<u4").tobytes()

    def _kept(self, number: NDArray[np.int64]) -> NDArray[np.bool_]:
        kept = np.ones(len(number), dtype=np.bool_)
        if self.faults.loss > 0:
            kept &= self._rng.random(len(number)) >= self.faults.loss
        if self.faults.burst_at >= 0:
            at = self.faults.burst_at
            kept &= (number < at) | (number >= at + self.faults.burst)
        return kept
