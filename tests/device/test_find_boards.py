"""Finding a board's port by USB identity: none, one, several, by serial, by interface."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from serial.tools import list_ports

from edgekit import board
from edgekit.device import find
from edgekit.errors import ConfigError, DeviceError

L4R5 = board.find("nucleo-l4r5zi")


def _port(device: str, serial: str | None = "066A", vid: int = 0x0483, **more: object) -> object:
    fields = {
        "device": device,
        "vid": vid,
        "pid": 0x374B,
        "serial_number": serial,
        "product": "STM32 STLink",
        "location": "1-2:1.2",
    }
    return SimpleNamespace(**(fields | more))


@pytest.fixture
def attached(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    ports: list[object] = [_port("/dev/ttyS0", None, vid=0), _port("/dev/ttyUSB0", vid=0x0403)]
    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    return ports


def test_no_board_names_what_was_looked_for(attached: list[object]) -> None:
    with pytest.raises(
        DeviceError, match="no ST NUCLEO-L4R5ZI is attached: no serial port has USB 0483:374B"
    ) as caught:
        find.find_port(L4R5, None)
    assert "--virtual" in caught.value.hint
    assert find.probe_serial(L4R5) is None


def test_the_one_board_is_found(attached: list[object]) -> None:
    attached.append(_port("/dev/ttyACM3"))
    assert find.find_port(L4R5, None) == "/dev/ttyACM3"
    assert find.find_port(L4R5, "usb:0483:374b") == "/dev/ttyACM3"
    assert find.probe_serial(L4R5) == "066A"


def test_two_boards_are_refused_and_listed(attached: list[object]) -> None:
    attached += [_port("/dev/ttyACM1", "B"), _port("/dev/ttyACM0", "A")]
    with pytest.raises(
        DeviceError, match=r"2 serial ports .*ttyACM0 \(serial A\), /dev/ttyACM1 \(serial B\)"
    ):
        find.find_port(L4R5, None)
    assert find.find_port(L4R5, "usb:0483:374B:B") == "/dev/ttyACM1"
    with pytest.raises(DeviceError, match="2 probes with USB 0483:374B are attached: A, B"):
        find.probe_serial(L4R5)


def test_a_serial_number_that_is_not_there(attached: list[object]) -> None:
    attached.append(_port("/dev/ttyACM1", "B"))
    with pytest.raises(DeviceError, match="USB 0483:374B with serial C"):
        find.find_port(L4R5, "usb:0483:374B:C")


def test_ports_of_one_probe_are_told_apart_by_interface(attached: list[object]) -> None:
    usb = L4R5.link.usb.model_copy(update={"interface": 2})
    two = L4R5.model_copy(update={"link": L4R5.link.model_copy(update={"usb": usb})})
    attached += [_port("/dev/ttyACM0", location="1-2:1.0"), _port("/dev/ttyACM1")]
    assert find.find_port(two, None) == "/dev/ttyACM1"
    assert find.probe_serial(two) == "066A"
    with pytest.raises(DeviceError, match="2 serial ports"):
        find.find_port(L4R5, None)


def test_other_urls_are_left_alone(attached: list[object]) -> None:
    for url in ("socket://localhost:5000", "/dev/ttyACM7", "rfc2217://rig:4000", "COM3"):
        assert find.find_port(L4R5, url) == url


@pytest.mark.parametrize("url", ["usb:", "usb:483:374B", "usb:0483", "usb:0483:374B:A:B"])
def test_a_malformed_usb_url(attached: list[object], url: str) -> None:
    with pytest.raises(ConfigError, match="is not usb:VID:PID"):
        find.find_port(L4R5, url)
