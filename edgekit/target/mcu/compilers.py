"""Command lines of the two compilers. Paths are relative to the build directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from edgekit.board import Cpu
from edgekit.build.plan import Command, Toolchain

_COMMON = (
    "-std=c99",
    "-ffreestanding",
    "-O2",
    "-ffunction-sections",
    "-fdata-sections",
    # Two roundings must stay two: float32_rne multiplies, then adds.
    "-ffp-contract=off",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Wshadow",
    "-Wstrict-prototypes",
    "-Wundef",
    "-Wvla",
    "-Werror",
)
_LINK = ("-nostdlib", "-Wl,--gc-sections", "-T", "linker.ld")


@dataclass(frozen=True, slots=True)
class _Compiler:
    start: tuple[str, ...]  # tool and target
    extra: tuple[str, ...]  # what only this compiler takes
    kernels: tuple[str, ...]  # likewise, for generated code and kernels
    link: tuple[str, ...]  # after the objects


_COMPILERS: dict[tuple[Toolchain, Cpu], _Compiler] = {
    ("gcc", "cortex-m4f"): _Compiler(
        start=(
            "arm-none-eabi-gcc",
            "-mcpu=cortex-m4",
            "-mthumb",
            "-mfloat-abi=hard",
            "-mfpu=fpv4-sp-d16",
        ),
        extra=(),
        # Coalescing variables costs the inner loops moves: 11 % of a keyword spotter's run.
        kernels=("-Wstack-usage=512", "-fno-tree-coalesce-vars"),
        link=("-lgcc",),
    ),
    ("zig", "cortex-m4f"): _Compiler(
        start=("zig", "cc", "-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4"),
        # zig adds traps for undefined behaviour and a stack protector unless told otherwise.
        extra=("-fno-sanitize=undefined", "-fno-stack-protector"),
        kernels=(),
        link=(),
    ),
}


def compile_command(
    toolchain: Toolchain,
    cpu: Cpu,
    source: PurePosixPath,
    *,
    include: Sequence[str],
    defines: Sequence[str],
    kernel: bool,
) -> Command:
    """Return the command that compiles `source` to `obj/<source>.o`.

    `kernel`: the source is generated code or a kernel, not firmware around it.
    """
    compiler = _COMPILERS[toolchain, cpu]
    argv = (
        *compiler.start,
        *_COMMON,
        *compiler.extra,
        *(compiler.kernels if kernel else ()),
        *(f"-I{directory}" for directory in include),
        *(f"-D{define}" for define in defines),
        "-c",
        str(source),
        "-o",
        object_of(source),
    )
    return Command(argv, log=str(source).replace("/", "_"))


def link_command(
    toolchain: Toolchain, cpu: Cpu, sources: Sequence[PurePosixPath], output: str
) -> Command:
    """Return the command that links all objects by `linker.ld`."""
    compiler = _COMPILERS[toolchain, cpu]
    objects = tuple(object_of(source) for source in sources)
    argv = (*compiler.start, *_LINK, *objects, *compiler.link, "-o", output)
    return Command(argv, log="link")


def object_of(source: PurePosixPath) -> str:
    """Return the path of the object made from `source`."""
    return f"obj/{source}.o"
