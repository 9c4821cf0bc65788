"""The twin's state lines are on their way before the link's answer is."""

from __future__ import annotations

import socket
import time

from edgekit.virtual.twin.server import LinkServer, StateServer

LINES = [b'{"t_ns":%d}\n' % n for n in range(2000)]


def test_lines_written_before_an_answer_can_be_read_when_it_arrives():
    state, link = StateServer(lambda: b"first\n"), LinkServer()
    link.before_send = state.settle
    with (
        socket.create_connection(("127.0.0.1", state.port)) as meter,
        socket.create_connection(("127.0.0.1", link.port)) as host,
    ):
        assert meter.recv(6) == b"first\n"
        _wait(lambda: link.connected)
        host.settimeout(10)
        for round_ in range(20):
            for line in LINES:
                state.write(line)
            link.send(b"answer")
            assert host.recv(6) == b"answer"
            # What a meter that is told to stop now finds in its socket, without waiting.
            meter.setblocking(False)
            wanted, got = b"".join(LINES), b""
            while len(got) < len(wanted):
                try:
                    got += meter.recv(len(wanted) - len(got))
                except BlockingIOError:
                    break
            meter.setblocking(True)
            assert got == wanted, f"round {round_}: {len(got)} of {len(wanted)} bytes"


def test_a_client_that_reads_nothing_holds_the_link_for_two_seconds_at_most():
    state, link = StateServer(lambda: b"first\n"), LinkServer()
    link.before_send = state.settle
    with (
        socket.create_connection(("127.0.0.1", state.port)) as meter,
        socket.create_connection(("127.0.0.1", link.port)) as host,
    ):
        meter.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        assert meter.recv(6) == b"first\n"  # it is served: what is written now goes to it
        _wait(lambda: link.connected)
        state.write(bytes(32 << 20))
        began = time.monotonic()
        link.send(b"x")
        host.settimeout(10)
        assert host.recv(1) == b"x"
        assert 1.0 < time.monotonic() - began < 9.0


def _wait(true, limit_s=10.0):
    deadline = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)
