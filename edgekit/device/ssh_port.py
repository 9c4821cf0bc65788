"""The device link over an ssh connection's standard streams: no port is opened on the board."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import subprocess
import time
from pathlib import Path

from edgekit.device.ssh import Remote, SshError, classify, end, failure, last_lines
from edgekit.errors import DeviceError

_log = logging.getLogger(__name__)

HOME = ".cache/edgekit"  # below the user's home directory on the board
AGENT = f"{HOME}/agent"
SERVE = f"exec python3 -I {AGENT} serve {HOME}"
_WRITE_S = 10.0
_READ_BYTES = 65536
_RECONNECTS = 3  # without a byte in between
_LAST_WORDS_S = 2.0
_SSH_FAILED = 255


class SshPort:
    """The agent's standard input and output as a Port.

    When the connection drops, the next read starts the agent anew; its banner tells the link that
    a new session has to be opened, and a run goes on where it was. An agent that refuses to start
    says why: that is the DeviceError.
    """

    def __init__(self, url: str, config: Path | None = None) -> None:
        self.name = url
        self._remote = Remote.parse(url, config)
        self._silent = 0  # starts without a byte
        self._answered = False
        self._process: subprocess.Popen[bytes] | None = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        process = self._remote.start(SERVE)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
        return process

    def write(self, data: bytes) -> None:
        """Write all of `data`; what a dropped connection loses, the link sends again."""
        view, deadline = memoryview(data), time.monotonic() + _WRITE_S
        while view:
            process = self._running()
            if process.stdin is None:
                raise AssertionError("the client has a pipe for its input")
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise DeviceError(
                    f"{self.name} took no data for {_WRITE_S:g} s",
                    hint="is the board's network broken, or the board overloaded?",
                )
            _, writable, _ = select.select([], [process.stdin], [], left_s)
            if writable:
                try:
                    view = view[os.write(process.stdin.fileno(), view) :]
                except BlockingIOError:
                    continue
                except OSError:
                    self._dropped()
                    return

    def read(self, timeout_s: float) -> bytes:
        """Return the bytes that are there, at least one unless `timeout_s` runs out first."""
        process = self._running()
        if process.stdout is None:
            raise AssertionError("the client has a pipe for its output")
        readable, _, _ = select.select([process.stdout], [], [], max(timeout_s, 0.0))
        if not readable:
            return b""
        data = os.read(process.stdout.fileno(), _READ_BYTES)
        if data:
            self._silent, self._answered = 0, True
        else:
            self._dropped()
        return data

    def close(self) -> None:
        """Close; idempotent."""
        if self._process is not None:
            end(self._process)
            self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise DeviceError(f"{self.name} is closed")
        return self._process

    def _dropped(self) -> None:
        """Start the agent anew after a dropped connection; DeviceError for any other end."""
        process = self._running()
        words = b""
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LAST_WORDS_S)
            if process.stderr is not None:
                words = process.stderr.read()
        status, said = process.returncode, words.decode("utf-8", "replace")
        end(process)
        self._process = None
        if status not in (_SSH_FAILED, None):
            raise self._refusal(status, said)
        cause = classify(said)
        self._silent += 1
        passing = cause in ("DROPPED", "FAILED") or (cause == "UNREACHABLE" and self._answered)
        if not passing or self._silent > _RECONNECTS:
            raise failure(self._remote, said)
        _log.warning("%s: the connection dropped (%s); starting anew", self.name, last_lines(said))
        self._process = self._start()

    def _refusal(self, status: int, said: str) -> DeviceError:
        """Return what an agent that ended has said, or what its absence means."""
        for line in reversed(said.splitlines()):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                error = json.loads(line)["error"]
                return DeviceError(f"{self.name}: {error['message']}", hint=str(error["hint"]))
        if "can't open file" in said or "No such file" in said:
            return DeviceError(
                f"{self.name}: edgekit's agent is not on the board", hint="deploy to it first"
            )
        cause = classify(said)
        if cause != "FAILED":
            return SshError(cause, f"{self.name}: {last_lines(said)}")
        return DeviceError(
            f"{self.name}: the agent ended with status {status}: {last_lines(said)}",
            hint="deploy again; if it stays so, this is a bug",
        )
