# SPDX-License-Identifier: GPL-2.0-or-later
"""One QEMU process, which connects to sockets of ours and does not outlive us."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from edgekit.build import tools
from edgekit.virtual.machines import ICOUNT_SHIFT, Machine

Line = Literal["serial", "qmp", "gdb"]
_HOST = "127.0.0.1"
_POLL_S = 0.2
_START_S = 60.0


class Process:
    """QEMU with the image; `sockets` holds the connection of each line that was asked for."""

    def __init__(
        self, elf: Path, machine: Machine, lines: Sequence[Line], *, paused: bool = False
    ) -> None:
        with contextlib.ExitStack() as stack:
            servers = {
                line: stack.enter_context(socket.create_server((_HOST, 0))) for line in lines
            }
            options = []
            for line, server in servers.items():
                at = f"socket,id={line},host={_HOST},port={server.getsockname()[1]},nodelay=on"
                options += ["-chardev", at, f"-{line}", f"chardev:{line}"]
            self._child = subprocess.Popen(
                [
                    *(sys.executable, "-m", "edgekit.virtual.guard"),
                    *(*tools.require(machine.tool), *machine.arguments),
                    *("-icount", f"shift={ICOUNT_SHIFT}"),
                    *("-display", "none", "-monitor", "none"),
                    *(() if "serial" in lines else ("-serial", "null")),
                    *options,
                    *(("-S",) if paused else ()),
                    *("-kernel", str(elf)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
            )
            try:
                self.sockets = {line: self._accept(server) for line, server in servers.items()}
            except BaseException:
                self.end()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.end()
        for sock in self.sockets.values():
            sock.close()

    def end(self) -> int:
        """Kill QEMU and return its exit status; idempotent."""
        if self._child.stdin is not None:
            self._child.stdin.close()
        return self._child.wait()

    def _accept(self, server: socket.socket) -> socket.socket:
        server.settimeout(_POLL_S)
        deadline = time.monotonic() + _START_S
        while self._child.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                sock, _ = server.accept()
                sock.settimeout(None)
                return sock
        raise ConnectionError(f"QEMU did not start (exit status {self._child.poll()})")
