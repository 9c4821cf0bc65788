"""Runs many kernel calls in one image on a core of QEMU, which executes MVE and DSP instructions.

Everything that calls touch lies between guard bytes in one block of memory: the emulator loads it
before, and it is compared as a whole afterwards.
"""

from __future__ import annotations

import ctypes
import struct
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from kernel_cases import build, features_of
from kernel_driver import FIRMWARE, fill, structures
from numpy.typing import NDArray
from writers.random_graphs import GraphBuilder

from edgekit.board import Cpu
from edgekit.build import tools
from edgekit.ir.types import Rounding
from edgekit.target.mcu import compilers
from edgekit.target.mcu.code import Context, NodeCode
from edgekit.target.mcu.ops import emit_node
from edgekit.virtual.machines import MACHINES, Machine, port_for

_OWN = 0x10_0000  # bytes of memory, from its start, that are the runner's
_GUARD = bytes([0x5A]) * 48
_HEADER, _CASE = struct.Struct("<II"), struct.Struct("<5I")
_FREE, _FIXED = 0, 1


@dataclass(frozen=True, slots=True)
class Image:
    """A runner for one core, and the kernels in it."""

    elf: Path
    machine: Machine
    kernels: tuple[str, ...]

    @property
    def base(self) -> int:
        """Address of what the loader brings."""
        return self.machine.ram.base + _OWN


def build_runner(
    directory: Path, kernels: Sequence[str], firmware: Path = FIRMWARE, cpu: Cpu = "cortex-m55"
) -> Image:
    """Compile the runner with `kernels` of `firmware`, which know all roundings."""
    machine = MACHINES[port_for(cpu)]
    image = Image(directory / "runner.elf", machine, tuple(kernels))
    table = ", ".join(f"(vector_kernel){kernel}" for kernel in kernels)
    sources = [Path(__file__).with_name("vector_runner.c")]
    sources += [firmware / "kernels" / f"{kernel}.c" for kernel in kernels]
    sources += [firmware / "link" / "ek_mem.c"]  # what compilers call on their own
    objects = []
    for source in sources:
        command = compilers.compile_command(
            "gcc",
            cpu,
            PurePosixPath(source),
            include=[str(firmware / "include")],
            defines=[f"KERNELS={table}", f"BASE={image.base:#x}u"],
            kernel=source.parent.name == "kernels",
        )
        # The runner has addresses as numbers, and a mutant may leave something unused.
        objects.append(directory / f"{source.stem}.o")
        _compile([*command.argv[:-1], str(objects[-1]), "-w"])
    command = compilers.link_command("gcc", cpu, (), str(image.elf))
    script = Path(__file__).with_name("vector_runner.ld")
    argv = [str(script) if word == "linker.ld" else word for word in command.argv]
    at = argv.index("-lgcc")
    memory = f"-Wl,--defsym=RAM_START={machine.ram.base:#x}"
    _compile([*argv[:at], memory, *map(str, objects), *argv[at:]])
    return image


def _compile(argv: Sequence[str]) -> None:
    subprocess.run([*tools.require(argv[0]), *argv[1:]], check=True)


class Batch:
    """Calls that run together, and what memory must hold after them."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._structures = structures(ctypes.c_uint32)
        self._noise = np.random.default_rng(0)
        self._calls: list[bytes] = []
        self._before, self._after, self._care = bytearray(), bytearray(), bytearray()

    def add(
        self, code: NodeCode, inputs: Sequence[NDArray[np.int64]], wanted: NDArray[np.int64]
    ) -> None:
        """Add a call of the node's kernel on flat int8 values, between guards of their own."""
        data = [np.asarray(x).astype(np.int8) for x in inputs]
        self.add_stored(code, data, np.asarray(wanted).astype(np.int8))

    def add_stored(
        self, code: NodeCode, inputs: Sequence[NDArray[np.int8]], wanted: NDArray[np.int8]
    ) -> None:
        """Add a call of the node's kernel on tensors as the arena holds them."""
        places = [self._place(x.tobytes(), x.tobytes()) for x in inputs]
        out = wanted.tobytes()
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
        machine = self._image.machine
        start = _HEADER.size + len(self._calls) * _CASE.size
        head = _HEADER.pack(self._offset + len(self._before), len(self._calls))
        assert start <= self._offset, "too many calls"
        head += b"".join(self._calls)
        memory = head.ljust(self._offset, b"\0") + bytes(self._before)
        assert len(memory) <= machine.ram.size_bytes - _OWN, "calls need more memory than there is"
        (directory / "in.bin").write_bytes(memory)
        (directory / "out.bin").unlink(missing_ok=True)
        argv = [*tools.require(machine.tool), *machine.arguments, "-display", "none"]
        argv += ["-monitor", "none", "-serial", "none", "-kernel", str(self._image.elf)]
        argv += ["-semihosting-config", "enable=on,target=native"]
        argv += [
            "-device",
            f"loader,file={directory / 'in.bin'},addr={self._image.base:#x},force-raw=on",
        ]
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
        self._calls.append(_CASE.pack(self._image.kernels.index(code.kernel), *arguments))

    def _place(self, before: bytes, after: bytes, care: bytes | None = None) -> int:
        """Append bytes behind a guard, at a multiple of 4 that is no multiple of 8."""
        gap = (4 - len(self._before) - len(_GUARD)) % 8
        guard = _GUARD + _GUARD[:gap]
        care = bytes([_FIXED]) * len(before) if care is None else care
        address = self._image.base + self._offset + len(self._before) + len(guard)
        self._before += guard + before
        self._after += guard + after
        self._care += bytes([_FIXED]) * len(guard) + care
        return address

    def _random(self, count: int) -> bytes:
        return self._noise.integers(0, 256, count, np.uint8).tobytes()


def code_of(builder: GraphBuilder, kernel: str) -> NodeCode:
    """Return what is emitted for a builder's last node where `kernel` may serve it."""
    graph = builder.graph(builder.nodes[-1].y)
    last = len(graph.nodes) - 1
    code = emit_node(Context(graph, last, features_of(kernel)), graph.nodes[last])
    assert code is not None
    return code


def batch(
    image: Image, kernels: Iterable[str], roundings: Iterable[Rounding], seeds: range
) -> Batch:
    """Return all cases that the kernels serve, apart and, where that is allowed, overlapped."""
    filled, served = Batch(image), 0
    for kernel in kernels:
        for rounding in roundings:
            for seed in seeds:
                builder = build(kernel, rounding, seed)
                code = code_of(builder, kernel)
                if code.kernel != kernel:
                    continue
                served += 1
                inputs = [builder.values[name][0].ravel() for name in code.inputs]
                y = builder.values[code.output][0].ravel()
                filled.add(code, inputs, y)
                if code.overlap is not None:
                    filled.add_overlapped(code, inputs[0], y, code.overlap.behind_bytes)
    assert served >= len(seeds) // 5
    return filled
