"""What is in a package: files, names, bytes, texts."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_packages import CPUS, FORMS, call, dense_graph, graph_of, includes, made, written

from edgekit.errors import ConfigError
from edgekit.ir import edges
from edgekit.ir.types import Rounding
from edgekit.pipeline import package as packages
from edgekit.target.mcu.package import FORMATS, check_prefix

OWN = {
    "cmake": {"CMakeLists.txt", "examples/qemu/main.c", "examples/qemu/kws_example.h"},
    "zephyr": {"zephyr/module.yml", "zephyr/Kconfig", "zephyr/CMakeLists.txt"},
    "arduino": {"library.properties", "keywords.txt", "examples/kws/kws.ino", "src/kws.h"},
    "platformio": {"library.json", "examples/kws/src/main.c", "include/kws.h"},
    "cmsis-pack": {"edgekit.kws.pdsc", "edgekit.kws.0.1.0.pack", "example/main.c"},
}
SEEDED = """
import sys
sys.path[:0] = sys.argv[1:]
from made_packages import FORMS, made
print([made(form).digest() for form in FORMS])
"""


def texts(package):
    return {str(p): d.decode() for p, d in package.files.items() if p.suffix != ".pack"}


@pytest.mark.parametrize("form", FORMS)
def test_files(form):
    files = {str(path) for path in made(form).files}
    assert OWN[form] | {"README.md", "LICENSE", "src/kws.c", "src/kws_data.c"} <= files
    assert set(FORMATS) == set(FORMS)


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_left_to_fill_in(form):
    for path, text in texts(made(form)).items():
        assert not re.search(r"@\w+@", text), path
        assert text.endswith("\n"), path
        if path.endswith((".c", ".h", ".ino")):
            words = re.findall(r"\b(?:model|ek|MODEL|EK|EDGEKIT)_\w+|\bedgekit\.h", text)
            assert words == [], path


@pytest.mark.parametrize("form", FORMS)
def test_every_include_is_in_the_package(form):
    """Beside those of a freestanding C99 compiler, and of the framework in examples."""
    package = made(form)
    names = {path.name for path in package.files}
    for path, text in texts(package).items():
        if not path.endswith((".c", ".h", ".ino")):
            continue
        for name in re.findall(r'#\s*include ["<](\S+)[">]', text):
            free = {"stdint.h", "stddef.h", "arm_mve.h"}
            framework = {"stdio.h", "zephyr/sys/printk.h"} if "main.c" in path else set()
            assert name in names | free | framework, (path, name)


def test_same_bytes_whatever_the_hash_seed():
    digests = set()
    for seed in ("0", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        argv = [sys.executable, "-c", SEEDED, *sys.path]
        digests.add(subprocess.run(argv, env=environment, capture_output=True, check=True).stdout)
    assert digests == {f"{[made(form).digest() for form in FORMS]}\n".encode()}


def test_the_pack_holds_the_directory():
    package = made("cmsis-pack")
    (name,) = (path for path in package.files if path.suffix == ".pack")
    with zipfile.ZipFile(io.BytesIO(package.files[name])) as archive:
        assert {e.date_time for e in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {e.compress_type for e in archive.infolist()} == {zipfile.ZIP_STORED}
        held = {entry: archive.read(entry) for entry in archive.namelist()}
    assert held == {str(p): d for p, d in package.files.items() if p != name}


def test_licence_is_that_of_the_project(root):
    assert (root / "firmware" / "LICENSE").read_bytes() == (root / "LICENSE").read_bytes()


def test_only_used_kernels_are_there():
    package = made("cmake", cpu="cortex-m0plus", graph=dense_graph())
    names = {path.name for path in package.files if "src" in path.parts}
    kernels = {n for n in names if n.startswith("kws_ek_") and n.endswith(".c")}
    assert kernels == {"kws_ek_dense_s8.c"}


def test_roundings_stand_in_the_kernels():
    """Not every build system has definitions by file."""
    for rounding, mask in ((Rounding.DOUBLE, "2U"), (Rounding.SINGLE, "32U")):
        package = made("arduino", cpu="cortex-m0plus", graph=dense_graph(rounding))
        text = texts(package)["src/kws_ek_dense_s8.c"]
        assert f"#define KWS_EK_ROUNDINGS {mask}\n" in text.split("#include")[0]


@pytest.mark.parametrize("prefix", ["kws", "a", "wake_word_2", "x" * 32])
def test_good_prefixes(prefix):
    check_prefix(prefix)


@pytest.mark.parametrize(
    ("prefix", "why"),
    [
        *[(p, "not a lower-case C identifier") for p in ("", "Kws", "2d", "a-b", "ä", "a b")],
        *[(p, "not a lower-case C identifier") for p in ("_a", "a_", "a__b", "x" * 33, "a\n")],
        *[(p, "a keyword of C") for p in ("int", "register", "asm")],
        *[(p, "a keyword of C++") for p in ("class", "template")],
        *[(p, "the name of a system header") for p in ("string", "math", "arduino")],
        *[(p, "a name that build tools use") for p in ("test", "install", "main")],
    ],
)
def test_bad_prefixes(prefix, why):
    with pytest.raises(ConfigError, match=re.escape(why)) as raised:
        check_prefix(prefix)
    assert raised.value.hint


def test_the_example_can_tell_outputs_apart():
    """A constant answer would hide wrong weights."""
    for graph in (graph_of(), dense_graph()):
        assert len(set(packages.example_of(graph).output)) > 2


READER = """
#include "kws.h"
#include <stdio.h>
{quantize}
int main(void)
{{
    float v;
    while (fread(&v, sizeof(v), 1, stdin) == 1) {{
        putchar(quantize(v));
    }}
    return 0;
}}
"""


@pytest.mark.cc
@pytest.mark.parametrize("rounding", ["half_away", "half_even"])
def test_the_quantizer_of_the_readme_is_exact(tmp_path, rounding):
    graph = graph_of()
    edge = replace(graph.inputs[0], source_dtype="float32", rounding=rounding, scale=0.1)
    edge = replace(edge, scale=float(np.float32(0.1)), host_ops=("quantize",))
    package = made("platformio", graph=replace(graph, inputs=(edge,)))
    directory = written(package, tmp_path / "kws")
    snippet = re.search(r"## Input.*?```c\n(.*?)```", texts(package)["README.md"], re.S)
    (tmp_path / "main.c").write_text(READER.format(quantize=snippet.group(1)))
    call("cc", "-O2", *includes(directory), tmp_path / "main.c", "-lm", "-o", tmp_path / "q")
    rng = np.random.default_rng(0)
    ties = (np.arange(-300, 300) + 0.5).astype(np.float32) * np.float32(0.1)
    x = np.concatenate([ties, rng.normal(0, 8, 3000), [np.inf, -np.inf, 3e38, -0.0, 0.05, 0.15]])
    x = x.astype(np.float32)
    answer = subprocess.run(
        [str(tmp_path / "q")], input=x.tobytes(), capture_output=True, check=True
    ).stdout
    rows = np.resize(x, (-(-x.size // 60), *edge.source_shape[1:]))
    wanted = edges.quantize(edge, rows).ravel()[: x.size]
    np.testing.assert_array_equal(np.frombuffer(answer, np.int8), wanted)


def test_readme_tells_sizes_and_meaning():
    package = made("cmake")
    text = texts(package)["README.md"]
    library = package.library
    for figure in (library.program.arena_bytes, library.weights_bytes, library.tables_bytes, 60):
        assert f"| {figure} |" in text
    assert "Scale 0.0625, zero point 3" in text
    assert "kws_run();" in text


def test_a_cpu_is_a_board_without_limits():
    for cpu in CPUS:
        assert packages.package(dense_graph(), cpu, "cmake").library.board.cpu == cpu


def test_output_must_be_empty(tmp_path):
    package = made("arduino")
    written(package, tmp_path)
    with pytest.raises(ConfigError, match="not an empty directory"):
        written(package, tmp_path)
    file = tmp_path / "LICENSE"
    with pytest.raises(ConfigError, match="not an empty directory"):
        written(package, file)
    with pytest.raises(ConfigError, match="cannot be written"):
        written(package, file / "below")


def test_golden_text_is_plain():
    for path, text in texts(made("cmake")).items():
        if Path(path).suffix in {".c", ".h"}:
            assert text.isascii(), path
