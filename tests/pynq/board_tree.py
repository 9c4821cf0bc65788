"""A directory tree that stands for a PYNQ-Z2's, with a thread that is its kernel.

The kernel takes a device-tree overlay and makes a UIO device of it: a socket behind which the RTL
of the AXI shell runs in simulation.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from axi_shell_sim import (
    BUILD_ID,
    CLOCK_HZ,
    IN_BEATS,
    IN_BYTES,
    MODEL_HASH,
    OUT_BEATS,
    OUT_BYTES,
    SLOTS,
    Shell,
)

from edgekit.device.agent.registers import Reg, Status
from edgekit.target.fpga.bundle import Bundle, Identity, write_bundle
from edgekit.target.fpga.core import Core, Resources

BASE = 0x43C00000
WIRE_BYTES = 20  # of an input; the network reads 15 of them
KEPT = tuple(i for i in range(WIRE_BYTES) if i % 4 != 3)
_CLOCKS_A_POLL = 100
_SLCR = 0xF8000000


def bit_file(part: str = "7z020clg400", words: int = 64) -> bytes:
    """Return a .bit file without a design in it."""
    data = b"\xff" * 32 + bytes.fromhex("aa995566") + hashlib.sha256(b"x").digest() * (words // 8)
    out = bytes.fromhex("00090ff00ff00ff00ff0000001")
    for key, text in (
        (b"a", "design_wrapper;UserID=0XFFFFFFFF;Version=2022.1"),
        (b"b", part),
        (b"c", "2026/11/01"),
        (b"d", "12:00:00"),
    ):
        out += key + struct.pack(">H", len(text) + 1) + text.encode() + b"\0"
    return out + b"e" + struct.pack(">I", len(data)) + data


def hwh_file(base: int = BASE, device: str = "7z020", instance: str = "accelerator") -> bytes:
    """Return what the checks read of a hardware description."""
    return (
        f'<EDKSYSTEM><SYSTEMINFO ARCH="zynq" DEVICE="{device}" NAME="design" PACKAGE="clg400" '
        f'SPEEDGRADE="-1"/><MODULES><MEMRANGE ADDRESSBLOCK="reg0" BASEVALUE="{base:#x}" '
        f'HIGHVALUE="{base + 0x7FFFF:#x}" INSTANCE="{instance}" MEMTYPE="REGISTER"/></MODULES>'
        "</EDKSYSTEM>"
    ).encode()


def core() -> Core:
    """Return test_core.v as a Core."""
    return Core(
        style="folded",
        files={PurePosixPath("rtl/ek_core.v"): b""},
        blocks=(),
        in_width=8 * IN_BYTES,
        in_beats=IN_BEATS,
        out_width=8 * OUT_BYTES,
        out_beats=OUT_BEATS,
        kept_bytes=KEPT,
        latency_cycles=10,
        interval_cycles=11,
        weights=struct.pack("<3H", 1, 2, 0x1234),
        estimate=Resources(lut=1, ff=1),
    )


WEIGHT = 0x1234  # the last one loaded


def identity(**changes: object) -> Identity:
    """Return whose accelerator it is."""
    values: dict[str, object] = {
        "board": "pynq-z2",
        "part": "xc7z020clg400-1",
        "model": "sums",
        "build_id": BUILD_ID.hex(),
        "model_hash": MODEL_HASH.hex(),
        "clock_hz": CLOCK_HZ,
        "base_address": BASE,
        "slots": SLOTS,
        "input_bytes": WIRE_BYTES,
        "output_bytes": OUT_BEATS * OUT_BYTES,
    }
    return Identity(**{**values, **changes})  # type: ignore[arg-type]


def make_bundle(work: Path, bit: bytes | None = None, hwh: bytes | None = None) -> Bundle:
    """Write a bundle of the test network."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "x.bit").write_bytes(bit_file() if bit is None else bit)
    (work / "x.hwh").write_bytes(hwh_file() if hwh is None else hwh)
    return write_bundle(
        work / "bundle",
        identity(),
        core(),
        bit=work / "x.bit",
        hwh=work / "x.hwh",
        tools={"vivado": "none"},
    )


