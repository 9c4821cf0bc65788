"""Executing plans with stand-in compilers on PATH, and with the real ones where they are."""

from __future__ import annotations

import stat
from pathlib import Path, PurePosixPath

import pytest
from processes import ended

from edgekit.build import run, tools
from edgekit.build.plan import BuildPlan, Command
from edgekit.errors import ToolError

LINKER = b"""
MEMORY { FLASH (rx) : ORIGIN = 0x08000000, LENGTH = 64K
         RAM (rwx) : ORIGIN = 0x20000000, LENGTH = 16K }
ENTRY(start)
SECTIONS {
  .model_text : { *(.text .text.*) } > FLASH
  .model_tables : { *(.rodata .rodata.*) } > FLASH
  .data : { *(.data .data.*) } > RAM AT > FLASH
  .bss (NOLOAD) : { *(.bss .bss.*) *(COMMON) } > RAM
  /DISCARD/ : { *(.ARM.ex*) *(.comment) *(.ARM.attributes) }
}
"""
SOURCE = b"""
static int state[25] = {7};
int counter[10];
const int table[3] = {1, 2, 3};
int start(void) { counter[0] += table[counter[1]] + state[counter[2]]++; return counter[0]; }
"""


def plan_of(source: bytes, toolchain: str = "gcc") -> BuildPlan:
    prefix = ("arm-none-eabi-gcc",)
    cpu = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
    if toolchain == "zig":
        prefix, cpu = ("zig", "cc"), ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4")
    link = ("-nostdlib", "-Wl,-T,linker.ld", "-Wl,--build-id=none", "-o", "firmware.elf")
    return BuildPlan(
        name="small",
        board="nucleo-l4r5zi",
        toolchain=toolchain,  # type: ignore[arg-type]
        files={PurePosixPath("a.c"): source, PurePosixPath("linker.ld"): LINKER},
        commands=(
            Command((*prefix, *cpu, "-O1", "-c", "a.c", "-o", "obj/a.o"), "a"),
            Command((*prefix, *cpu, "obj/a.o", *link), "link"),
        ),
        products={"elf": PurePosixPath("firmware.elf")},
        facts={"arena_bytes": 12},
    )


@pytest.mark.parametrize(
    "chain",
    [pytest.param("gcc", marks=pytest.mark.gcc), pytest.param("zig", marks=pytest.mark.zig)],
)
def test_a_real_build_gives_elf_hex_bin_and_sizes(tmp_path: Path, chain: str) -> None:
    artifact = run.execute(plan_of(SOURCE, chain), tmp_path)
    image = artifact.products["bin"].read_bytes()
    assert artifact.sizes.flash_bytes == len(image) or artifact.sizes.flash_bytes < len(image)
    assert artifact.sizes.ram_bytes == 25 * 4 + 10 * 4
    assert artifact.sizes.tables_bytes == 12
    assert artifact.sizes.arena_bytes == 12
    assert decode_hex(artifact.products["hex"].read_text()) == {
        0x08000000 + i: byte for i, byte in enumerate(image)
    }


def decode_hex(text: str) -> dict[int, int]:
    """An Intel HEX reader of its own: address -> byte, every checksum verified."""
    memory: dict[int, int] = {}
    upper = 0
    for line in text.splitlines():
        row = bytes.fromhex(line.removeprefix(":"))
        assert sum(row) & 0xFF == 0
        count, address, kind, data = row[0], int.from_bytes(row[1:3], "big"), row[3], row[4:-1]
        assert len(data) == count
        if kind == 4:
            upper = int.from_bytes(data, "big") << 16
        elif kind == 0:
            assert address + count <= 0x10000
            memory.update({upper + address + i: byte for i, byte in enumerate(data)})
    assert text.endswith(":00000001FF\n")
    return memory


@pytest.mark.gcc
def test_a_finished_build_is_reused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run.execute(plan_of(SOURCE), tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))  # no compiler any more
    again = run.execute(plan_of(SOURCE), tmp_path)
    assert again == first or again.sizes == first.sizes
    with pytest.raises(ToolError, match="arm-none-eabi-gcc is not installed"):
        run.execute(plan_of(SOURCE + b"\n"), tmp_path)


def test_a_failing_compiler_shows_argv_last_lines_and_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, "arm-none-eabi-gcc", "echo 'a.c:1: error: no such thing' >&2; exit 3")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ToolError) as caught:
        run.execute(plan_of(SOURCE), tmp_path / "work")
    assert "arm-none-eabi-gcc ended with status 3" in caught.value.message
    assert "-mcpu=cortex-m4" in caught.value.message
    assert "a.c:1: error: no such thing" in caught.value.message
    log = Path(caught.value.hint.removeprefix("the whole log: "))
    assert log.read_text() == "a.c:1: error: no such thing\n"


def test_a_compiler_that_writes_nothing_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, "arm-none-eabi-gcc", "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ToolError, match="ended without"):
        run.execute(plan_of(SOURCE), tmp_path / "work")


def test_a_slow_compiler_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, "arm-none-eabi-gcc", f"sleep 600 & echo $! > {tmp_path}/child; wait")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(run, "_TIMEOUT_S", 0.5)
    with pytest.raises(ToolError, match="ran out of time"):
        run.execute(plan_of(SOURCE), tmp_path / "work")
    child = int((tmp_path / "child").read_text())
    assert ended(child)


def test_digest_depends_on_every_byte() -> None:
    a, b = plan_of(SOURCE), plan_of(SOURCE.replace(b"7", b"8"))
    assert a.digest() == plan_of(SOURCE).digest()
    assert a.digest() != b.digest()
    assert len(a.digest()) == 32


def test_every_tool_says_what_it_enables_and_how_to_install_it() -> None:
    for tool in tools.TOOLS:
        assert tool.enables
        assert tool.install


def fake(directory: Path, name: str, script: str) -> None:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
