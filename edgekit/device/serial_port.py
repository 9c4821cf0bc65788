"""Opens the byte pipes of boards and meters: pyserial's URLs, ssh, and TCP without detours.

The only place where pyserial opens anything; its exceptions end here as DeviceError.
"""

from __future__ import annotations

import errno
import logging
import socket
from typing import Any
from urllib.parse import urlsplit

import serial

from edgekit.device.port import Port
from edgekit.device.ssh_port import SshPort
from edgekit.errors import ConfigError, DeviceError

_log = logging.getLogger(__name__)
_WRITE_TIMEOUT_S = 10.0
_CONNECT_TIMEOUT_S = 5.0
_READ_BYTES = 65536


def open_port(url: str, baud: int = 115200) -> Port:
    """Open `url`: /dev/tty*, COM*, socket://host:port, ssh://user@host, rfc2217:// or loop://.

    Raises DeviceError that says whether the port is missing, busy or not permitted, and
    ConfigError for a URL that means nothing.
    """
    if url.startswith("socket://"):
        return TcpPort(url)
    if url.startswith("ssh://"):
        return SshPort(url)
    return SerialPort(url, baud)


class TcpPort:
    """A raw TCP connection as a Port; what pyserial's socket:// is, without a read per byte."""

    def __init__(self, url: str) -> None:
        self.name = url
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as exc:
            raise ConfigError(f"port {url!r}: {exc}") from exc
        if not host or port is None:
            raise ConfigError(
                f"port {url!r} names no host and port", hint="write it as socket://localhost:5000"
            )
        try:
            self._socket = socket.create_connection((host, port), timeout=_CONNECT_TIMEOUT_S)
        except OSError as exc:
            raise DeviceError(
                f"{url} cannot be reached: {exc}", hint="is the board's server running there?"
            ) from exc
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def write(self, data: bytes) -> None:
        """Write all of `data`."""
        try:
            self._socket.settimeout(_WRITE_TIMEOUT_S)
            self._socket.sendall(data)
        except OSError as exc:
            raise self._gone(exc) from exc

    def read(self, timeout_s: float) -> bytes:
        """Return the bytes that are there, at least one unless `timeout_s` runs out first."""
        try:
            self._socket.settimeout(max(timeout_s, 1e-3))
            data = self._socket.recv(_READ_BYTES)
        except TimeoutError:
            return b""
        except OSError as exc:
            raise self._gone(exc) from exc
        if not data:
            raise self._gone(None)
        return data

    def close(self) -> None:
        """Close; idempotent."""
        self._socket.close()

    def _gone(self, exc: OSError | None) -> DeviceError:
        why = f": {exc}" if exc is not None else ""
        return DeviceError(
            f"{self.name} closed the connection{why}", hint="the board or its server went away"
        )


class SerialPort:
    """A pyserial port as a Port, opened exclusively where the system can."""

    def __init__(self, url: str, baud: int) -> None:
        self.name = url
        options: dict[str, Any] = {"baudrate": baud, "write_timeout": _WRITE_TIMEOUT_S}
        if "://" not in url:
            options["exclusive"] = True
        try:
            self._serial: Any = serial.serial_for_url(url, **options)
        except ValueError as exc:
            raise ConfigError(f"port {url!r}: {exc}") from exc
        except (serial.SerialException, OSError) as exc:
            raise _open_error(url, exc) from exc

    def write(self, data: bytes) -> None:
        """Write all of `data`."""
        try:
            self._serial.write(data)
            self._serial.flush()
        except serial.SerialTimeoutException as exc:
            raise DeviceError(
                f"{self.name} took no data for {_WRITE_TIMEOUT_S:g} s",
                hint="the adapter is stuck: unplug it and plug it in again",
            ) from exc
        except (serial.SerialException, OSError) as exc:
            raise self._gone(exc) from exc

    def read(self, timeout_s: float) -> bytes:
        """Return the bytes that are there, at least one unless `timeout_s` runs out first."""
        try:
            self._serial.timeout = max(timeout_s, 0.0)
            data = bytes(self._serial.read(1))
            if data:
                data += bytes(self._serial.read(self._serial.in_waiting))
        except (serial.SerialException, OSError, TypeError) as exc:
            # pyserial raises TypeError when the descriptor is closed under a read
            raise self._gone(exc) from exc
        return data

    def close(self) -> None:
        """Close; idempotent."""
        try:
            self._serial.close()
        except (serial.SerialException, OSError) as exc:
            _log.info("closing %s: %s", self.name, exc)

    def _gone(self, exc: Exception) -> DeviceError:
        return DeviceError(
            f"{self.name} went away: {exc}",
            hint="was the board unplugged, or did another program open its port?",
        )


def _open_error(url: str, exc: Exception) -> DeviceError:
    code = getattr(exc, "errno", None)
    text = str(exc)
    if code == errno.EBUSY or "exclusively lock" in text or "PermissionError(13" in text:
        return DeviceError(
            f"{url} is busy", hint="close the other program (monitor, debugger) that has it open"
        )
    if code == errno.ENOENT or "FileNotFoundError" in text:
        return DeviceError(
            f"{url} does not exist",
            hint="is the board plugged in? `edgekit doctor` lists what is attached",
        )
    if code == errno.EACCES:
        return DeviceError(
            f"no permission to open {url}",
            hint="add yourself to the port's group: sudo usermod -a -G dialout $USER, "
            "then log in again",
        )
    return DeviceError(f"{url} cannot be opened: {text}")