class BoardTree:
    """The tree at `root`, and its kernel while the context lasts."""

    def __init__(self, root: Path, compiled: Path) -> None:
        self.root = root
        self._compiled = compiled
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self.corrupt: Callable[[int, int], int] = lambda _offset, value: value
        self.manager = root / "sys/class/fpga_manager/fpga0"
        for name, content in (
            ("proc/device-tree/compatible", b"digilent,zynq-artyz\0xlnx,zynq-7000\0"),
            ("proc/device-tree/chosen/pynq_board", b"Pynq-Z2\0"),
            ("sys/class/fpga_manager/fpga0/firmware", b""),
            ("sys/class/fpga_manager/fpga0/flags", b"1"),
            ("sys/class/fpga_manager/fpga0/state", b"operating\n"),
        ):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.overlays = root / "sys/kernel/config/device-tree/overlays"
        self.overlays.mkdir(parents=True)
        (root / "sys/class/uio").mkdir()
        (root / "dev").mkdir()
        with (root / "dev/mem").open("wb") as file:
            file.truncate(_SLCR + 0x1000)  # sparse
        self.set_slcr(0x530, 0x13727093)
        self.set_slcr(0x108, 20 << 12)
        self.set_slcr(0x178, 1)

    def set_slcr(self, offset: int, value: int) -> None:
        """Set a system register."""
        with (self.root / "dev/mem").open("r+b") as file:
            file.seek(_SLCR + offset)
            file.write(struct.pack("<I", value))

    def slcr(self, offset: int) -> int:
        """Return a system register."""
        with (self.root / "dev/mem").open("rb") as file:
            file.seek(_SLCR + offset)
            return int.from_bytes(file.read(4), "little")

    def __enter__(self) -> BoardTree:
        self._spawn(self._kernel)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(10)

    def _spawn(self, work: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()

    def _kernel(self) -> None:
        inserted = self.overlays / "edgekit" / "dtbo"
        while not self._ended.wait(0.01):
            with contextlib.suppress(FileNotFoundError):
                data = inserted.read_bytes()
                length = struct.unpack_from(">I", data, 4)[0] if len(data) >= 8 else 1
                if len(data) == length:
                    (inserted.parent / "status").write_text("applied\n")
                    self.make_device()
                    return

    def make_device(self) -> None:
        """Make the accelerator's device, as a kernel does that has taken its overlay."""
        listener = socket.socket(socket.AF_UNIX)
        listener.settimeout(0.05)
        path = self.root / "dev/uio3"
        here = os.open(path.parent, os.O_PATH)  # a socket's whole path has 107 bytes at most
        listener.bind(f"/proc/self/fd/{here}/{path.name}")
        os.close(here)
        listener.listen()
        maps = self.root / "sys/class/uio/uio3/maps/map0"
        maps.mkdir(parents=True)
        (maps / "addr").write_text(f"{BASE:#010x}\n")
        self._spawn(lambda: self._simulate(listener))

    def _simulate(self, listener: socket.socket) -> None:
        with listener, Shell(self._compiled, rate=1.0) as shell:
            while not self._ended.is_set():
                with contextlib.suppress(TimeoutError):
                    connection, _ = listener.accept()
                    with connection:
                        connection.settimeout(0.05)
                        self._answer(shell, connection)

    def _answer(self, shell: Shell, connection: socket.socket) -> None:
        data = b""
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                more = connection.recv(4096)
                if not more:
                    return
                data += more
            while len(data) >= 9:
                kind, offset, value = struct.unpack_from("<cII", data)
                data = data[9:]
                if kind == b"W":
                    shell.write(offset, value)
                    value = 0
                else:
                    value = self.corrupt(offset, shell.read(offset))
                    if offset == Reg.STATUS and value & Status.BUSY:
                        for _ in range(_CLOCKS_A_POLL):  # time passes while the host waits
                            shell.step()
                connection.sendall(struct.pack("<I", value))
