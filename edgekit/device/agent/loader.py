"""The one step that needs root: the bitstream into the logic, its clock, and a window for the user.

Everything below `root` ("/" on a board): /lib/firmware, /sys/class/fpga_manager, the system
registers in /dev/mem, the device-tree overlays in configfs, /sys/class/uio. Facts of the system
registers (SLCR) are from the Zynq-7000 reference manual, UG585 appendix B.28.
"""

from __future__ import annotations

import mmap
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgekit.device.agent.devicetree import uio_overlay
from edgekit.device.agent.facts import Facts
from edgekit.device.agent.registers import SPAN_BYTES
from edgekit.errors import DeviceError

NODE = "edgekit"
_SLCR = 0xF8000000
_UNLOCK, _UNLOCK_KEY = 0x008, 0xDF0D
_IO_PLL = 0x108  # FDIV in bits 18..12
_CLOCK = 0x170  # of FCLK0: source in bits 5..4 (0: IO PLL), divisors in bits 13..8 and 25..20
_GATE = 0x178  # bit 0 set: FCLK0 stands still
_RESETS = 0x240  # bit 0: the logic's first reset
_IDCODE = 0x530  # device in bits 16..12
_DEVICES = {0x02: "7z010", 0x07: "7z020", 0x0C: "7z030", 0x11: "7z045", 0x1B: "7z015"}
_CRYSTAL_HZ = 50_000_000  # of the PYNQ-Z1 and -Z2
_CLOCK_TOLERANCE = 1e-3
_APPEAR_S = 3.0
_OVERLAY_S = 120.0
_OVERLAY_COMMAND = (
    "for f in pynq_venv xrt_setup; do [ -r /etc/profile.d/$f.sh ] && . /etc/profile.d/$f.sh; done; "
    'exec python3 -c "import sys; from pynq import Overlay; Overlay(sys.argv[1])" "$1"'
)
_PREPARED = "deploy to a PYNQ image of version 3.0 or later"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the loader left behind: the window's device file, and FCLK0's rate."""

    window: str
    clock_hz: int


def load(bundle: Path, facts: Facts, *, root: Path, owner: int, overlay: bool) -> Loaded:
    """Load the bundle's bitstream and give its window to the user with id `owner`.

    With `overlay` PYNQ's own loader programs the logic (it needs the .hwh), else the kernel's FPGA
    manager does. Raises DeviceError that says which step failed.
    """
    _check_part(root, facts)
    if overlay:
        _program_by_overlay(bundle / "design.bit")
    else:
        _program(bundle / "design.bin", facts, root)
    clock_hz = _set_clock(root, facts.clock_hz)
    window = _window(root, facts.base_address)
    try:
        os.chown(window, owner, -1)
    except OSError as exc:
        raise DeviceError(f"{window} cannot be given to user {owner}: {exc.strerror}") from exc
    return Loaded(str(window), clock_hz)


class _Slcr:
    """The system registers in /dev/mem."""

    def __init__(self, root: Path) -> None:
        path = root / "dev/mem"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_SYNC)
            try:
                self._map = mmap.mmap(descriptor, 0x1000, offset=_SLCR)
            finally:
                os.close(descriptor)
        except (OSError, ValueError) as exc:
            raise DeviceError(
                f"the system registers in {path} cannot be mapped: {exc}", hint=_PREPARED
            ) from exc
        self._words = memoryview(self._map).cast("I")

    def read(self, offset: int) -> int:
        return int(self._words[offset >> 2])

    def write(self, offset: int, value: int) -> None:
        self._words[offset >> 2] = value


def _check_part(root: Path, facts: Facts) -> None:
    code = _Slcr(root).read(_IDCODE) >> 12 & 0x1F
    found = _DEVICES.get(code, f"device code {code:#x}")
    if not facts.part.startswith(f"xc{found}"):
        raise DeviceError(
            f"the board has a {found}, the bitstream is for {facts.part}",
            hint="choose the board that is attached with --board, and build for it",
        )


def _program(binary: Path, facts: Facts, root: Path) -> None:
    manager = root / "sys/class/fpga_manager/fpga0"
    if not (manager / "firmware").exists():
        raise DeviceError(f"there is no FPGA manager at {manager}", hint=_PREPARED)
    name = f"edgekit-{facts.build_id[:16]}.bin"
    firmware = root / "lib/firmware" / name
    _step(f"copy the bitstream to {firmware}", lambda: _copy(binary, firmware))
    _step("set the manager's flags", lambda: (manager / "flags").write_text("0"))
    _step("load the bitstream", lambda: (manager / "firmware").write_text(name))
    state = (manager / "state").read_text(encoding="ascii").strip()
    if state != "operating":
        raise DeviceError(
            f"the FPGA manager says {state!r} after loading, wanted 'operating'",
            hint="is the bitstream whole and for this part? `dmesg` on the board says more",
        )


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part")
    partial.write_bytes(source.read_bytes())
    partial.replace(target)


def _step(what: str, action: Callable[[], object]) -> None:
    try:
        action()
    except OSError as exc:
        raise DeviceError(
            f"the loader could not {what}: {exc.strerror}",
            hint="`dmesg` on the board says more; EINVAL means that the bitstream was refused",
        ) from exc


def _program_by_overlay(bit: Path) -> None:
    try:
        done = subprocess.run(
            ("sh", "-c", _OVERLAY_COMMAND, "sh", str(bit)),
            capture_output=True,
            text=True,
            timeout=_OVERLAY_S,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise DeviceError(f"PYNQ's Overlay did not end within {_OVERLAY_S:g} s") from exc
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no output"]
        raise DeviceError(
            f"PYNQ's Overlay failed: {lines[-1]}",
            hint="the FPGA manager of the kernel needs no PYNQ",
        )


def _set_clock(root: Path, wanted_hz: int) -> int:
    """Set FCLK0 to `wanted_hz` from the IO PLL and release it and the logic's reset."""
    slcr = _Slcr(root)
    pll_hz = _CRYSTAL_HZ * (slcr.read(_IO_PLL) >> 12 & 0x7F)
    pairs = ((a, b) for a in range(1, 64) for b in range(1, a + 1))
    first, second = min(pairs, key=lambda p: (abs(pll_hz / (p[0] * p[1]) - wanted_hz), p))
    clock_hz = pll_hz // (first * second)
    if abs(clock_hz - wanted_hz) > _CLOCK_TOLERANCE * wanted_hz:
        raise DeviceError(
            f"FCLK0 cannot be {wanted_hz / 1e6:g} MHz: from {pll_hz / 1e6:g} MHz the nearest is "
            f"{clock_hz / 1e6:g} MHz",
            hint="build for a clock that divides the PLL's",
        )
    slcr.write(_UNLOCK, _UNLOCK_KEY)
    slcr.write(_CLOCK, second << 20 | first << 8)
    slcr.write(_GATE, slcr.read(_GATE) & ~1)
    slcr.write(_RESETS, slcr.read(_RESETS) | 1)
    slcr.write(_RESETS, slcr.read(_RESETS) & ~1)
    return clock_hz


