"""Command lines of the two compilers. Paths are relative to the build directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from edgekit.board import Cpu
from edgekit.build import tools
from edgekit.build.plan import Command, Toolchain
from edgekit.errors import ToolError

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


# Coalescing variables costs the inner loops moves: 11 % of a keyword spotter's run.
_GCC_KERNELS = ("-Wstack-usage=512", "-fno-tree-coalesce-vars")
# zig adds traps for undefined behaviour and a stack protector unless told otherwise.
_ZIG_EXTRA = ("-fno-sanitize=undefined", "-fno-stack-protector")


def _gcc(tool: str, *target: str, link: tuple[str, ...] = ()) -> _Compiler:
    return _Compiler((tool, *target), extra=(), kernels=_GCC_KERNELS, link=(*link, "-lgcc"))


def _arm_gcc(cpu: str, *fpu: str) -> _Compiler:
    return _gcc("arm-none-eabi-gcc", f"-mcpu={cpu}", "-mthumb", *fpu)


def _zig(target: str, cpu: str, *more: str) -> _Compiler:
    start = ("zig", "cc", "-target", target, f"-mcpu={cpu}", *more)
    # What small cores have no instruction for: products and quotients of 64 bits.
    link = ("-lcompiler_rt",) if cpu in ("cortex_m0plus", "generic_rv32+m+c") else ()
    return _Compiler(start, extra=_ZIG_EXTRA, kernels=(), link=link)


_COMPILERS: dict[tuple[Toolchain, Cpu], _Compiler] = {
    ("gcc", "cortex-m0plus"): _arm_gcc("cortex-m0plus", "-mfloat-abi=soft"),
    ("gcc", "cortex-m4f"): _arm_gcc("cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
    ("gcc", "cortex-m33"): _arm_gcc("cortex-m33", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"),
    ("gcc", "cortex-m7"): _arm_gcc("cortex-m7", "-mfloat-abi=hard", "-mfpu=fpv5-d16"),
    ("gcc", "cortex-m55"): _arm_gcc("cortex-m55", "-mfloat-abi=hard", "-mfpu=auto"),
    ("gcc", "rv32imc"): _gcc(
        *("riscv64-unknown-elf-gcc", "-march=rv32imc_zicsr", "-mabi=ilp32"),
        "-msmall-data-limit=0",
        # For the other name GCC 12 links the libgcc of rv64.
        link=("-march=rv32imc",),
    ),
    ("zig", "cortex-m0plus"): _zig("thumb-freestanding-eabi", "cortex_m0plus"),
    ("zig", "cortex-m4f"): _zig("thumb-freestanding-eabihf", "cortex_m4"),
    ("zig", "cortex-m33"): _zig("thumb-freestanding-eabihf", "cortex_m33"),
    ("zig", "cortex-m7"): _zig("thumb-freestanding-eabihf", "cortex_m7"),
    ("zig", "cortex-m55"): _zig("thumb-freestanding-eabihf", "cortex_m55+mve_fp"),
    ("zig", "rv32imc"): _zig("riscv32-freestanding-none", "generic_rv32+m+c", "-mabi=ilp32"),
}


def toolchain(wanted: Toolchain | None, cpu: Cpu) -> Toolchain:
    """Return `wanted`, or the best compiler for `cpu` that is installed; ToolError without one."""
    if wanted is not None:
        tools.require(compiler(wanted, cpu))
        return wanted
    chains: tuple[Toolchain, ...] = ("gcc", "zig")
    for chain in chains:
        if tools.find(compiler(chain, cpu)) is not None:
            return chain
    gcc, zig = tools.tool(compiler("gcc", cpu)), tools.tool("zig")
    raise ToolError(
        f"no C compiler for {cpu}: neither {gcc.name} nor the ziglang wheel is installed",
        hint=f"{gcc.install}, or {zig.install}",
    )


def compiler(chain: Toolchain, cpu: Cpu) -> str:
    """Return the name of the tool that `chain` uses for `cpu`."""
    return _COMPILERS[chain, cpu].start[0]


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
    found = _COMPILERS[toolchain, cpu]
    argv = (
        *found.start,
        *_COMMON,
        *found.extra,
        *(found.kernels if kernel else ()),
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
    found = _COMPILERS[toolchain, cpu]
    objects = tuple(object_of(source) for source in sources)
    argv = (*found.start, *_LINK, *objects, *found.link, "-o", output)
    return Command(argv, log="link")


def object_of(source: PurePosixPath) -> str:
    """Return the path of the object made from `source`."""
    return f"obj/{source}.o"
