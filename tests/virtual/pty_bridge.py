"""A pseudo-terminal in front of a twin's socket, for programs that insist on a serial port."""

from __future__ import annotations

import os
import select
import socket
import threading
import tty
from types import TracebackType
from typing import Self

_PIECE = 4096


class PtyBridge:
    """Carries bytes both ways, in order, until the block ends; `tty` is what a program opens.

    The socket stays open as long as the bridge, as the wire between ST-LINK and chip does: that
    a program opens and closes the port changes nothing on the board. `sent` is what it sent.
    """

    def __init__(self, port: int) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._master, self._slave = os.openpty()  # the slave stays open, or reading would end
        tty.setraw(self._slave)
        self.tty = os.ttyname(self._slave)
        self.sent = bytearray()
        self._ended, self._end = os.pipe()
        self._thread = threading.Thread(target=self._carry)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        os.close(self._end)
        self._thread.join()
        self._sock.close()
        for descriptor in (self._master, self._slave, self._ended):
            os.close(descriptor)

    def _carry(self) -> None:
        while True:
            ready, _, _ = select.select([self._master, self._sock, self._ended], [], [])
            if self._ended in ready:
                return
            if self._master in ready:
                data = os.read(self._master, _PIECE)
                self.sent += data
                self._sock.sendall(data)
            if self._sock in ready:
                data = self._sock.recv(_PIECE)
                if not data:
                    return
                os.write(self._master, data)
