"""Parts of the Arm-side program: identity, clock, weights, window, its file, overlays."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from axi_shell_sim import CLOCK_HZ, packet
from board_tree import BASE, KEPT, WIRE_BYTES, core
from cobs import cobs
from fake_window import FakeWindow, facts

from edgekit.device.agent import accelerator as accelerator_module
from edgekit.device.agent import cobs as plain_cobs
from edgekit.device.agent import loader
from edgekit.device.agent.accelerator import Accelerator
from edgekit.device.agent.devicetree import uio_overlay
from edgekit.device.agent.registers import (
    SPAN_BYTES,
    STORE_OFFSET,
    Reg,
)
from edgekit.device.agent.window import MappedWindow
from edgekit.device.agent_file import agent_file
from edgekit.errors import DeviceError


def test_the_clock_is_timed_against_what_the_design_was_built_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = FakeWindow()
    window.simulated = False
    accelerator = Accelerator(window, facts())
    now = [0.0]
    monkeypatch.setattr(accelerator_module.time, "monotonic", lambda: now[0])

    def sleep(seconds: float) -> None:
        now[0] += seconds
        window.words[Reg.CLOCKS] = round(seconds * rate_hz) + 2**32 - 1000 & 0xFFFFFFFF

    monkeypatch.setattr(accelerator_module.time, "sleep", sleep)
    window.words[Reg.CLOCKS], rate_hz = 2**32 - 1000, CLOCK_HZ
    assert accelerator.check_clock() == pytest.approx(CLOCK_HZ)
    window.words[Reg.CLOCKS], rate_hz = 2**32 - 1000, 2 * CLOCK_HZ
    with pytest.raises(DeviceError, match=r"runs at 100\.0 MHz, .*timed for 50\.0 MHz"):
        accelerator.check_clock()


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (Reg.ID, 0xDEADBEEF, "the registers begin with 0xdeadbeef"),
        (Reg.VERSION, 2, "are version 2, wanted 1"),
        (Reg.MODEL_HASH, 0, "the bitstream's model is 00000000…"),
        (Reg.IN_WORDS, 7, r"shape \(7, 2, 4, 50000000\)"),
    ],
)
def test_another_accelerator_is_told(offset: int, value: int, message: str) -> None:
    window = FakeWindow()
    window.words[offset] = value
    with pytest.raises(DeviceError, match=message):
        Accelerator(window, facts())


def test_weights_are_loaded_after_every_reset() -> None:
    window = FakeWindow()
    loaded: list[int] = []
    real: Callable[[int, int], None] = window.write

    def write(offset: int, value: int) -> None:
        if offset == Reg.LOAD:
            loaded.append(value)
        real(offset, value)

    window.write = write  # type: ignore[method-assign]
    accelerator = Accelerator(window, facts(), core().weights)
    accelerator.self_test()
    assert loaded == [1, 2, 0x1234]


def test_a_mapped_window_is_words_at_their_offsets(tmp_path: Path) -> None:
    path = tmp_path / "uio0"
    with path.open("wb") as file:
        file.truncate(SPAN_BYTES)
    window = MappedWindow(path)
    window.write(STORE_OFFSET + 4, 0x01020304)
    window.write(SPAN_BYTES - 4, 0xFFFFFFFF)
    content = path.read_bytes()
    assert content[STORE_OFFSET + 4 : STORE_OFFSET + 8] == bytes([4, 3, 2, 1])
    assert window.read(SPAN_BYTES - 4) == 0xFFFFFFFF
    with pytest.raises(DeviceError, match="cannot be opened: No such file"):
        MappedWindow(tmp_path / "none")
    (tmp_path / "short").write_bytes(b"x")
    with pytest.raises(DeviceError, match="cannot be mapped"):
        MappedWindow(tmp_path / "short")


def test_inputs_lie_in_words_as_the_hardware_reads_them() -> None:
    window = FakeWindow()
    wire = random.Random(6).randbytes(WIRE_BYTES)
    Accelerator(window, facts()).store(2, wire)
    words = [window.read(STORE_OFFSET + 4 * (12 + i)) for i in range(6)]
    assert words == packet(bytes(wire[i] for i in KEPT))


def test_plain_cobs_writes_and_reads_what_the_package_does() -> None:
    rng = random.Random(2)
    for _ in range(300):
        length = rng.choice((0, 1, 5, 253, 254, 255, 508, 600))
        data = bytes(rng.choice((0, 1, 255)) if rng.random() < 0.02 else 7 for _ in range(length))
        assert plain_cobs.encode(data) == cobs.encode(data)
        assert plain_cobs.decode(cobs.encode(data)) == data
        damaged = bytearray(cobs.encode(data))
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            wanted = cobs.decode(bytes(damaged))
        except cobs.DecodeError:
            with pytest.raises(plain_cobs.DecodeError):
                plain_cobs.decode(bytes(damaged))
        else:
            assert plain_cobs.decode(bytes(damaged)) == wanted


def test_the_agent_runs_on_a_bare_python(tmp_path: Path) -> None:
    data = agent_file()
    assert data == agent_file()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(tmp_path / "agent")
    done = subprocess.run(
        [sys.executable, "-ISB", tmp_path / "agent", "serve", tmp_path],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 6
    assert "no bitstream has been deployed to this board" in done.stderr


def test_an_overlay_is_a_device_tree_of_one_node() -> None:
    blob = uio_overlay("edgekit", BASE, SPAN_BYTES)
    magic, size, structure, strings = struct.unpack_from(">4I", blob)
    assert (magic, size) == (0xD00DFEED, len(blob))
    assert structure % 4 == 0
    assert blob[structure : structure + 8] == bytes([0, 0, 0, 1, 0, 0, 0, 0])
    assert blob[strings - 4 : strings] == bytes([0, 0, 0, 9])
    assert b"edgekit@43c00000\0" in blob
    assert b"generic-uio\0" in blob
    assert struct.pack(">II", BASE, SPAN_BYTES) in blob


def test_a_clock_that_no_divisor_gives_is_told(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    with (tmp_path / "dev/mem").open("wb") as file:
        file.truncate(0xF8001000)
        file.seek(0xF8000108)
        file.write(struct.pack("<I", 20 << 12))
    assert loader._set_clock(tmp_path, 125_000_000) == 125_000_000
    with pytest.raises(DeviceError, match="FCLK0 cannot be 130 MHz: from 1000 MHz the nearest is"):
        loader._set_clock(tmp_path, 130_000_000)
