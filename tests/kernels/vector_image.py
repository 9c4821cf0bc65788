"""Runs many kernel calls in one image on QEMU's Cortex-M55, which executes MVE instructions.

Everything that calls touch lies between guard bytes in one block of memory: the emulator loads it
before, and it is compared as a whole afterwards.
"""

from __future__ import annotations

import ctypes
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from kernel_driver import FIRMWARE, fill, structures
from numpy.typing import NDArray

from edgekit.build import tools
from edgekit.target.mcu import compilers
from edgekit.target.mcu.code import NodeCode
from edgekit.virtual.machines import MACHINES

_BASE, _ROOM = 0x2110_0000, 0x2F_0000  # as in vector_runner.c; up to the end of the memory
_PORT = "mps3_an547"
_GUARD = bytes([0x5A]) * 48
_HEADER, _CASE = struct.Struct("<II"), struct.Struct("<5I")
_FREE, _FIXED = 0, 1


def build_runner(directory: Path, kernels: Sequence[str], firmware: Path = FIRMWARE) -> Path:
    """Compile the runner with `kernels` of `firmware`, which know all roundings."""
    table = ", ".join(f"(vector_kernel){kernel}" for kernel in kernels)
    sources = [Path(__file__).with_name("vector_runner.c")]
    sources += [firmware / "kernels" / f"{kernel}.c" for kernel in kernels]
    objects = []
    for source in sources:
        command = compilers.compile_command(
            "gcc",
            "cortex-m55",
            PurePosixPath(source),
            include=[str(firmware / "include")],
            defines=[f"KERNELS={table}"],
            kernel=source.parent.name == "kernels",
        )
        # The runner has addresses as numbers, and a mutant may leave something unused.
        objects.append(directory / f"{source.stem}.o")
        _compile([*command.argv[:-1], str(objects[-1]), "-w"])
    elf = directory / "runner.elf"
    command = compilers.link_command("gcc", "cortex-m55", (), str(elf))
    script = Path(__file__).with_name("vector_runner.ld")
    argv = [str(script) if word == "linker.ld" else word for word in command.argv]
    at = argv.index("-lgcc")
    _compile([*argv[:at], *map(str, objects), *argv[at:]])
    return elf


def _compile(argv: Sequence[str]) -> None:
    subprocess.run([*tools.require(argv[0]), *argv[1:]], check=True)


class Batch:
    """Calls that run together, and what memory must hold after them."""

    def __init__(self, elf: Path, kernels: Sequence[str]) -> None:
        self._elf, self._kernels = elf, list(kernels)
        self._structures = structures(ctypes.c_uint32)
        self._noise = np.random.default_rng(0)
        self._calls: list[bytes] = []
        self._before, self._after, self._care = bytearray(), bytearray(), bytearray()

    def add(
        self, code: NodeCode, inputs: Sequence[NDArray[np.int64]], wanted: NDArray[np.int64]
    ) -> None:
        """Add a call of the node's kernel on flat int8 values, between guards of their own."""
        data = [np.asarray(x).astype(np.int8).tobytes() for x in inputs]
        places = [self._place(x, x) for x in data]
        out = np.asarray(wanted).astype(np.int8).tobytes()
        self._call(code, [*places, self._place(self._random(len(out)), out)])

    def add_overlapped(
        self, code: NodeCode, x: NDArray[np.int64], wanted: NDArray[np.int64], behind_bytes: int
    ) -> None:
        """Add a call whose output starts `behind_bytes` below its input."""
        given = np.asarray(x).astype(np.int8).tobytes()
        out = np.asarray(wanted).astype(np.int8).tobytes()
        x_start, y_start = max(behind_bytes, 0), max(-behind_bytes, 0)
        room = max(x_start + len(given), y_start + len(out))
        before, after = bytearray(self._random(room)), bytearray(room)
        care = bytearray(room)
        before[x_start : x_start + len(given)] = given
        after[y_start : y_start + len(out)] = out
        care[y_start : y_start + len(out)] = bytes([_FIXED]) * len(out)
        place = self._place(bytes(before), bytes(after), bytes(care))
        self._call(code, [place + x_start, place + y_start])

    def differences(self, directory: Path) -> int:
        """Run all calls; return how many bytes of memory differ from what they should be."""
        start = _HEADER.size + len(self._calls) * _CASE.size
        head = _HEADER.pack(self._offset + len(self._before), len(self._calls))
        assert start <= self._offset, "too many calls"
        head += b"".join(self._calls)
        memory = head.ljust(self._offset, b"\0") + bytes(self._before)
        assert len(memory) <= _ROOM, "calls need more memory than there is"
        (directory / "in.bin").write_bytes(memory)
        (directory / "out.bin").unlink(missing_ok=True)
        machine = MACHINES[_PORT]
        argv = [*tools.require(machine.tool), *machine.arguments, "-display", "none"]
        argv += ["-monitor", "none", "-serial", "none", "-kernel", str(self._elf)]
        argv += ["-semihosting-config", "enable=on,target=native"]
        argv += ["-device", f"loader,file={directory / 'in.bin'},addr={_BASE:#x},force-raw=on"]
        try:
            subprocess.run(argv, cwd=directory, check=True, timeout=60, stdin=subprocess.DEVNULL)
            found = (directory / "out.bin").read_bytes()[self._offset :]
        except (subprocess.SubprocessError, OSError):
            return len(self._before)  # it crashed
        care = np.frombuffer(bytes(self._care), np.uint8) == _FIXED
        wanted = np.frombuffer(bytes(self._after), np.uint8)
        return int((np.frombuffer(found, np.uint8) != wanted)[care].sum())

    _offset = 64 * 1024  # of what calls touch; calls come before

    def _call(self, code: NodeCode, places: Sequence[int]) -> None:
        arrays = {}
        for array in code.arrays:
            data = np.array(array.values, array.c_type.removesuffix("_t")).tobytes()
            arrays[array.name] = self._place(data, data)
        params = bytes(fill(self._structures[f"{code.kernel}_params"], code.params, arrays))
        arguments = [self._place(params, params)]
        if code.scratch_bytes:
            noise = self._random(code.scratch_bytes)
            arguments.append(self._place(noise, noise, bytes(code.scratch_bytes)))
        arguments += places
        arguments += [0] * (4 - len(arguments))
        self._calls.append(_CASE.pack(self._kernels.index(code.kernel), *arguments))

    def _place(self, before: bytes, after: bytes, care: bytes | None = None) -> int:
        """Append bytes behind a guard, at a multiple of 4 that is no multiple of 8."""
        gap = (4 - len(self._before) - len(_GUARD)) % 8
        guard = _GUARD + _GUARD[:gap]
        care = bytes([_FIXED]) * len(before) if care is None else care
        address = _BASE + self._offset + len(self._before) + len(guard)
        self._before += guard + before
        self._after += guard + after
        self._care += bytes([_FIXED]) * len(guard) + care
        return address

    def _random(self, count: int) -> bytes:
        return self._noise.integers(0, 256, count, np.uint8).tobytes()
