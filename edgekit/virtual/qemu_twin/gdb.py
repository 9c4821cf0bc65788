# SPDX-License-Identifier: GPL-2.0-or-later
"""The few packets of GDB's remote protocol that counting needs."""

from __future__ import annotations

import socket

_PIECE_BYTES = 1024  # of memory in one packet


class Gdb:
    """A connection to QEMU's stub; the core stands still except in `resume` and `step`."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._stream = sock.makefile("rb")

    def registers(self) -> tuple[int, ...]:
        """Return the 32-bit registers in the stub's order."""
        data = bytes.fromhex(self._ask("g"))
        return tuple(int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data) - 3, 4))

    def read(self, address: int, size: int) -> bytes:
        """Return `size` bytes of memory."""
        ends = range(address, address + size, _PIECE_BYTES)
        pieces = ((at, min(_PIECE_BYTES, address + size - at)) for at in ends)
        return b"".join(bytes.fromhex(self._ask(f"m{at:x},{n:x}")) for at, n in pieces)

    def fill(self, address: int, size: int, byte: int) -> None:
        """Set `size` bytes of memory."""
        for at in range(address, address + size, _PIECE_BYTES):
            n = min(_PIECE_BYTES, address + size - at)
            self._expect(f"M{at:x},{n:x}:{bytes([byte]).hex() * n}", "OK")

    def run_to(self, address: int) -> None:
        """Let the core run until it is about to execute `address`."""
        self._expect(f"Z0,{address:x},2", "OK")
        self._expect("c", "T05")
        self._expect(f"z0,{address:x},2", "OK")

    def step(self) -> None:
        """Execute one instruction."""
        self._expect("s", "T05")

    def _expect(self, packet: str, start: str) -> None:
        answer = self._ask(packet)
        if not answer.startswith(start):
            raise ConnectionError(f"the debug stub answers {packet[:20]!r} with {answer[:40]!r}")

    def _ask(self, packet: str) -> str:
        data = packet.encode()
        self._sock.sendall(b"$%s#%02x" % (data, sum(data) & 0xFF))
        while (byte := self._stream.read(1)) != b"$":
            if not byte:
                raise ConnectionError("the debug stub closed the connection")
        answer = bytearray()
        while (byte := self._stream.read(1)) != b"#":
            if not byte:
                raise ConnectionError("the debug stub closed the connection")
            answer += byte
        self._stream.read(2)
        self._sock.sendall(b"+")
        return answer.decode()
