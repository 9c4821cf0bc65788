"""Kernels compile without a warning everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import get_args

import pytest
from kernel_driver import FIRMWARE, STRICT, host_library

from edgekit.board import Cpu
from edgekit.build import tools
from edgekit.target.mcu import compilers

pytestmark = pytest.mark.strict

SOURCES = sorted((FIRMWARE / "kernels").glob("*.c"))
ARM = ("-mcpu=cortex-m4", "-mthumb")
HARD = ("-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")


def compile_all(compiler: list[str], *flags: str) -> None:
    include = f"-I{FIRMWARE / 'include'}"
    for source in SOURCES:
        argv = [*compiler, *STRICT, *flags, include, "-c", str(source), "-o", os.devnull]
        done = subprocess.run(argv, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "level", ["-O0", "-O2", *(pytest.param(v, marks=pytest.mark.nightly) for v in ("-O3", "-Os"))]
)
@pytest.mark.gcc
def test_arm_gcc(level):
    for fpu in (HARD, ("-mfloat-abi=soft",)):
        stack = () if level == "-O0" else ("-Wstack-usage=512",)
        compile_all(["arm-none-eabi-gcc"], *ARM, *fpu, level, *stack)


def compile_for(chain: str, cpu: str, tmp_path: Path) -> None:
    """Compile every kernel as a build for `cpu` would."""
    for source in SOURCES:
        command = compilers.compile_command(
            chain,
            cpu,
            PurePosixPath(source.relative_to(FIRMWARE.parent)),
            include=["firmware/include"],
            defines=("EK_ROUNDINGS=255U",),
            kernel=True,
        )
        argv = [*tools.require(command.argv[0]), *command.argv[1:]]
        argv[argv.index("-o") + 1] = str(tmp_path / "out.o")
        done = subprocess.run(argv, capture_output=True, text=True, cwd=FIRMWARE.parent)
        assert done.returncode == 0, done.stderr


@pytest.mark.gcc
@pytest.mark.parametrize("cpu", [cpu for cpu in get_args(Cpu) if cpu.startswith("cortex")])
def test_gcc_for_every_cortex(cpu, tmp_path):
    compile_for("gcc", cpu, tmp_path)


@pytest.mark.riscv
def test_gcc_for_riscv(tmp_path):
    compile_for("gcc", "rv32imc", tmp_path)


@pytest.mark.zig
@pytest.mark.nightly
@pytest.mark.parametrize("cpu", get_args(Cpu))
def test_zig_for_every_cpu(cpu, tmp_path):
    compile_for("zig", cpu, tmp_path)


@pytest.mark.gcc
@pytest.mark.parametrize("mask", range(8))
def test_arm_gcc_with_one_rounding(mask):
    flags = (*ARM, *HARD, "-O2", f"-DEK_ROUNDINGS={1 << mask}U", "-Wstack-usage=512")
    compile_all(["arm-none-eabi-gcc"], *flags)


@pytest.mark.cc
@pytest.mark.parametrize("flag", ["-DEK_FLOAT32=0", "-DEK_FLOAT32=1"])
def test_host_gcc(flag):
    compile_all(["gcc"], "-O2", flag)


@pytest.mark.clang
@pytest.mark.parametrize("flag", ["-DEK_FLOAT32=0", "-DEK_FLOAT32=1"])
def test_host_clang(flag):
    compile_all(["clang"], "-O2", flag)


@pytest.mark.zig
def test_zig(tmp_path):
    include = f"-I{FIRMWARE / 'include'}"
    target = ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4")
    for source in SOURCES:
        argv = [sys.executable, "-m", "ziglang", "cc", *target, *STRICT, "-O2", include]
        argv += ["-c", str(source), "-o", str(tmp_path / "out.o")]
        done = subprocess.run(argv, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.clang_format
def test_format():
    headers = sorted((FIRMWARE / "include").glob("*.h"))
    argv = ["clang-format", "--dry-run", "-Werror", *map(str, SOURCES + headers)]
    assert subprocess.run(argv, capture_output=True).returncode == 0


def test_library_builds_without_optimization(tmp_path):
    assert host_library(tmp_path, flags=("-O0",)).is_file()
