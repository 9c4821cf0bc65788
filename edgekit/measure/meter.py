"""Meters by URL: what each must do, the table of them, and what may be called measured."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import parse_qsl

from edgekit.device.port import Port
from edgekit.errors import ConfigError
from edgekit.measure.ppk2 import Limits, Ppk2, SampleClock
from edgekit.measure.replay import Replay
from edgekit.measure.types import MeterInfo, Source, Trace

OpenPort = Callable[[str], Port]

_PPK2_USB = "usb:1915:C00A"
_CALIBRATION_DAYS = 366
_USB_DEVICE = re.compile(r"^(/dev/tty(ACM|USB)\d+|/dev/(cu|tty)\.usb\S+|COM\d+|usb:\S+)$")


class Meter(Protocol):
    """Records current. Every failure is a DeviceError."""

    @property
    def info(self) -> MeterInfo:
        """Who measures."""
        ...

    def start(self, supply_mv: int) -> None:
        """Begin to record at this supply."""
        ...

    def read(self, timeout_s: float) -> int:
        """Take what has arrived; return how many samples. To be called while recording."""
        ...

    def stop(self) -> Trace:
        """End the recording."""
        ...

    def close(self) -> None:
        """Let go; idempotent."""
        ...


def open_meter(
    url: str,
    open_port: OpenPort,
    *,
    clock: SampleClock | None = None,
    today: datetime.date | None = None,
) -> Meter:
    """Open the meter at `url`, such as `ppk2:/dev/ttyACM1?calibrated=2026-10-01&gain_percent=2`.

    Args:
        url: scheme of METERS, address, options. `ppk2:` alone takes the one on USB.
        open_port: opens a serial port by address.
        clock: for meters that do not sample in wall-clock time.
        today: against which a calibration's age is judged.

    Raises ConfigError for an unknown scheme or option, DeviceError where nothing answers.
    """
    scheme, _, rest = url.partition(":")
    if scheme not in METERS:
        raise ConfigError(f"no meter is called {scheme!r}", hint=f"use one of: {', '.join(METERS)}")
    address, _, query = rest.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    return METERS[scheme](address, options, open_port, clock, today or datetime.date.today())


def source(board: Literal["hardware", "virtual"], url: str | None) -> Source:
    """Return whether figures may be called measured.

    Only a real board, metered by a device on this machine's USB, is; sockets, pseudo-terminals
    and replays are modelled, whatever they claim to be.
    """
    if board != "hardware" or url is None:
        return "modelled"
    scheme, _, rest = url.partition(":")
    address = rest.partition("?")[0]
    if scheme == "replay" or scheme not in METERS:
        return "modelled"
    return "measured" if _is_local(address) else "modelled"


def _is_local(address: str) -> bool:
    """Return whether `address` is a USB device of this machine, links followed."""
    if address.startswith("/"):
        address = str(Path(address).resolve())
    return not address or _USB_DEVICE.match(address) is not None


def _open_ppk2(
    address: str,
    options: Mapping[str, str],
    open_port: OpenPort,
    clock: SampleClock | None,
    today: datetime.date,
) -> Meter:
    known = {"calibrated", "gain_percent", "offset_ua", "wiring"}
    _refuse_others("ppk2", options, known)
    wiring = options.get("wiring", "ampere")
    if wiring not in ("ampere", "source"):
        raise ConfigError(
            f"wiring={wiring!r} is not a way to connect a PPK2",
            hint="wiring=ampere (in series, the default) or wiring=source (it is the supply)",
        )
    limits = Limits(
        gain_percent=_positive(options, "gain_percent", Limits().gain_percent),
        offset_ua=_positive(options, "offset_ua", Limits().offset_ua),
        calibrated=_is_fresh(options["calibrated"], today) if "calibrated" in options else None,
    )
    return Ppk2(
        open_port(address or _PPK2_USB),
        clock=clock,
        limits=limits,
        wiring="source" if wiring == "source" else "ampere",
        model="PPK2" if _is_local(address) else "PPK2, emulated or remote",
    )


def _open_replay(
    address: str,
    options: Mapping[str, str],
    open_port: OpenPort,  # noqa: ARG001 - every opener takes the same arguments
    clock: SampleClock | None,  # noqa: ARG001
    today: datetime.date,  # noqa: ARG001
) -> Meter:
    _refuse_others("replay", options, set())
    return Replay(Path(address))


Opener = Callable[[str, Mapping[str, str], OpenPort, SampleClock | None, datetime.date], Meter]
METERS: Mapping[str, Opener] = {"ppk2": _open_ppk2, "replay": _open_replay}


def _refuse_others(scheme: str, options: Mapping[str, str], known: set[str]) -> None:
    for name in options:
        if name not in known:
            raise ConfigError(
                f"meter {scheme}: has no option {name!r}",
                hint=f"it knows: {', '.join(sorted(known)) or 'none'}",
            )


def _positive(options: Mapping[str, str], name: str, default: float) -> float:
    if name not in options:
        return default
    try:
        value = float(options[name])
    except ValueError:
        value = -1.0
    if not 0.0 <= value < 1e6:
        raise ConfigError(f"meter option {name}={options[name]!r} is not a number from 0")
    return value


def _is_fresh(text: str, today: datetime.date) -> bool:
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError as exc:
        raise ConfigError(
            f"meter option calibrated={text!r} is not a date", hint="write it like 2026-10-01"
        ) from exc
    return 0 <= (today - day).days <= _CALIBRATION_DAYS
