"""The front end in C: on this machine, and on an emulated Cortex-M4F that counts instructions."""

from __future__ import annotations

import ctypes
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from edgekit.audio.tables import WORD_8K, WORD_16K, Mfcc
from edgekit.board import Cpu
from edgekit.build import tools
from edgekit.target.mcu import compilers
from edgekit.virtual.machines import ICOUNT_SHIFT, MACHINES

HERE = Path(__file__).resolve().parent
FRONTEND = HERE.parents[1] / "firmware" / "frontend"
BARE_METAL = HERE.parent / "kernels"
STRICT = (
    *("-std=c99", "-ffreestanding", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion"),
    *("-Wshadow", "-Wstrict-prototypes", "-Wundef", "-Wvla", "-Werror"),
)
STANDARD = {"ek_mfcc_8k": WORD_8K, "ek_mfcc_16k": WORD_16K}
_BASE = 0x2010_0000  # of what the loader brings: one megabyte into RAM
_CORE_HZ = 25_000_000  # of the machine's SysTick


class HostLibrary:
    """ek_mfcc.c and tables, compiled for this machine."""

    def __init__(self, directory: Path, sources: list[Path], *flags: str) -> None:
        path = directory / "libmfcc.so"
        argv = ["cc", *STRICT, *flags, f"-I{FRONTEND}", "-fPIC", "-shared", "-o", str(path)]
        subprocess.run([*argv, *map(str, sources)], check=True)
        self._library = ctypes.CDLL(str(path))

    def features(self, name: str, settings: Mfcc, samples: NDArray[np.int16]) -> NDArray[np.int8]:
        """Return what `ek_mfcc` gives, (frames, coefficients); memory behind it is checked."""
        size, room = settings.frames * settings.coefficients, settings.window + settings.mels
        found = np.full(size + 16, 0x5A, np.int8)
        scratch = np.full(room + 4, 0x5A5A5A5A, np.int32)
        params = ctypes.byref(ctypes.c_char.in_dll(self._library, name))
        given = np.ascontiguousarray(samples)
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (scratch, given, found)]
        self._library.ek_mfcc(params, *pointers)
        assert (found[size:] == 0x5A).all()
        assert (scratch[room:] == 0x5A5A5A5A).all()
        return found[:size].reshape(settings.frames, settings.coefficients)


@dataclass(frozen=True, slots=True)
class BoardRun:
    """What the emulated core gave."""

    features: NDArray[np.int8]  # (clips, frames, coefficients)
    instructions: NDArray[np.int64]  # per clip


def run_on_m4f(directory: Path, name: str, clips: NDArray[np.int16]) -> BoardRun:
    """Return features and instruction counts of clips, (n, samples), on QEMU's Cortex-M4F."""
    settings = STANDARD[name]
    sources = [HERE / "mfcc_runner.c", FRONTEND / "ek_mfcc.c", FRONTEND / f"{name}.c"]
    objects = [compiled(directory, source, name) for source in sources]
    ticks, features = _emulated(directory, objects, clips)
    nanoseconds = ticks.astype(np.float64) / _CORE_HZ * 1e9
    return BoardRun(
        features.reshape(len(clips), settings.frames, settings.coefficients),
        np.rint(nanoseconds / 2**ICOUNT_SHIFT).astype(np.int64),
    )


def digits_on_m4f(
    directory: Path, package: Path, example: Path, clips: NDArray[np.int16]
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Return what `example`, linked with a package, makes of clips: digits and (n, 10) scores."""
    sources = [HERE / "digit_runner.c", example, FRONTEND / "ek_mfcc.c"]
    sources += [FRONTEND / "ek_mfcc_8k.c", *sorted((package / "src").glob("*.c"))]
    include = (package / "include", package / "src")
    objects = [compiled(directory, source, "ek_mfcc_8k", include=include) for source in sources]
    digits, scores = _emulated(directory, objects, clips)
    return digits.astype(np.int64), scores.reshape(len(clips), 10)


def _emulated(
    directory: Path, objects: list[str], clips: NDArray[np.int16]
) -> tuple[NDArray[np.uint32], NDArray[np.int8]]:
    """Link and run a runner; return its number for each clip, and the bytes that follow them."""
    memory = FRONTEND.parent / "link" / "ek_mem.c"  # what compilers call on their own
    objects = [*objects, compiled(directory, memory, "unused")]
    elf = directory / "runner.elf"
    command = compilers.link_command("gcc", "cortex-m4f", (), str(elf))
    argv = [str(HERE / "mfcc_runner.ld") if w == "linker.ld" else w for w in command.argv]
    at = argv.index("-lgcc")
    subprocess.run([*tools.require(argv[0]), *argv[1:at], *objects, *argv[at:]], check=True)
    head = np.array([len(clips), *[0] * len(clips)], "<u4").tobytes()
    (directory / "in.bin").write_bytes(head + clips.astype("<i2").tobytes())
    machine = MACHINES["mps2_an386"]
    argv = [*tools.require(machine.tool), *machine.arguments, "-display", "none"]
    argv += ["-monitor", "none", "-serial", "none", "-kernel", str(elf)]
    argv += ["-icount", f"shift={ICOUNT_SHIFT},align=off,sleep=off"]
    argv += ["-semihosting-config", "enable=on,target=native"]
    argv += ["-device", f"loader,file={directory / 'in.bin'},addr={_BASE:#x},force-raw=on"]
    subprocess.run(argv, cwd=directory, check=True, timeout=120, stdin=subprocess.DEVNULL)
    out = (directory / "out.bin").read_bytes()
    size = 4 * len(clips)
    return np.frombuffer(out[:size], "<u4"), np.frombuffer(out[size:], np.int8)


def compiled(
    directory: Path,
    source: Path,
    name: str,
    cpu: Cpu = "cortex-m4f",
    include: tuple[Path, ...] = (),
) -> str:
    """Compile as a kernel of a build for `cpu` would be; return the object."""
    kernel = source.parent != HERE
    command = compilers.compile_command(
        "gcc",
        cpu,
        PurePosixPath(source),
        include=[str(FRONTEND), str(BARE_METAL), *map(str, include)],
        defines=[f"PARAMS={name}", f"BASE={_BASE:#x}u"],
        kernel=kernel,
    )
    target = directory / f"{source.stem}.o"
    # The runners have addresses as numbers.
    quiet = () if kernel else ("-w",)
    argv = [*tools.require(command.argv[0]), *command.argv[1:-1], str(target), *quiet]
    subprocess.run(argv, check=True)
    return str(target)
