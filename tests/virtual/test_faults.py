"""Every fault of the link and the supply happens, and the twin says so."""

from __future__ import annotations

import json
import struct
import time

import pytest
from twin_host import connect, connect_state, link_port, wait_ready

from edgekit.errors import DeviceError
from edgekit.virtual import Faults

pytestmark = [pytest.mark.virtual, pytest.mark.gcc]


def test_bytes_are_dropped(firmware, twin_of):
    with twin_of(firmware("gcc")) as host:
        host.twin.control("rates", drop=0.5)
        host.sock.sendall(b"E\xff" + bytes(400))
        time.sleep(0.3)
        dropped = host.twin.stats()["dropped"]
        assert 100 < dropped < 500
        host.twin.control("rates")
        host.twin.control("reset")
        wait_ready(host.twin)
        host.sock.sendall(b"E\x01x")
        assert host.read(1)


def test_bits_are_flipped_the_same_way_for_a_seed(firmware, twin_of):
    answers = []
    for _ in range(2):
        with twin_of(firmware("gcc"), Faults(seed=7, flip_rate=0.02)) as host:
            host.sock.sendall(b"U" * 100)
            answers.append(host.read_until_quiet())
            assert host.twin.stats()["flipped"] > 0
    assert any(answers[0])
    assert answers[0] == answers[1]


def test_split_hands_over_small_pieces(firmware, twin_of):
    with twin_of(firmware("gcc"), Faults(split_bytes=3)) as host:
        host.sock.sendall(b"E\x40" + bytes(range(64)))
        pieces = []
        while sum(map(len, pieces)) < 64:
            pieces.append(host.sock.recv(100))
        assert b"".join(pieces) == bytes(range(64))
        assert len(pieces) > 1


def test_reset_after_bytes(firmware, twin_of):
    with twin_of(firmware("gcc"), Faults(reset_after_bytes=20)) as host:
        host.sock.sendall(b"E\x40" + bytes(64))
        assert host.read(1)
        deadline = time.monotonic() + 5
        while host.twin.stats()["resets"] == 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        wait_ready(host.twin)
        host.sock.sendall(b"E\x02ab")
        data = host.read(2)
        while not data.endswith(b"ab"):
            data += host.read(1)
        assert host.twin.stats()["resets"] == 1  # once


def test_late_banner_comes_after_the_port_was_opened(firmware, twin_of):
    with twin_of(firmware("gcc"), Faults(late_banner_s=0.3), ready=False) as host:
        start = time.monotonic()
        host.sock.sendall(b"E\x01?")  # to a board that is not there yet
        assert host.read(1) == b"!"
        assert time.monotonic() - start > 0.25
        assert host.silent(0.2)


def test_stuck_board_is_silent_until_reset(firmware, twin_of):
    with twin_of(firmware("gcc")) as host:
        assert host.twin.control("stuck")["done"]
        host.sock.sendall(b"E\x01x")
        assert host.silent(0.3)
        assert host.twin.control("reset")["done"]
        wait_ready(host.twin)
        assert host.read(1) == b"!"


def test_brown_out_is_a_power_on_with_time_off(firmware, twin_of):
    with twin_of(firmware("gcc")) as host, connect_state(host.twin) as state:
        host.twin.control("brown_out", off_ms=200)
        assert host.read(1) == b"!"
        lines = [json.loads(line) for line in state.recv(65_536).split(b"\n")[:-1]]
        off = next(i for i, line in enumerate(lines) if line["state"] == "off")
        # The board starts at the next whole idle step.
        assert 0 <= lines[off + 1]["t_ns"] - lines[off]["t_ns"] - 200_000_000 < 7_812_500
        assert host.twin.stats()["resets"] == 0


def test_unplug_closes_the_port_and_plug_starts_anew(firmware, twin_of):
    with twin_of(firmware("gcc")) as host:
        assert host.twin.control("unplug")["done"]
        assert host.sock.recv(1) == b""
        assert host.twin.stats()["state"] == "off"
        with connect(link_port(host.twin)) as again:
            assert again.recv(1) == b""
        assert host.twin.control("plug")["done"]
        wait_ready(host.twin)
        with connect(link_port(host.twin)) as again:
            again.sendall(b"I")
            assert again.recv(4) == struct.pack("<I", 0x0EDC)


def test_unplug_in_mid_answer(firmware, twin_of):
    with twin_of(firmware("gcc"), Faults(unplug_after_bytes=10)) as host:
        host.sock.sendall(b"E\x40" + bytes(64))
        with pytest.raises(ConnectionError):
            host.read(64)


@pytest.mark.parametrize("ppm", [0.0, 200.0, -5000.0])
def test_clock_drift_moves_the_low_speed_oscillator(firmware, twin_of, ppm):
    with twin_of(firmware("gcc"), Faults(clock_drift_ppm=ppm)) as host:
        with connect_state(host.twin) as state, state.makefile("rb") as stream:
            host.ask(b"S" + struct.pack("<H", 30_000), 1)
            lines = (json.loads(line) for line in stream)
            slept = next(line["t_ns"] for line in lines if line["state"] == "sleep")
            woken = next(lines)["t_ns"]
        exact = 30_000 * 1e9 / (32_768 * (1 + ppm * 1e-6))
        assert exact - 2_000 < woken - slept <= exact + 1


def test_unknown_op_is_refused(firmware, twin_of):
    with twin_of(firmware("gcc")) as host, pytest.raises(DeviceError, match="unknown op 'melt'"):
        host.twin.control("melt")
