"""Commands and files on another machine through the system's OpenSSH client.

Nothing is ever asked (BatchMode), no host key is accepted unseen, and everything ends: connecting,
a dead connection, and each command have time limits. The user's ~/.ssh/config applies.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgekit.errors import ConfigError, DeviceError, ToolError

_log = logging.getLogger(__name__)

CONNECT_S = 10
ALIVE_S = 5  # of silence, before the other side is asked
ALIVE_COUNT = 3  # questions without an answer: the connection is dead
_SSH_FAILED = 255  # ssh's own exit status
_PUT_S = 600.0
_DAMAGED = 99  # exit status: all has arrived, and is not what was sent

Cause = Literal[
    "UNREACHABLE", "REFUSED", "HOST_KEY", "LOGIN", "DROPPED", "DISK_FULL", "TIMEOUT", "FAILED"
]
_HINTS: dict[Cause, str] = {
    "UNREACHABLE": "is the board on and on this network? `ping` it by this name",
    "REFUSED": "is its ssh server running, and is this its port?",
    "HOST_KEY": "log in once by hand (`ssh USER@HOST`) and compare the key; if the board was "
    "installed anew, `ssh-keygen -R HOST` first",
    "LOGIN": "put your key there: `ssh-copy-id USER@HOST`",
    "DROPPED": "run again to go on from there",
    "DISK_FULL": "free some space in the user's home directory there",
    "TIMEOUT": "is the board overloaded, or its network broken?",
    "FAILED": "log in by hand and try the command",
}
# First match wins.
_SIGNS: tuple[tuple[Cause, str], ...] = (
    (
        "HOST_KEY",
        r"host key verification failed|host identification has changed|no .*host key is known",
    ),
    ("LOGIN", r"permission denied \(|too many authentication failures|no supported authentication"),
    ("REFUSED", r"connection refused"),
    (
        "UNREACHABLE",
        r"could not resolve hostname|no route to host|network is unreachable|timed out|"
        r"name or service not known|host is down",
    ),
    ("DROPPED", r"connection (closed|reset)|broken pipe|timeout, server|connection to .* closed"),
    ("DISK_FULL", r"no space left on device|disk quota exceeded"),
)
_URL = re.compile(
    r"ssh://(?:([A-Za-z0-9_.][A-Za-z0-9_.-]*)@)?(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9_.][A-Za-z0-9_.-]*)(?::(\d+))?/?"
)


class SshError(DeviceError):
    """The other machine could not be reached or refused; `cause` says which way it failed."""

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message, hint=_HINTS[cause])
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended there."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Remote:
    """Another machine; `config` replaces the user's ssh configuration file."""

    host: str
    user: str | None = None
    port: int | None = None
    config: Path | None = None

    @classmethod
    def parse(cls, url: str, config: Path | None = None) -> Remote:
        """Return what `ssh://[user@]host[:port]` names; ConfigError for anything else."""
        match = _URL.fullmatch(url)
        if match is None or (match.group(3) and not 0 < int(match.group(3)) < 65536):
            raise ConfigError(
                f"{url!r} names no machine",
                hint="write it as ssh://user@host or ssh://user@host:22",
            )
        user, host, port = match.groups()
        return cls(host.strip("[]"), user, int(port) if port else None, config)

    def __str__(self) -> str:
        return f"{self.user}@{self.host}" if self.user else self.host

    def argv(self, command: str) -> list[str]:
        """Return the client's argv that runs `command` in a shell there."""
        given = [] if self.config is None else ["-F", str(self.config)]
        if self.port is not None:
            given += ["-p", str(self.port)]
        # A command's place is the home directory that its user's variables name.
        return ["ssh", *_options(), *given, "--", str(self), f"cd && {command}"]

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """Start `command` there with all three standard streams; ToolError without a client."""
        argv = self.argv(command)
        _log.info("%s", shlex.join(argv))
        try:
            return subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as exc:
            raise ToolError(
                f"ssh cannot be started: {exc.strerror}", hint="apt-get install openssh-client"
            ) from exc

    def run(self, command: str, *, given: bytes = b"", timeout_s: float = 60.0) -> Done:
        """Run `command` there and wait for its end; a failure of its own is in `status`.

        Raises SshError where the machine cannot be reached, or the command does not end in time.
        """
        process = self.start(command)
        try:
            out, err = process.communicate(given, timeout=timeout_s)
        except subprocess.TimeoutExpired as exc:
            end(process)
            raise SshError(
                "TIMEOUT", f"{self}: {_short(command)} did not end within {timeout_s:g} s"
            ) from exc
        except BaseException:
            end(process)
            raise
        done = Done(
            process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
        )
        if done.status == _SSH_FAILED or done.status < 0:
            raise failure(self, done.err)
        return done

    def check(self, command: str, what: str, *, given: bytes = b"", timeout_s: float = 60.0) -> str:
        """Run `command` there, which has to succeed, and return its output.

        Raises SshError that says it was to `what`, with the last lines of what it wrote.
        """
        done = self.run(command, given=given, timeout_s=timeout_s)
        if done.status != 0:
            said = classify(done.err)
            raise SshError(said, f"{self} could not {what}: {last_lines(done.err or done.out)}")
        return done.out

    def put(self, files: Mapping[str, bytes], advance: Callable[[int], None] | None = None) -> None:
        """Write `files` (path there, a shell word, to content); what is there is not sent again.

        A copy that broke off goes on where it was; a file appears under its name only when its
        SHA-256 is right. `advance` is told the files done. Raises SshError, DISK_FULL where there
        is no room.
        """
        states = self._states(files)
        for done, (path, data) in enumerate(files.items(), 1):
            there, arrived = states[path]
            if there != _sha256(data):
                self._send(path, data, arrived)
            if advance is not None:
                advance(done)

    def get(self, path: str) -> bytes | None:
        """Return the content of `path` there, checked by its SHA-256; None where there is none."""
        done = self.run(f"[ -f {path} ] && sha256sum < {path} || echo none")
        digest = done.out.split()[0] if done.out.split() else "none"
        if digest == "none":
            return None
        process = self.start(f"cat {path}")
        try:
            data, err = process.communicate(timeout=_PUT_S)
        except subprocess.TimeoutExpired as exc:
            end(process)
            raise SshError("TIMEOUT", f"{self}: {path} did not come") from exc
        except BaseException:
            end(process)
            raise
        if hashlib.sha256(data).hexdigest() != digest:
            raise SshError("DROPPED", f"{self}: {path} came damaged: {last_lines(err.decode())}")
        return data

    def _send(self, path: str, data: bytes, arrived: int) -> None:
        digest, partial = _sha256(data), _partial(path, data)
        for fresh in (arrived > len(data), True):
            remove = f"rm -f {partial} && " if fresh else ""
            command = (
                f"{remove}cat >> {partial} || exit 1; "
                f'[ "$(sha256sum < {partial} | cut -c1-64)" = {digest} ] || exit {_DAMAGED}; '
                f"mv -f {partial} {path}"
            )
            rest = data if fresh else data[arrived:]
            done = self.run(command, given=rest, timeout_s=_PUT_S)
            if done.status == 0:
                return
            if done.status != _DAMAGED:
                raise SshError(
                    classify(done.err), f"{self} could not take {path}: {last_lines(done.err)}"
                )
        raise SshError("FAILED", f"{self}: {path} arrived damaged again")

    def _states(self, files: Mapping[str, bytes]) -> dict[str, tuple[str, int]]:
        """Return of each path the SHA-256 of what is there and how much of a copy has arrived."""
        command = "; ".join(
            f"(sha256sum < {path}) 2>/dev/null || echo none; "
            f"stat -Lc %s {_partial(path, data)} 2>/dev/null || echo 0"
            for path, data in files.items()
        )
        lines = self.check(f"{{ {command}; }}", "say which files it has").splitlines()
        sizes = lines[1::2]
        if len(lines) != 2 * len(files) or not all(size.isdigit() for size in sizes):
            raise SshError("FAILED", f"{self} has no sha256sum or stat that edgekit can use")
        told = zip(lines[::2], sizes, strict=True)
        return {
            path: (line.split()[0], int(size))
            for path, (line, size) in zip(files, told, strict=True)
        }


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _partial(path: str, data: bytes) -> str:
    return f"{path}.{_sha256(data)[:16]}.part"


def _options() -> tuple[str, ...]:
    return (
        "-T",
        "-oBatchMode=yes",
        f"-oConnectTimeout={CONNECT_S}",
        f"-oServerAliveInterval={ALIVE_S}",
        f"-oServerAliveCountMax={ALIVE_COUNT}",
    )


def failure(remote: Remote, err: str) -> SshError:
    """Return the error that ssh's own words mean."""
    cause = classify(err)
    return SshError(cause, f"{remote} cannot be reached ({cause}): {last_lines(err)}")


def classify(err: str) -> Cause:
    """Return why ssh or a command there failed, from what it wrote."""
    for cause, sign in _SIGNS:
        if re.search(sign, err, re.IGNORECASE):
            return cause
    return "FAILED"


def last_lines(text: str) -> str:
    """Return the last lines of a program's words as one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()][-3:]
    return " / ".join(lines) or "no output"


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a client and what it started, and close its streams."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    process.wait()


def _short(command: str) -> str:
    return command if len(command) <= 60 else command[:57] + "..."
