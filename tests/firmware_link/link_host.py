"""The firmware as a process on this machine, and a port to it that damages what passes."""

from __future__ import annotations

import contextlib
import random
import select
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edgekit.device import link, session
from edgekit.errors import DeviceError
from edgekit.pipeline import native

HERE = Path(__file__).resolve().parent
FIRMWARE = HERE.parent.parent / "firmware"
INPUT_BYTES = 490
OUTPUT_BYTES = 12
BUILD_ID = "3f2a0102030405060708090a0b0c0d0e"
KEPT = '-DEK_NOINIT=__attribute__((section("ek_kept")))'
WARNINGS = "all extra pedantic conversion shadow strict-prototypes undef vla error"
STRICT = ["-std=c99", *(f"-W{name}" for name in WARNINGS.split())]


def compile_host(out: Path, *extra: str, sources: list[Path] | None = None) -> Path:
    """Compile the firmware's portable part (or `sources`) for this machine; return `out`."""
    prefix = native.compiler()
    assert prefix is not None, "no C compiler on this machine"
    if sources is None:
        link = [p for p in sorted((FIRMWARE / "link").glob("*.c")) if p.name != "ek_mem.c"]
        sources = [*link, HERE / "host_port.c", HERE / "model.c"]
    folders = [f"-I{p}" for p in (HERE, FIRMWARE / "include", FIRMWARE / "link")]
    argv = [*prefix, *STRICT, "-O1", "-g", KEPT, *folders, *extra, *map(str, sources)]
    done = subprocess.run([*argv, "-o", str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


def expected(inputs: np.ndarray, outputs: int = OUTPUT_BYTES) -> np.ndarray:
    """What model.c computes, in numpy: y[k] = -sum of x[i] with i % outputs == k, modulo 256."""
    wide = np.zeros((len(inputs), -(-inputs.shape[1] // outputs) * outputs), np.int64)
    wide[:, : inputs.shape[1]] = inputs
    sums = -wide.reshape(len(inputs), -1, outputs).sum(axis=1)
    return sums.astype(np.uint8).view(np.int8)


def wait_less(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the client try sooner and oftener what a fault has eaten."""
    monkeypatch.setattr(link, "SHORTEST_TIMEOUT_S", seconds)
    monkeypatch.setattr(link, "TRIES", 9)
    monkeypatch.setattr(session, "_FIRST_BUDGET_S", seconds)


@dataclass(frozen=True)
class Faults:
    """Rates per transferred piece, in each direction."""

    drop: float = 0.0  # a run of bytes disappears
    flip: float = 0.0  # one bit turns
    repeat: float = 0.0  # a run of bytes comes twice
    split: float = 0.0  # the piece arrives in two parts
    merge: float = 0.0  # the piece is held back and arrives with the next one


class HostBoard:
    """A running firmware process; itself a Port, through which faults happen."""

    def __init__(
        self,
        binary: Path,
        *,
        store_bytes: int = 262144,
        late_us: int = 0,
        faults: Faults | None = None,
        seed: int = 0,
        arguments: tuple[str, ...] | None = None,  # instead of the two numbers
    ) -> None:
        self.name = f"host:{binary.name}"
        self.faults = faults or Faults()
        self._random = random.Random(seed)
        self._held = {"out": b"", "in": b""}
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [str(binary), *(arguments or (str(store_bytes), str(late_us)))],
                stdin=theirs,
                stdout=theirs,
                stderr=subprocess.PIPE,
            )

    def write(self, data: bytes) -> None:
        for piece in self._damage("out", data):
            try:
                self._socket.sendall(piece)
            except OSError as exc:
                raise DeviceError(f"{self.name} went away: {exc}") from exc

    def read(self, timeout_s: float) -> bytes:
        ready, _, _ = select.select([self._socket], [], [], max(timeout_s, 0.0))
        if not ready:
            held, self._held["in"] = self._held["in"], b""
            return held
        if self.faults != Faults():
            time.sleep(0.001)  # rates are per reply, and the firmware writes one in small pieces
        try:
            data = self._socket.recv(65536)
        except OSError as exc:
            raise DeviceError(f"{self.name} went away: {exc}") from exc
        if not data:
            raise DeviceError(f"{self.name} went away")
        return b"".join(self._damage("in", data))

    def close(self) -> None:
        assert self._process.stderr is not None
        if self._process.stderr.closed:
            return
        self._socket.close()
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self._process.kill()
        self._process.wait()
        errors = self._process.stderr.read().decode()
        self._process.stderr.close()
        assert "ERROR" not in errors, errors  # what a sanitizer found
        assert "runtime error" not in errors, errors

    def reset(self) -> None:
        """Press the button: RAM outside .bss survives."""
        self._process.send_signal(signal.SIGUSR1)

    def power_cut(self) -> None:
        self._process.kill()

    def text(self, command: str, quiet_s: float = 0.2) -> str:
        """Send text and return what is answered until the line is quiet."""
        self._socket.sendall(command.encode())
        got = b""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            done = got.endswith(b"m-ready\r\n") and got.count(b"m-ready") >= command.count("%")
            ready, _, _ = select.select([self._socket], [], [], quiet_s if done else 2.0)
            if not ready:
                break
            got += self._socket.recv(65536)
        return got.decode()

    def banner(self) -> str:
        """Return what is printed after a start."""
        return self.text("")

    def _damage(self, way: str, data: bytes) -> list[bytes]:
        data, self._held[way] = self._held[way] + data, b""
        r, f = self._random, self.faults
        if r.random() < f.drop:
            a = r.randrange(len(data) + 1)
            data = data[:a] + data[a + 1 + r.randrange(20) :]
        if data and r.random() < f.flip:
            a = r.randrange(len(data))
            data = data[:a] + bytes([data[a] ^ 1 << r.randrange(8)]) + data[a + 1 :]
        if data and r.random() < f.repeat:
            a = r.randrange(len(data))
            b = min(len(data), a + 1 + r.randrange(len(data)))
            data = data[:b] + data[a:b] + data[b:]
        if r.random() < f.merge:
            self._held[way] = data
            return []
        if data and r.random() < f.split:
            a = r.randrange(len(data))
            return [data[:a], data[a:]]
        return [data]
