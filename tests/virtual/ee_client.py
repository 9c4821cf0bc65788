"""A host of the MLPerf Tiny text commands, from the wire facts in docs/LINK.md alone.

It holds a device to more than a benchmark runner does: every line ends with CR LF, every answer is
exactly what the table says, and ends with the only `m-ready` that its command gets.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

READY = "m-ready"
CHUNK_BYTES = 31  # what the official runner puts into one `db` command
_LAP = re.compile(r"m-lap-us-(0|[1-9]\d{0,19})")
_RESULTS = re.compile(r"m-results-\[(-?\d+\.\d{3}(?:,-?\d+\.\d{3})*)\]")


def identification() -> bytes:
    """Return what the official runner sends first."""
    return b"name%profile%"


def measurement(data: bytes, iterations: int, warmups: int) -> bytes:
    """Return what the official runner sends for one input."""
    chunks = [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)]
    filling = "".join(f"db {chunk.hex()}%" for chunk in chunks)
    return f"db load {len(data)}%{filling}infer {iterations} {warmups}%".encode("ascii")


class ConformanceError(AssertionError):
    """The device said something else than the table of commands."""


@dataclass(frozen=True, slots=True)
class Inference:
    """What one `infer` reported: device time around its measured part, and the outputs."""

    start_us: int
    stop_us: int
    results: tuple[float, ...]

    @property
    def top1(self) -> int:
        """Index of the largest output, the first of equals."""
        return self.results.index(max(self.results))


class EeClient:
    """One connection; the caller owns the socket and may use it for other things in between."""

    def __init__(self, sock: socket.socket, timeout_s: float = 30.0) -> None:
        self._sock, self._timeout_s = sock, timeout_s
        self.sent = bytearray()

    def command(self, text: str) -> list[str]:
        """Send one command; return its lines without the `m-ready` that ends them."""
        self._send(text.encode("ascii") + b"%")
        return self.answer()

    def answer(self) -> list[str]:
        """Return the lines up to the next `m-ready`."""
        lines: list[str] = []
        deadline = time.monotonic() + self._timeout_s
        while (line := self._line(deadline)) != READY:
            lines.append(line)
        return lines

    def wants(self, text: str, lines: Sequence[str]) -> None:
        """Send a command and hold its answer to `lines`."""
        found = self.command(text)
        if found != list(lines):
            raise ConformanceError(f"{text!r}: {found!r} instead of {list(lines)!r}")

    def quiet(self, seconds: float) -> None:
        """See that the device says nothing on its own."""
        self._sock.settimeout(seconds)
        try:
            data = self._sock.recv(4096)
        except TimeoutError:
            return
        raise ConformanceError(f"nothing was asked, but {data!r} came")

    def identify(self, model: str) -> None:
        """Ask for name and profile."""
        self.wants("name", ["m-name-dut-[edgekit]"])
        self.wants(
            "profile",
            ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", f"m-model-[{model}]"],
        )

    def banner(self) -> int:
        """Read what a start prints; return the device time that it names, microseconds."""
        lines = self.answer()
        if len(lines) != 3 or (lines[0], lines[2]) != (
            "m-timestamp-mode-performance",
            "m-init-done",
        ):
            raise ConformanceError(f"banner {lines!r}")
        return _lap(lines[1])

    def timestamp(self) -> int:
        """Return the device's time, microseconds."""
        lines = self.command("timestamp")
        if len(lines) != 1:
            raise ConformanceError(f"'timestamp': {lines!r}")
        return _lap(lines[0])

    def load(self, data: bytes) -> None:
        """Fill the buffer, in the runner's pieces."""
        self.wants(f"db load {len(data)}", [f"m-[Expecting {len(data)} bytes]"])
        for at in range(0, len(data), CHUNK_BYTES):
            last = at + CHUNK_BYTES >= len(data)
            self.wants(f"db {data[at : at + CHUNK_BYTES].hex()}", ["m-load-done"] if last else [])

    def infer(self, iterations: int, warmups: int) -> Inference:
        """Run the model; hold the answer to its lines and their order."""
        text = f"infer {iterations} {warmups}"
        lines = self.command(text)
        frame = [
            f"m-warmup-start-{warmups}",
            "m-warmup-done",
            f"m-infer-start-{iterations}",
            "m-infer-done",
        ]
        if len(lines) != 7 or [*lines[:3], lines[5]] != frame:
            raise ConformanceError(f"{text!r}: {lines!r}")
        return Inference(_lap(lines[3]), _lap(lines[4]), _results(lines[6]))

    def results(self) -> tuple[float, ...]:
        """Return the outputs of the latest inference again."""
        lines = self.command("results")
        if len(lines) != 1:
            raise ConformanceError(f"'results': {lines!r}")
        return _results(lines[0])

    def _send(self, data: bytes) -> None:
        self.sent += data
        self._sock.sendall(data)

    def _line(self, deadline: float) -> str:
        """Return one line, byte by byte: nothing beyond it is taken from the socket."""
        line = b""
        while not line.endswith(b"\n"):
            self._sock.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                byte = self._sock.recv(1)
            except TimeoutError:
                raise ConformanceError(
                    f"no whole line came after {bytes(self.sent[-90:])!r}: {line!r}"
                ) from None
            if not byte:
                raise ConformanceError("the port is closed")
            line += byte
        text, end = line[:-2], line[-2:]
        if end != b"\r\n" or not all(32 <= byte < 127 for byte in text):
            raise ConformanceError(f"{line!r} is no line of printable ASCII and CR LF")
        return text.decode("ascii")


def _lap(line: str) -> int:
    match = _LAP.fullmatch(line)
    if match is None:
        raise ConformanceError(f"{line!r} is no time stamp")
    return int(match[1])


def _results(line: str) -> tuple[float, ...]:
    match = _RESULTS.fullmatch(line)
    if match is None:
        raise ConformanceError(f"{line!r} is no list of outputs")
    return tuple(float(value) for value in match[1].split(","))
