"""Firmware of every Cortex-M chip, built by both compilers at every operating point."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest
from elftools.elf.elffile import ELFFile
from link_host import FIRMWARE, HERE

from edgekit.board import Cpu
from edgekit.build import tools
from edgekit.build.plan import Toolchain
from edgekit.target.mcu import compilers

pytestmark = pytest.mark.strict

PORTS = FIRMWARE / "port"


@dataclass(frozen=True)
class Chip:
    """Core of a port, and where its image has to be."""

    cpu: Cpu
    stack: int
    store_end: int
    store_bytes: int
    base: int = 0x0800_0000
    shared: tuple[str, ...] = ("cortex_m", "stm32")


CHIPS = {
    "nrf52840": Chip(
        "cortex-m4f",
        stack=0x2000_0000,
        store_end=0x2004_0000,
        store_bytes=192 * 1024,
        base=0,
        shared=("cortex_m",),
    ),
    "rp2040": Chip(
        "cortex-m0plus",
        stack=0x2000_0000,
        store_end=0x2004_2000,
        store_bytes=192 * 1024,
        base=0x1000_0100,
        shared=("cortex_m",),
    ),
    "stm32l4r5": Chip(
        "cortex-m4f",
        stack=0x2000_0000,
        store_end=0x200A_0000,
        store_bytes=512 * 1024,
    ),
    "stm32u575": Chip(
        "cortex-m33",
        stack=0x2000_0000,
        store_end=0x200C_0000,
        store_bytes=640 * 1024,
    ),
    "stm32h7a3": Chip(
        "cortex-m7",
        stack=0x2000_0000,
        store_end=0x2002_0000,
        store_bytes=96 * 1024,
    ),
}
CLOCKS_MHZ = {
    "nrf52840": (64,),
    "rp2040": (125, 48),
    "stm32l4r5": (120, 48, 24),
    "stm32u575": (160, 48, 24),
    "stm32h7a3": (280, 64),
}
VARIANTS = {
    "trace": ["-DMODEL_TRACE=1"],
    "energy": ["-DEK_EE_ENERGY=1", "-DEK_LINK_BAUD=9600u", "-DEK_EE_INPUT_U8=1"],
}


def _clock(mhz: int) -> str:
    return f"-DEK_CLOCK_HZ={mhz * 1_000_000}U"


POINTS = [(port, _clock(mhz)) for port, clocks in CLOCKS_MHZ.items() for mhz in clocks]


def _build(folder: Path, compiler: Toolchain, port: str, flags: list[str]) -> ELFFile:
    chip = CHIPS[port]
    parts = [PORTS / port, *(PORTS / name for name in chip.shared)]
    folders = [str(p) for p in (HERE, FIRMWARE / "include", FIRMWARE / "link", *parts)]
    (folder / "model").mkdir()
    sources = [source for part in (*parts, FIRMWARE / "link") for source in part.glob("*.c")]
    objects = []
    for source in (*sources, HERE / "model.c"):
        out = folder / ("model" if source.name == "model.c" else ".") / f"{source.stem}.o"
        given = compilers.compile_command(
            compiler, chip.cpu, PurePosixPath(source), include=folders, defines=(), kernel=False
        ).argv
        stack = ["-Wstack-usage=512"] if compiler == "gcc" else []
        argv = [*given[: given.index("-o")], *flags, *stack, "-o", str(out)]
        _run([*tools.require(argv[0]), *argv[1:]], folder)
        objects.append(out)
    elf = folder / "firmware.elf"
    for script in (PORTS / "sections.ld", PORTS / "weights.ld", PORTS / port / "linker.ld"):
        shutil.copy(script, folder)
    link = compilers.link_command(compiler, chip.cpu, (), elf.name).argv
    at = link.index("linker.ld") + 1
    argv = [*link[:at], *(str(o) for o in objects), *link[at:]]
    _run([*tools.require(argv[0]), *argv[1:]], folder)
    return ELFFile.load_from_path(str(elf))


def _run(argv: list[str], folder: Path) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr


def _check(elf: ELFFile, chip: Chip) -> None:
    symbols = {s.name: s["st_value"] for s in elf.get_section_by_name(".symtab").iter_symbols()}
    assert elf["e_entry"] == symbols["Reset_Handler"]
    vectors = elf.get_section_by_name(".vectors")
    assert vectors["sh_addr"] == chip.base
    first = [int.from_bytes(vectors.data()[i : i + 4], "little") for i in (0, 4)]
    assert first == [symbols["ek_stack_top"], symbols["Reset_Handler"]]
    assert symbols["ek_stack_bottom"] == chip.stack
    assert symbols["ek_store_end"] == chip.store_end
    assert symbols["ek_store_end"] - symbols["ek_store_start"] >= chip.store_bytes
    text = elf.get_section_by_name(".model_text")
    assert text["sh_addr"] <= symbols["model_run"] < text["sh_addr"] + text["sh_size"]
    link = elf.get_section_by_name(".text")
    assert link["sh_addr"] <= symbols["ek_app_main"] < link["sh_addr"] + link["sh_size"]
    assert link["sh_size"] < 24_000
    elf.close()


@pytest.mark.gcc
def test_the_boot_rom_of_the_rp2040_accepts_the_second_stage(tmp_path: Path) -> None:
    elf = _build(tmp_path, "gcc", "rp2040", [_clock(125)])
    boot = elf.get_section_by_name(".boot")
    assert (boot["sh_addr"], boot["sh_size"]) == (0x1000_0000, 256)
    crc = 0xFFFF_FFFF
    for byte in boot.data()[:252]:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C1_1DB7 if crc >> 31 else 0)) & 0xFFFF_FFFF
    assert int.from_bytes(boot.data()[252:], "little") == crc
    elf.close()


@pytest.mark.gcc
@pytest.mark.parametrize(("port", "clock"), POINTS)
def test_gcc(tmp_path: Path, port: str, clock: str) -> None:
    _check(_build(tmp_path, "gcc", port, [clock]), CHIPS[port])


@pytest.mark.gcc
@pytest.mark.parametrize("variant", VARIANTS)
def test_variants(tmp_path: Path, variant: str) -> None:
    _check(_build(tmp_path, "gcc", "stm32l4r5", VARIANTS[variant]), CHIPS["stm32l4r5"])


@pytest.mark.zig
@pytest.mark.parametrize("port", CHIPS)
def test_zig(tmp_path: Path, port: str) -> None:
    _check(_build(tmp_path, "zig", port, [_clock(CLOCKS_MHZ[port][0])]), CHIPS[port])


@pytest.mark.gcc
@pytest.mark.parametrize("port", CHIPS)
def test_a_clock_without_a_row_is_refused(tmp_path: Path, port: str) -> None:
    with pytest.raises(AssertionError, match="EK_CLOCK_HZ has no row"):
        _build(tmp_path, "gcc", port, [_clock(80)])
