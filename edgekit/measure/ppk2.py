"""Driver of the Nordic Power Profiler Kit 2, on numpy; one gather decodes a sample.

The device streams 100,000 samples a second without acknowledgement. Loss shows in the samples'
6-bit counter, modulo 64; losses of whole 64s are found by counting samples against a clock.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol

import numpy as np

from edgekit.device.port import Port
from edgekit.errors import DeviceError
from edgekit.measure import ppk2_wire as wire
from edgekit.measure.reduce import Reducer
from edgekit.measure.spikes import SpikeFilter
from edgekit.measure.types import MeterInfo, Samples, Trace

_log = logging.getLogger(__name__)

_DRAIN_S = 0.1
_METADATA_S = 1.0
_METADATA_TRIES = 3
_MARK_BIT = 24  # logic input D0


class SampleClock(Protocol):
    """Says how long the meter has sampled: a wall clock, or a virtual meter's own time."""

    slack_samples: int  # what the clock and the start and stop commands may be off by

    def start(self) -> None:
        """The stream was asked for."""
        ...

    def stop(self) -> None:
        """The end of the stream was asked for."""
        ...

    def tail_waits(self) -> bool:
        """Say whether the meter still holds samples back: silence is then no end."""
        ...

    def sampled_s(self) -> float:
        """Return the seconds sampled between start and stop; asked after the stream's tail."""
        ...


class WallClock:
    """Times the stream by a monotonic clock."""

    slack_samples = 500  # 5 ms of USB latency at both ends; the official application's own limit

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._start = self._stop = 0.0

    def start(self) -> None:
        """Take the time."""
        self._start = self._now()

    def stop(self) -> None:
        """Take the time."""
        self._stop = self._now()

    def tail_waits(self) -> bool:
        """Return False: what a real meter holds back is sent at once."""
        return False

    def sampled_s(self) -> float:
        """Return the difference."""
        return self._stop - self._start


@dataclass(frozen=True, slots=True)
class Limits:
    """What is known of the meter's errors, 95 %; a calibration certificate replaces them."""

    gain_percent: float = 10.0  # the class that the maker names [unverified]
    offset_ua: float = 2.0  # ten times the finest range's 0.2 µA [unverified]
    calibrated: bool | None = None  # None: believe the device


class Ppk2:
    """One PPK2 on a port. The supply's state after `close` is `power_after`."""

    def __init__(
        self,
        port: Port,
        *,
        clock: SampleClock | None = None,
        limits: Limits | None = None,
        wiring: Literal["ampere", "source"] = "ampere",
        model: str = "PPK2",
    ) -> None:
        """Stop whatever the device is doing and read its calibration.

        `wiring` is how it is connected: in series with the board's own supply (`ampere`: the
        supply is declared, not measured), or as the supply (`source`). `model` is what reports
        call it.

        Raises DeviceError where no metadata arrives.
        """
        self._port = port
        self._clock: SampleClock = clock or WallClock()
        self._wiring = wiring
        self._closed = False
        self._streaming = False
        self._supply_mv = 0
        try:
            self._calibration = self._read_calibration()
        except BaseException:
            port.close()
            raise
        limits = limits or Limits()
        self.info = MeterInfo(
            model=model,
            serial=port.name,
            calibrated=(
                self._calibration.calibrated if limits.calibrated is None else limits.calibrated
            ),
            sample_rate_hz=wire.RATE_HZ,
            gain_percent=limits.gain_percent,
            offset_ua=limits.offset_ua,
        )

    def start(self, supply_mv: int) -> None:
        """Set or declare the supply and begin to record."""
        self._supply_mv = supply_mv
        self._decoder = wire.Decoder()
        self._reducer = Reducer(wire.RATE_HZ)
        self._spikes = SpikeFilter()
        self._table_ua = self._calibration.table_ua(float(supply_mv))
        self._steps_ua = self._calibration.steps_ua()
        wiring = wire.SOURCE_METER if self._wiring == "source" else wire.AMPERE_METER
        self._port.write(wiring + wire.regulator_set(supply_mv) + wire.DUT_ON + wire.AVERAGE_START)
        self._clock.start()
        self._streaming = True

    def read(self, timeout_s: float) -> int:
        """Take what has arrived, waiting at most `timeout_s` for the first byte.

        Returns the number of samples taken. Call it often: 100 ms of stream are 40 kB.
        """
        data = self._port.read(timeout_s)
        return self._take(data) if data else 0

    def stop(self) -> Trace:
        """End the recording, take the stream's tail, and return what was recorded."""
        self._port.write(wire.AVERAGE_STOP)
        self._clock.stop()
        self._streaming = False
        while self.read(_DRAIN_S) or self._clock.tail_waits():
            pass
        while self.read(_DRAIN_S):  # what was on its way when the clock was asked
            pass
        sampled = round(self._clock.sampled_s() * wire.RATE_HZ)
        lost = self._decoder.lost + self._unseen(sampled)
        if lost:
            _log.warning("PPK2 lost %d of %d samples", lost, self._decoder.expected + lost)
        return self._reducer.finish(float(self._supply_mv), self.info, lost)

    def close(self) -> None:
        """Stop, leave the board powered as it was found, and let the port go; idempotent."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._streaming:
                self._port.write(wire.AVERAGE_STOP)
            if self._wiring == "source":
                self._port.write(wire.DUT_OFF)
        except DeviceError as exc:
            _log.warning("PPK2 could not be told to stop: %s", exc.message)
        finally:
            self._port.close()

    def __enter__(self) -> Ppk2:
        """Return the meter."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def _take(self, data: bytes) -> int:
        words, index = self._decoder.add(data)
        if len(words) == 0:
            return 0
        code = (words & 0x1FFFF).astype(np.int64)
        ranges = np.minimum(code >> 14, 4)
        current_ua = self._table_ua[code]
        self._reducer.add(
            Samples(
                index=index,
                current_ua=current_ua,
                mark=((words >> _MARK_BIT) & 1).astype(np.bool_),
                step_ua=self._steps_ua[ranges],
                filtered_ua=self._spikes.apply(current_ua, ranges),
            )
        )
        return len(words)

    def _unseen(self, sampled: int) -> int:
        """Return the samples that were lost in whole 64s, which the counter cannot show."""
        missing = sampled - self._decoder.expected
        return round(missing / 64) * 64 if missing > self._clock.slack_samples else 0

    def _read_calibration(self) -> wire.Calibration:
        for attempt in range(1, _METADATA_TRIES + 1):
            self._port.write(wire.AVERAGE_STOP)
            while self._port.read(_DRAIN_S):
                pass
            self._port.write(wire.GET_METADATA)
            found = self._collect_metadata()
            if found is not None:
                return found
            _log.warning("PPK2 %s: no metadata, attempt %d", self._port.name, attempt)
        raise DeviceError(
            f"no PPK2 answers on {self._port.name}: no metadata in {_METADATA_TRIES} attempts",
            hint="a PPK2 has two serial ports: try the other; replug it if it streamed before",
        )

    def _collect_metadata(self) -> wire.Calibration | None:
        raw = b""
        deadline = time.monotonic() + _METADATA_S
        while (left := deadline - time.monotonic()) > 0:
            raw += self._port.read(left)
            found = wire.parse_metadata(raw)
            if found is not None:
                return found
        return None
