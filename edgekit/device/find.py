"""Finds a board's serial port by its USB identity; never guesses between two."""

from __future__ import annotations

import re
from dataclasses import dataclass

from serial.tools import list_ports

from edgekit.board import Board
from edgekit.errors import ConfigError, DeviceError

_USB_URL = re.compile(r"usb:([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?::([^:/]+))?")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A serial port with the USB identity that was asked for."""

    device: str
    serial: str  # of the USB device, "" when it has none
    product: str


def candidates(
    vid: int, pid: int, serial: str | None = None, interface: int | None = None
) -> tuple[Candidate, ...]:
    """Return the attached serial ports with this USB identity, without opening any."""
    found = [p for p in list_ports.comports() if (p.vid, p.pid) == (vid, pid)]
    if serial is not None:
        found = [p for p in found if (p.serial_number or "") == serial]
    if interface is not None:
        found = [p for p in found if _interface(p.location) in (None, interface)]
    return tuple(
        Candidate(p.device, p.serial_number or "", p.product or "")
        for p in sorted(found, key=lambda p: str(p.device))
    )


def _interface(location: str | None) -> int | None:
    """Return the USB interface number out of a location like `1-2:1.3`, None without one."""
    match = re.search(r":\d+\.(\d+)$", location or "")
    return int(match.group(1)) if match else None


def find_port(board: Board, url: str | None) -> str:
    """Return the URL of the board's serial port.

    `url` is returned as it is unless it is None or `usb:VID:PID[:SERIAL]`. Raises DeviceError when
    no board or more than one is attached, and ConfigError for a malformed usb: URL.
    """
    usb = board.link.usb
    if url is not None and not url.startswith("usb:"):
        return url
    if url is None:
        if usb is None:
            raise DeviceError(
                f"nothing is known of {board.title}'s USB identity, so its port cannot be found",
                hint="name it with --port DEVICE or --port ssh://user@host, or use --virtual where "
                "the board has a twin",
            )
        vid, pid, serial, interface = usb.vid, usb.pid, None, usb.interface
    else:
        match = _USB_URL.fullmatch(url)
        if match is None:
            raise ConfigError(
                f"port {url!r} is not usb:VID:PID or usb:VID:PID:SERIAL",
                hint="VID and PID are four hexadecimal digits, as in usb:0483:374B",
            )
        vid, pid, serial = int(match.group(1), 16), int(match.group(2), 16), match.group(3)
        interface = None
        if usb is not None and (vid, pid) == (usb.vid, usb.pid):
            interface = usb.interface
    found = candidates(vid, pid, serial, interface)
    wanted = f"USB {vid:04X}:{pid:04X}" + (f" with serial {serial}" if serial else "")
    if not found:
        raise DeviceError(
            f"no {board.title} is attached: no serial port has {wanted}",
            hint=f"plug {board.name} in, pass --port, or use --virtual",
        )
    if len(found) > 1:
        listed = ", ".join(f"{c.device} (serial {c.serial or 'none'})" for c in found)
        raise DeviceError(
            f"{len(found)} serial ports have {wanted}: {listed}",
            hint=f"name one: --port usb:{vid:04X}:{pid:04X}:SERIAL or --port DEVICE",
        )
    return found[0].device


def serial_of(url: str | None) -> str | None:
    """Return SERIAL of a `usb:VID:PID:SERIAL` URL: of an on-board probe, its port's own too."""
    match = None if url is None else _USB_URL.fullmatch(url)
    return None if match is None else match.group(3)


def probe_serial(board: Board) -> str | None:
    """Return the serial number of the one attached probe; None when it cannot be told.

    Raises DeviceError when several boards of this kind are attached.
    """
    usb = board.link.usb
    if usb is None:
        return None
    serials = sorted({c.serial for c in candidates(usb.vid, usb.pid)})
    if len(serials) > 1:
        raise DeviceError(
            f"{len(serials)} probes with USB {usb.vid:04X}:{usb.pid:04X} are attached: "
            f"{', '.join(serials)}",
            hint="unplug all but one, or name the probe's serial number",
        )
    return serials[0] or None if serials else None
