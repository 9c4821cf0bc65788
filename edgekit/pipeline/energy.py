"""The energy window: store inputs on the board, let it run at the contract's rate, meter, judge."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgekit.board import Contract
from edgekit.device.layout import BATCH_MAX
from edgekit.device.session import EnergyRun, RunStats
from edgekit.errors import DeviceError
from edgekit.measure import windows
from edgekit.measure.meter import Meter
from edgekit.measure.types import Trace
from edgekit.measure.verdict import MIN_INFERENCES, MIN_WINDOW_S
from edgekit.progress import Progress

_EDGES = 2  # periods more than are judged: one mark opens the first, another ends the last
_POLL_S = 0.02
_IDLE_US = 100_000
_GROUP_SAMPLES = 20  # of the meter: a shorter period is no period to it
_TAIL_READS = 5  # the meter's stream trails the board by what lies in buffers


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a window is run: `marks` groups of `batch` inferences, one group every period."""

    marks: int
    batch: int
    period_us: int

    @property
    def inferences(self) -> int:
        """All inferences of the window."""
        return self.marks * self.batch


def contract_schedule(
    contract: Contract,
    busy_s: float,
    meter_rate_hz: float,
    *,
    interval_s: float | None = None,
    least: int = MIN_INFERENCES,
) -> Schedule:
    """Return the shortest schedule that the contract's verdict can rest on.

    `least` inferences are judged at the very least: an FPGA draws what they toggle.
    `interval_s` is the time from answer to answer where inferences overlap. A network that takes
    longer than a period from input to answer, and less from answer to answer, keeps the rate: as
    many of its inferences follow each other as make up for the first one's way.

    Average mode wakes for every inference, as the contract means it, so that waking is paid as
    often as it will be. Two periods more than needed are run: the first rising edge opens the
    first whole period and the last one closes the last.
    """
    if contract.mode == "active" or contract.rate_hz is None:
        return inference_schedule(contract, busy_s, meter_rate_hz, least=least)
    answer_s = busy_s if interval_s is None else interval_s
    in_time = answer_s * contract.rate_hz <= 1.0
    if in_time and _GROUP_SAMPLES * contract.rate_hz > meter_rate_hz:
        return _grouped(contract.rate_hz, meter_rate_hz, least)
    period_s = 1.0 / contract.rate_hz
    if interval_s is not None and interval_s < period_s < busy_s:
        batch = math.ceil((busy_s - interval_s) / (period_s - interval_s))
        if batch <= BATCH_MAX:
            return _batches(contract.rate_hz, batch, least)
    # A rate that the board cannot keep shows after as many inferences as fit into the window.
    marks = max(least, math.ceil(MIN_WINDOW_S / max(1.0 / contract.rate_hz, busy_s)))
    return Schedule(marks + _EDGES, 1, round(1e6 / contract.rate_hz))


def shortest_window_s(contract: Contract, least: int) -> float:
    """Return how long a window of `least` inferences takes at least, for slow rates."""
    if contract.mode == "active" or contract.rate_hz is None:
        return MIN_WINDOW_S
    return max(MIN_WINDOW_S, (least + _EDGES) / contract.rate_hz)


def slowest_rate_hz(window_s: float, least: int) -> float:
    """Return a rate, to four places, at which `least` inferences take `window_s` or less."""
    return math.ceil((least + _EDGES) / window_s * 1e4) / 1e4


def _grouped(rate_hz: float, meter_rate_hz: float, least: int) -> Schedule:
    """Return a schedule for a rate at which a meter cannot tell one period from the next.

    Several periods' inferences follow each other at once, then comes what is left of these
    periods: the mean is the same, since at such rates nothing falls asleep in between.
    """
    batch = min(BATCH_MAX, math.ceil(_GROUP_SAMPLES * rate_hz / meter_rate_hz))
    return _batches(rate_hz, batch, least)


def _batches(rate_hz: float, batch: int, least: int) -> Schedule:
    period_us = round(batch / rate_hz * 1e6)
    for_inferences, for_time = math.ceil(least / batch), math.ceil(MIN_WINDOW_S * 1e6 / period_us)
    return Schedule(max(MIN_INFERENCES, for_inferences, for_time) + _EDGES, batch, period_us)


def inference_schedule(
    contract: Contract, busy_s: float, meter_rate_hz: float, *, least: int = MIN_INFERENCES
) -> Schedule:
    """Return a schedule as dense as the meter can cut, for one inference and for active mode.

    An inference too short for the meter shares its mark with others, and a pause between marks
    keeps them apart: two marks without a sample between them would be one. Where the contract is
    a difference to idle the pause is long, so that it is idle, and not falling asleep and waking.
    """
    batch = min(BATCH_MAX, windows.inferences_per_mark(busy_s, meter_rate_hz))
    inferences = max(least, math.ceil(MIN_WINDOW_S / max(busy_s, 1e-6)))
    period_us = windows.mark_period_us(busy_s, batch, meter_rate_hz)
    if contract.scope == "delta":
        period_us += _IDLE_US
    return Schedule(math.ceil(inferences / batch) + _EDGES, batch, period_us)


def overlapped_schedule(contract: Contract, interval_s: float, meter_rate_hz: float) -> Schedule:
    """Return a schedule for the energy of one inference where inferences overlap in logic.

    They follow each other every `interval_s` and nothing is done besides, so that marks need not
    be far apart. The verdict does not rest on it: it has as many marks as a figure needs.
    """
    batch = min(BATCH_MAX, windows.inferences_per_mark(interval_s, meter_rate_hz))
    period_s = 1.05 * batch * interval_s + _GROUP_SAMPLES / meter_rate_hz
    period_us = math.ceil(period_s * 1e6) + (_IDLE_US if contract.scope == "delta" else 0)
    return Schedule(MIN_INFERENCES + _EDGES, batch, period_us)


def record(
    meter: Meter,
    session: EnergyRun,
    plan: Schedule,
    *,
    supply_mv: int,
    timeout_s: float,
    progress: Progress,
) -> tuple[Trace, RunStats]:
    """Run `plan` on the board while `meter` records; return the trace and the board's own account.

    Raises DeviceError when the board does not finish within `timeout_s` of silence.
    """
    window_s = math.ceil(plan.marks * plan.period_us * 1e-6)
    progress.stage(f"energy: {plan.inferences} inferences, seconds under the meter", window_s)
    meter.start(supply_mv)
    session.start()
    silent_s = 0.0
    samples = 0
    stats = None
    while stats is None:
        taken = meter.read(_POLL_S)
        stats = session.poll(_POLL_S)
        samples += taken
        progress.advance(min(window_s, int(samples / meter.info.sample_rate_hz)))
        silent_s = 0.0 if taken else silent_s + 2 * _POLL_S
        if silent_s > timeout_s:
            raise DeviceError(
                f"the board did not finish {plan.inferences} inferences and the meter has been "
                f"silent for {silent_s:.0f} s",
                hint="check the board's supply through the meter",
            )
    for _ in range(_TAIL_READS):
        meter.read(_POLL_S)
    return meter.stop(), stats