def _window(root: Path, base_address: int) -> Path:
    """Return the device file of the window, made by a device-tree overlay where there is none."""
    found = _uio_at(root, base_address)
    if found is not None:
        return found
    overlays = root / "sys/kernel/config/device-tree/overlays"
    if not overlays.is_dir():
        raise DeviceError(
            f"this kernel takes no device-tree overlays ({overlays} is missing)", hint=_PREPARED
        )
    mine = overlays / NODE
    if mine.exists():  # of another address
        _step("remove the overlay before", mine.rmdir)
    _step("make a device-tree overlay", mine.mkdir)
    overlay = uio_overlay(NODE, base_address, SPAN_BYTES)
    _step("insert the overlay", lambda: (mine / "dtbo").write_bytes(overlay))
    deadline = time.monotonic() + _APPEAR_S
    while time.monotonic() < deadline:
        _bind(root, base_address)
        found = _uio_at(root, base_address)
        if found is not None:
            return found
        time.sleep(0.05)
    status = mine / "status"
    told = status.read_text(encoding="ascii").strip() if status.exists() else "no status"
    raise DeviceError(
        f"the overlay was inserted ({told}) and no UIO device came of it",
        hint=f"is uio_pdrv_genirq in the kernel? {_PREPARED}",
    )


def _bind(root: Path, base_address: int) -> None:
    """Bind the node to the generic driver where the kernel's command line did not say so."""
    device = root / f"sys/bus/platform/devices/{base_address:x}.{NODE}"
    driver = root / "sys/bus/platform/drivers/uio_pdrv_genirq"
    if device.exists() and driver.exists() and not (device / "driver").exists():
        _step("name the driver", lambda: (device / "driver_override").write_text(driver.name))
        _step("bind the driver", lambda: (driver / "bind").write_text(device.name))


def _uio_at(root: Path, base_address: int) -> Path | None:
    for address in sorted((root / "sys/class/uio").glob("uio*/maps/map0/addr")):
        device = root / "dev" / address.parents[2].name
        if int(address.read_text(encoding="ascii"), 16) == base_address and device.exists():
            return device
    return None
