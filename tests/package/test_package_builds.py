"""The sources compile from inside each layout, and are the kernels that edgekit proves."""

from __future__ import annotations

import re
import shutil

import pytest
from made_packages import (
    CPU_PARAMETERS,
    FORMS,
    STRICT,
    WARNINGS,
    call,
    graph_of,
    includes,
    made,
    sources,
    written,
)

from edgekit.ir.types import Rounding
from edgekit.target.mcu import compilers
from edgekit.target.mcu.package.machines import MACHINES
from edgekit.target.mcu.plan import kernel_files, roundings_of

CROSS = {cpu: (m.compiler, *m.cpu_flags.split(), "-ffreestanding") for cpu, m in MACHINES.items()}
HEADER = '#include "kws.h"\nint main() { kws_input()[0] = 1; kws_run(); return kws_output()[0]; }\n'


def compile_all(directory, out, *argv):
    out.mkdir()
    call(*argv, *includes(directory), "-c", *sources(directory), cwd=out)
    return sorted(out.glob("*.o"))


@pytest.fixture(scope="module", params=FORMS)
def layout(request, tmp_path_factory):
    return written(made(request.param), tmp_path_factory.mktemp("layout") / "kws")


@pytest.mark.cc
def test_natively(layout, tmp_path):
    compile_all(layout, tmp_path / "o", "cc", *STRICT)


@pytest.mark.clang
def test_by_clang(tmp_path):
    directory = written(made("cmake"), tmp_path / "kws")
    compile_all(directory, tmp_path / "o", "clang", *STRICT)


@pytest.mark.gcc
def test_by_arm_gcc(layout, tmp_path):
    compile_all(layout, tmp_path / "o", *CROSS["cortex-m4f"], *STRICT)


@pytest.mark.parametrize("cpu", CPU_PARAMETERS)
def test_for_every_cpu(tmp_path, cpu):
    """Without a warning, and with no name that is not the package's own."""
    directory = written(made("arduino", cpu=cpu), tmp_path / "kws")
    objects = compile_all(directory, tmp_path / "o", *CROSS[cpu], *STRICT)
    table = call(CROSS[cpu][0].replace("gcc", "nm"), "-g", *objects)
    symbols = re.findall(r"^[0-9a-f ]+ ([A-Z]) (\S+)$", table, re.MULTILINE)
    defined = {name for kind, name in symbols if kind != "U"}
    assert {"kws_run", "kws_input", "kws_output"} <= defined
    assert {name for name in defined if not name.startswith("kws_")} == set()
    wanted = {name for kind, name in symbols if kind == "U"} - defined
    # What a compiler may put in for a copy, or for 64 bits on a core of 32.
    helpers = ("memcpy", "memset", "__aeabi_", "__gnu_", "__mul", "__lsh", "__ash")
    assert {name for name in wanted if not name.startswith(helpers)} == set()


@pytest.mark.gcc
def test_weights_have_sections_of_their_own(tmp_path):
    """Linker scripts place them by these names."""
    package = made("cmake")
    directory = written(package, tmp_path / "kws")
    argv = (*CROSS["cortex-m4f"], "-fdata-sections", *includes(directory), "-c")
    call(*argv, directory / "src" / "kws_data.c", directory / "src" / "kws.c", cwd=tmp_path)
    table = call("arm-none-eabi-objdump", "-h", tmp_path / "kws_data.o", tmp_path / "kws.o")
    sizes = re.findall(r" \.rodata\.kws_w_\d+ +([0-9a-f]{8})", table)
    assert sum(int(size, 16) for size in sizes) == package.library.weights_bytes
    assert " .bss.kws_arena " in table


@pytest.mark.gcc
@pytest.mark.parametrize("cpu", ["cortex-m4f", "cortex-m55"])
@pytest.mark.parametrize("level", ["-O0", "-Og", "-Os", "-O3", "-O2 -flto"])
def test_at_every_level_without_our_flags(tmp_path, level, cpu):
    """Arduino and Zephyr build for size, debuggers build with -O0 and -Og."""
    directory = written(made("arduino", cpu=cpu), tmp_path / "kws")
    compile_all(directory, tmp_path / "o", *CROSS[cpu], "-std=gnu17", *level.split())


@pytest.mark.gcc
def test_a_float_product_is_not_fused_without_our_flags(tmp_path):
    """GCC contracts a product and a sum to one rounding, where two are meant, unless told not to.

    Requantize holds no multiply-add of its own.
    """
    package = made("arduino", cpu="cortex-m0plus", graph=graph_of(Rounding.FLOAT32_RNE))
    directory = written(package, tmp_path / "kws")
    kernel = directory / "src" / "kws_ek_requantize_s8.c"
    assert "ROUNDINGS 128U" in kernel.read_text() or "ROUNDINGS 64U" in kernel.read_text()
    argv = (*CROSS["cortex-m4f"], "-O2", "-ffp-contract=fast", "-c", kernel, "-o", tmp_path / "k.o")
    call(*argv)
    code = call("arm-none-eabi-objdump", "-d", tmp_path / "k.o")
    assert "vmul.f32" in code
    assert "vfma" not in code


@pytest.mark.gcc
def test_kernels_are_those_of_the_firmware(tmp_path, root):
    """Renamed, with their roundings inside: instruction by instruction the ones that are proven."""
    package = made("cmake")
    program = package.library.program
    directory = written(package, tmp_path / "kws")
    start = compilers._COMPILERS["gcc", "cortex-m4f"].start
    flags = (*start, *compilers._COMMON, *compilers._GCC_KERNELS)
    for path in kernel_files(program):
        define = f"-DEK_ROUNDINGS={roundings_of(program)[path.stem]}U"
        include = f"-I{root / 'firmware' / 'include'}"
        call(*flags, define, include, "-c", path, "-o", tmp_path / "theirs.o")
        copy = directory / "src" / f"kws_{path.name}"
        call(*flags, *includes(directory), "-c", copy, "-o", tmp_path / "ours.o")
        assert machine_code(tmp_path / "ours.o") == machine_code(tmp_path / "theirs.o"), path.name


def machine_code(path):
    rows = call("arm-none-eabi-objdump", "-d", path).splitlines()
    return [row.split("\t")[1:3] for row in rows if "\t" in row]


@pytest.mark.cc
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_the_header_is_cpp_too(tmp_path, compiler):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    directory = written(made("cmake"), tmp_path / "kws")
    (tmp_path / "main.cpp").write_text(HEADER)
    warnings = [w for w in WARNINGS if w != "-Wstrict-prototypes"]
    objects = compile_all(directory, tmp_path / "o", "cc", *STRICT)
    argv = (compiler, *warnings, *includes(directory), tmp_path / "main.cpp", *objects)
    call(*argv, "-o", tmp_path / "app")


@pytest.mark.cc
def test_eight_bit_cores_are_refused(tmp_path):
    directory = written(made("arduino"), tmp_path / "kws")
    text = (directory / "src" / "kws_edgekit.h").read_text()
    assert "sizeof(int) >= 4" in text
    (directory / "src" / "kws_edgekit.h").write_text(text.replace("sizeof(int)", "sizeof(short)"))
    with pytest.raises(AssertionError, match="kws_ek_int_has_32_bits"):
        compile_all(directory, tmp_path / "o", "cc", *STRICT)


@pytest.mark.clang_format
def test_templates_are_formatted(root):
    templates = sorted((root / "firmware" / "package").rglob("*.c"))
    assert len(templates) >= 4
    style = f"-style=file:{root / 'firmware' / '.clang-format'}"
    call("clang-format", style, "--dry-run", "-Werror", *templates)
