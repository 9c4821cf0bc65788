"""Opening, losing and sharing byte pipes."""

from __future__ import annotations

import os
import pty
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.device.serial_port import open_port
from edgekit.errors import ConfigError, DeviceError


@pytest.fixture
def server() -> Iterator[tuple[str, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"socket://127.0.0.1:{listening.getsockname()[1]}", listening


def test_tcp_carries_bytes_both_ways(server: tuple[str, socket.socket]) -> None:
    url, listening = server
    port = open_port(url)
    with listening.accept()[0] as peer:
        data = bytes(range(256)) * 2000
        sender = threading.Thread(target=peer.sendall, args=(data,))
        sender.start()
        got = b""
        while len(got) < len(data):
            got += port.read(1.0)
        sender.join()
        assert got == data
        assert port.read(0.01) == b""
        port.write(b"\0abc\0")
        assert peer.recv(100) == b"\0abc\0"
    with pytest.raises(DeviceError, match="closed the connection"):
        port.read(1.0)
    port.close()
    port.close()


def test_nobody_listens(server: tuple[str, socket.socket]) -> None:
    url, listening = server
    listening.close()
    with pytest.raises(DeviceError, match=f"{url} cannot be reached"):
        open_port(url)


@pytest.mark.parametrize("url", ["socket://", "socket://host", "socket://host:x", "nonsense://x"])
def test_a_malformed_url(url: str) -> None:
    with pytest.raises(ConfigError, match="port '"):
        open_port(url)


def test_a_missing_port(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="does not exist") as caught:
        open_port(str(tmp_path / "ttyACM0"))
    assert "plugged in" in caught.value.hint


def test_loop_returns_what_was_written() -> None:
    port = open_port("loop://")
    port.write(b"\0\1\2\0")
    assert port.read(0.5) == b"\0\1\2\0"
    assert port.read(0.01) == b""
    port.close()


def test_a_terminal_that_goes_away() -> None:
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    port = open_port(name)
    os.write(master, b"\0hello\0")
    assert port.read(1.0) == b"\0hello\0"
    port.write(b"\0\xff\r\n\0")
    assert os.read(master, 100) == b"\0\xff\r\n\0"  # raw: nothing is translated
    os.close(slave)
    os.close(master)
    with pytest.raises(DeviceError, match="went away"):
        port.read(1.0)
    port.close()


def test_a_port_that_is_in_use() -> None:
    master, slave = pty.openpty()
    first = open_port(os.ttyname(slave))
    with pytest.raises(DeviceError, match="is busy") as caught:
        open_port(os.ttyname(slave))
    assert "close the other program" in caught.value.hint
    first.close()
    os.close(slave)
    os.close(master)
