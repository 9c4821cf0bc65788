"""The AXI shell compiled once, an ssh server, and trees that stand for boards."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from axi_shell_sim import compile_shell
from board_tree import BoardTree
from ssh_server import SshServer, Wire

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]  # graph writers of the whole suite


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The AXI shell around the test network, for Icarus Verilog."""
    return compile_shell(tmp_path_factory.mktemp("axi_shell"))


@pytest.fixture(scope="session")
def running_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    server = SshServer(tmp_path_factory.mktemp("sshd"))
    yield server
    server.close()


@pytest.fixture
def sshd(running_sshd: SshServer) -> SshServer:
    """A server with an empty home directory."""
    running_sshd.clean()
    return running_sshd


@pytest.fixture
def wire(sshd: SshServer) -> Iterator[Wire]:
    """A wire to the server that can be cut."""
    between = Wire(sshd.port)
    yield between
    between.close()


@pytest.fixture
def board(tmp_path: Path, compiled: Path) -> Iterator[BoardTree]:
    """A board's file system with a kernel behind it."""
    with BoardTree(tmp_path / "board", compiled) as tree:
        yield tree
