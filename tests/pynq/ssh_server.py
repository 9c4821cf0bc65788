"""A real OpenSSH server on a free port of this machine, and a wire in between that can be cut."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

_SBIN = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))

_SUDO = """#!/bin/sh
if [ -e "$HOME/deny-sudo" ]; then echo "sudo: a password is required" >&2; exit 1; fi
[ "$1" = -n ] && shift
echo "$@" >> "$HOME/sudo.log"
exec "$@"
"""
_ID = """#!/bin/sh
[ "$(/usr/bin/id -u)" = 0 ] && echo 1000 || exec /usr/bin/id "$@"
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class SshServer:
    """sshd with keys of its own; whoever logs in has `home` for a home directory."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.home = work / "home"
        self.home.mkdir()
        self._bin = work / "bin"
        self._bin.mkdir()
        for name, text in (("sudo", _SUDO), ("id", _ID)):
            (self._bin / name).write_text(text)
            (self._bin / name).chmod(0o755)
        for key in ("host", "user", "stranger"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", work / key],
                check=True,
                timeout=30,
            )
        shutil.copy(work / "user.pub", work / "authorized")
        self.port = _free_port()
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd wants it of root alone
        (work / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {work}/host\n"
            f"AuthorizedKeysFile {work}/authorized\nPidFile none\nStrictModes no\nUsePAM no\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            "PermitRootLogin prohibit-password\n"
            f"SetEnv HOME={self.home} PATH={self._bin}:/usr/local/bin:/usr/bin:/bin\n"
        )
        binary = shutil.which("sshd", path=_SBIN)
        assert binary
        self._log = (work / "sshd.log").open("wb")
        self._process = subprocess.Popen(
            [binary, "-D", "-e", "-f", work / "sshd_config"],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        self._wait()
        self.config = self.client_config("client", port=self.port)

    def _wait(self) -> None:
        for _ in range(100):
            assert self._process.poll() is None, (self.work / "sshd.log").read_text()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.05)
        raise AssertionError("sshd does not listen")

    def client_config(
        self, name: str, *, port: int, key: str = "user", hosts: str | None = None
    ) -> Path:
        """Write a client's configuration for the host name `board`."""
        public = (self.work / "host.pub").read_text() if hosts is None else hosts
        known = self.work / f"{name}.known"
        known.write_text(f"board {public}" if public else "")
        config = self.work / f"{name}.config"
        config.write_text(
            f"Host board\n HostName 127.0.0.1\n HostKeyAlias board\n Port {port}\n"
            f" User {getpass.getuser()}\n IdentityFile {self.work}/{key}\n IdentitiesOnly yes\n"
            f" UserKnownHostsFile {known}\n GlobalKnownHostsFile /dev/null\n"
            " StrictHostKeyChecking yes\n KexAlgorithms curve25519-sha256\n"  # the cheapest
        )
        return config

    def clean(self) -> None:
        """Empty the home directory."""
        shutil.rmtree(self.home)
        self.home.mkdir()
        for extra in set(self._bin.iterdir()) - {self._bin / "sudo", self._bin / "id"}:
            extra.unlink()

    def program(self, name: str, text: str) -> None:
        """Put a program in front of the machine's own until `clean`."""
        (self._bin / name).write_text(text)
        (self._bin / name).chmod(0o755)

    def close(self) -> None:
        """End the server."""
        self._process.terminate()
        self._process.wait(10)
        self._log.close()


class Wire:
    """TCP connections forwarded to the server; they can be cut, fall silent, or be refused."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.silent: set[int] = set()  # numbers of connections that carry nothing any more
        self.connections = 0
        self._open: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            far = socket.create_connection(("127.0.0.1", self._target))
            self._open += [near, far]
            for source, target in ((near, far), (far, near)):
                arguments = (source, target, self.connections)
                threading.Thread(target=self._pump, args=arguments, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if number not in self.silent:
                    target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """Break off what is connected now."""
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cut everything and refuse what comes."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(5)
        self.cut()
        for end in self._open:
            end.close()
