"""The STM32L4R5 port and the application, built by both compilers at every operating point."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from link_host import FIRMWARE, HERE, STRICT

from edgekit.build import tools

PORT = FIRMWARE / "port" / "stm32l4r5"
COMMON = [*STRICT, "-ffreestanding", "-O2", "-ffunction-sections", "-fdata-sections"]
COMPILERS = {
    "gcc": (
        "arm-none-eabi-gcc",
        ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-nostdlib"],
    ),
    "zig": ("zig", ["cc", "-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4", "-nostdlib"]),
}
VARIANTS = {
    "120 MHz": ["-DEK_CLOCK_HZ=120000000U"],
    "48 MHz": ["-DEK_CLOCK_HZ=48000000U"],
    "24 MHz": ["-DEK_CLOCK_HZ=24000000U"],
    "trace": ["-DMODEL_TRACE=1"],
    "energy": ["-DEK_EE_ENERGY=1", "-DEK_LINK_BAUD=9600u", "-DEK_EE_INPUT_U8=1"],
}


def _build(folder: Path, compiler: str, flags: list[str]) -> ELFFile:
    tool, options = COMPILERS[compiler]
    folders = [f"-I{p}" for p in (HERE, FIRMWARE / "include", FIRMWARE / "link", PORT)]
    (folder / "model").mkdir()
    objects = []
    sources = [*(FIRMWARE / "link").glob("*.c"), *PORT.glob("*.c"), HERE / "model.c"]
    for source in sources:
        out = folder / ("model" if source.name == "model.c" else ".") / f"{source.stem}.o"
        argv = [*tools.require(tool), *options, *COMMON, *flags, *folders]
        if compiler == "gcc":
            argv.append("-Wstack-usage=512")
        _run([*argv, "-c", str(source), "-o", str(out)])
        objects.append(str(out))
    elf = folder / "firmware.elf"
    script = [f"-Wl,-T,{PORT / 'linker.ld'}", "-Wl,--gc-sections"]
    _run([*tools.require(tool), *options, *script, *objects, "-o", str(elf)])
    return ELFFile.load_from_path(str(elf))


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr


def _check(elf: ELFFile) -> None:
    symbols = {s.name: s["st_value"] for s in elf.get_section_by_name(".symtab").iter_symbols()}
    assert elf["e_entry"] == symbols["Reset_Handler"]
    vectors = elf.get_section_by_name(".vectors")
    assert vectors["sh_addr"] == 0x08000000
    first = [int.from_bytes(vectors.data()[i : i + 4], "little") for i in (0, 4)]
    assert first == [symbols["ek_stack_top"], symbols["Reset_Handler"]]
    assert symbols["ek_stack_bottom"] == 0x20000000
    assert symbols["ek_store_end"] == 0x200A0000
    assert symbols["ek_store_end"] - symbols["ek_store_start"] >= 512 * 1024
    text = elf.get_section_by_name(".model_text")
    assert text["sh_addr"] <= symbols["model_run"] < text["sh_addr"] + text["sh_size"]
    link = elf.get_section_by_name(".text")
    assert link["sh_addr"] <= symbols["ek_app_main"] < link["sh_addr"] + link["sh_size"]
    assert link["sh_size"] < 24_000
    elf.close()


@pytest.mark.gcc
@pytest.mark.parametrize("variant", VARIANTS)
def test_gcc(tmp_path: Path, variant: str) -> None:
    _check(_build(tmp_path, "gcc", VARIANTS[variant]))


@pytest.mark.zig
@pytest.mark.parametrize("variant", ["120 MHz", "24 MHz"])
def test_zig(tmp_path: Path, variant: str) -> None:
    _check(_build(tmp_path, "zig", VARIANTS[variant]))


@pytest.mark.gcc
def test_a_clock_without_a_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="EK_CLOCK_HZ has no row"):
        _build(tmp_path, "gcc", ["-DEK_CLOCK_HZ=80000000U"])
